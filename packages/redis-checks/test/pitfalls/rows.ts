/** A pitfall, the checks that flag it, and what it does to those who meet it. */
export interface Row {
  readonly harm: string
  /** None where no option shows it. */
  readonly checks: readonly string[]
}

export type RowName =
  | 'lost-reply'
  | 'resend-off-hang'
  | 'timed-out-command'
  | 'accept-then-close'
  | 'server-down'
  | 'cluster-lost-reply'
  | 'cluster-away'
  | 'cut-batch'
  | 'script-in-multi'
  | 'sentinel-without-info'
  | 'paused-old-master'
  | 'readonly'
  | 'stopped-strategy'
  | 'loading-server'
  | 'stale-read'
  | 'prefixed-slot'
  | 'shared-connection'

/** Every pitfall. Its file beside this one, `<row>.redis.test.ts`, shows the harm, and that the remedy ends it. */
export const rows: Readonly<Record<RowName, Row>> = {
  'lost-reply': {
    harm: 'a command whose reply is lost runs twice, and SET NX tells its own owner that somebody else has the key',
    checks: ['resend-unfulfilled'],
  },
  'resend-off-hang': {
    harm: 'a call whose reply is lost never ends, also after disconnect() (redis/ioredis#2193)',
    checks: ['resend-off-hang', 'client-version'],
  },
  'timed-out-command': {
    harm: 'a call that its timeout rejected runs all the same, later or twice (redis/ioredis#2130)',
    checks: ['offline-queue', 'ghost-command', 'client-version'],
  },
  'accept-then-close': {
    harm: 'a server that accepts and closes again and again leaves a call pending (redis/ioredis#2197)',
    checks: ['command-timeout', 'client-version'],
  },
  'server-down': {
    harm: 'with a server that is down a call takes more than a minute to fail, or never does',
    checks: ['retries-per-request'],
  },
  'cluster-lost-reply': {
    harm: 'a Cluster client sends a command whose reply is lost again by itself, whatever the re-send option says',
    checks: ['cluster-retry'],
  },
  'cluster-away': {
    harm: 'a Cluster client ignores the offline queue option inside redisOptions: its calls stay pending (redis/ioredis#1604)',
    checks: ['misplaced-option', 'offline-queue', 'client-version'],
  },
  'cut-batch': {
    harm: 'commands that ran are reported as aborted when their automatic batch is cut',
    checks: ['auto-pipelining'],
  },
  'script-in-multi': {
    harm: 'a transaction with a forgotten script is half applied, and nothing is thrown',
    checks: [],
  },
  'sentinel-without-info': {
    harm: 'a user without INFO makes a Sentinel client take a replica for the master',
    checks: ['role'],
  },
  'paused-old-master': {
    harm: 'an old master that paused and came back acknowledges writes that are thrown away',
    checks: ['failover-detector', 'wait-probe'],
  },
  readonly: {
    harm: 'after a failover the client stays on the demoted master, or sends a refused command again and again',
    checks: ['reconnect-on-error'],
  },
  'stopped-strategy': {
    harm: 'a client whose strategy stops stays dead when Redis is back',
    checks: ['retry-strategy'],
  },
  'loading-server': {
    harm: 'a client without the ready check is "ready" while Redis loads, and every call fails',
    checks: ['ready-check'],
  },
  'stale-read': {
    harm: 'a read from a replica misses a record that was written before it',
    checks: ['read-routing'],
  },
  'prefixed-slot': {
    harm: 'a keyPrefix with braces moves every key into one slot of a Cluster',
    checks: ['key-prefix'],
  },
  'shared-connection': {
    harm: 'a connection that subscribes refuses every other command',
    checks: ['shared-connection'],
  },
}
