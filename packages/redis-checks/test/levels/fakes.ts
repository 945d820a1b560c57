import type { Answer } from '../fake-redis.ts'

/** What a server that cannot be made here would answer: a healthy master, as INFO of 7.2 shows it, with changes. */
export function healthyInfo(changes: Readonly<Record<string, string | number>> = {}): string {
  const fields = {
    redis_version: '7.2.5',
    redis_mode: 'standalone',
    run_id: '0123456789abcdef0123456789abcdef01234567',
    role: 'master',
    connected_slaves: 0,
    loading: 0,
    connected_clients: 1,
    maxclients: 10_000,
    used_memory: 1_000_000,
    used_memory_rss: 2_000_000,
    total_system_memory: 8_000_000_000,
    maxmemory: 100_000_000,
    maxmemory_policy: 'noeviction',
    evicted_keys: 0,
    rejected_connections: 0,
    current_eviction_exceeded_time: 0,
    aof_enabled: 1,
    aof_last_write_status: 'ok',
    aof_last_bgrewrite_status: 'ok',
    aof_rewrites_consecutive_failures: 0,
    rdb_last_bgsave_status: 'ok',
    master_failover_state: 'no-failover',
    ...changes,
  }
  return Object.entries(fields)
    .map(([name, value]) => `${name}:${value}`)
    .join('\r\n')
}

/** Answers of that server besides INFO. */
export const HEALTHY: Readonly<Record<string, Answer>> = {
  PING: '+PONG',
  HELLO: [
    'server',
    'redis',
    'version',
    '7.2.5',
    'proto',
    2,
    'id',
    3,
    'mode',
    'standalone',
    'role',
    'master',
    'modules',
    [],
  ],
  ROLE: ['master', 0, []],
  SET: '+OK',
  GET: 'probe',
  DEL: 1,
  EVAL: [],
  HGETALL: [],
}
