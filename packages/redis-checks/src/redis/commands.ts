/**
 * Commands that can be tried on a string key without changing anything: they read it, refuse its type, or refuse a value
 * that is no number. Redis checks permissions before any of that. Without a value here a command is only asked about by
 * ACL DRYRUN.
 */
const TRIES: Readonly<Record<string, readonly string[]>> = {
  GET: ['K'],
  GETRANGE: ['K', '0', '1'],
  STRLEN: ['K'],
  EXISTS: ['K'],
  TYPE: ['K'],
  TTL: ['K'],
  PTTL: ['K'],
  MGET: ['K'],
  SET: ['K', 'probe', 'XX', 'KEEPTTL'],
  SETNX: ['K', 'probe'],
  GETSET: ['K', 'probe'],
  APPEND: ['K', ''],
  PEXPIRE: ['K', '5000'],
  EXPIRE: ['K', '5'],
  PEXPIREAT: ['K', '99999999999999'],
  PERSIST: ['K'],
  INCR: ['K'],
  INCRBY: ['K', '1'],
  DECR: ['K'],
  DECRBY: ['K', '1'],
  HSET: ['K', 'a', 'b'],
  HSETNX: ['K', 'a', 'b'],
  HGET: ['K', 'a'],
  HMGET: ['K', 'a'],
  HGETALL: ['K'],
  HDEL: ['K', 'a'],
  HEXISTS: ['K', 'a'],
  HLEN: ['K'],
  HKEYS: ['K'],
  HVALS: ['K'],
  HINCRBY: ['K', 'a', '1'],
  HSCAN: ['K', '0'],
  ZADD: ['K', '1', 'a'],
  ZREM: ['K', 'a'],
  ZCARD: ['K'],
  ZCOUNT: ['K', '0', '1'],
  ZMSCORE: ['K', 'a'],
  ZSCORE: ['K', 'a'],
  ZINCRBY: ['K', '1', 'a'],
  ZRANGE: ['K', '0', '1'],
  ZRANGEBYSCORE: ['K', '0', '1'],
  ZREVRANGE: ['K', '0', '1'],
  ZREMRANGEBYSCORE: ['K', '0', '1'],
  ZREMRANGEBYRANK: ['K', '0', '1'],
  ZPOPMIN: ['K'],
  LPUSH: ['K', 'a'],
  RPUSH: ['K', 'a'],
  LPOP: ['K'],
  RPOP: ['K'],
  LLEN: ['K'],
  LRANGE: ['K', '0', '1'],
  LTRIM: ['K', '0', '1'],
  SADD: ['K', 'a'],
  SREM: ['K', 'a'],
  SCARD: ['K'],
  SMEMBERS: ['K'],
  SISMEMBER: ['K', 'a'],
  XADD: ['K', '*', 'a', 'b'],
  XLEN: ['K'],
  XRANGE: ['K', '-', '+'],
  XTRIM: ['K', 'MAXLEN', '1'],
  XDEL: ['K', '1-1'],
  TIME: [],
  PING: [],
  DEL: ['K'],
  UNLINK: ['K'],
}

/** What ACL DRYRUN takes for commands that are never run for a try. */
const DRY: Readonly<Record<string, readonly string[]>> = {
  EVAL: ['return 1', '0'],
  EVALSHA: ['0000000000000000000000000000000000000000', '0'],
  'SCRIPT LOAD': ['return 1'],
  SCAN: ['0'],
  WAIT: ['0', '1'],
  WAITAOF: ['0', '0', '1'],
  PUBLISH: ['K', 'a'],
  SPUBLISH: ['K', 'a'],
  SUBSCRIBE: ['K'],
  SSUBSCRIBE: ['K'],
  RENAME: ['K', 'K'],
  XREAD: ['COUNT', '1', 'STREAMS', 'K', '0'],
  XREADGROUP: ['GROUP', 'a', 'b', 'STREAMS', 'K', '>'],
  XACK: ['K', 'a', '1-1'],
  MULTI: [],
  EXEC: [],
  WATCH: ['K'],
  FLUSHALL: [],
  FLUSHDB: [],
  'CONFIG SET': ['maxmemory', '0'],
  DEBUG: ['SLEEP', '0'],
  SHUTDOWN: ['NOSAVE'],
}

/** Arguments to run `command` on the probe key; `undefined`: it is not run. */
export function tryArgs(command: string, key: string): string[] | undefined {
  return withKey(TRIES[command], key)
}

/** Arguments for ACL DRYRUN; a command nobody knows gets the key alone. */
export function dryArgs(command: string, key: string): string[] {
  return withKey(DRY[command] ?? TRIES[command], key) ?? [key]
}

function withKey(args: readonly string[] | undefined, key: string): string[] | undefined {
  return args?.map(arg => (arg === 'K' ? key : arg))
}
