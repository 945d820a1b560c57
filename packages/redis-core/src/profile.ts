import type { ConnectionOptions } from 'node:tls'

import type { ClusterOptions, RedisOptions } from 'ioredis'

import { redisCodeOf } from './classify.ts'
import type { ResolvedConnectOptions } from './options.ts'
import type { ConnectTarget } from './target.ts'

/** First reconnect delay, doubled with every failed attempt. */
const FIRST_DELAY_MS = 50
/** Doubling further would only overflow. */
const MAX_DOUBLINGS = 20
/** How often a Cluster client looks at the slot map, so that it learns of a failover without a redirection. */
const SLOTS_REFRESH_MS = 1000
/** ioredis asks a loading server again after the server's own estimate, which is often far off. */
const LOADING_RETRY_MS = 250

/** `ClusterOptions` as the constructor takes them: its `redisOptions` may be left out, but not be `undefined`. */
export interface ClusterDialOptions extends Omit<ClusterOptions, 'redisOptions'> {
  redisOptions: Omit<NonNullable<ClusterOptions['redisOptions']>, 'replyMapping'>
}

type Delay = (attempt: number) => number

/** The ioredis options of a profile for one connection, standalone or through Sentinel. */
export function redisOptions(
  target: ConnectTarget & { kind: 'standalone' | 'sentinel' },
  options: ResolvedConnectOptions,
): RedisOptions {
  const delay = reconnectDelay(options)
  const tls = tlsOptions(target)
  const once = options.profile === 'checks'
  const common: RedisOptions = {
    ...nodeOptions(target, options),
    db: target.db ?? 0,
    enableOfflineQueue: options.profile === 'worker',
    lazyConnect: once,
    retryStrategy: once ? () => null : delay,
  }
  if (target.kind === 'standalone') return { ...common, host: target.host, port: target.port }
  return {
    ...common,
    sentinels: target.sentinels.map(({ host, port }) => ({ host, port })),
    name: target.master,
    failoverDetector: true,
    sentinelRetryStrategy: once ? () => null : delay,
    sentinelReconnectStrategy: delay,
    // Without it a Sentinel that accepts and then hangs stops the search for the master for ever.
    sentinelCommandTimeout: options.connectTimeoutMs,
    ...(tls === undefined ? {} : { enableTLSForSentinelMode: true, sentinelTLS: tls }),
    ...(target.sentinelUsername === undefined ? {} : { sentinelUsername: target.sentinelUsername }),
    ...(target.sentinelPassword === undefined ? {} : { sentinelPassword: target.sentinelPassword }),
    ...(target.natMap === undefined ? {} : { natMap: target.natMap }),
  }
}

/** The ioredis options of a profile for a Cluster. */
export function clusterOptions(
  target: ConnectTarget & { kind: 'cluster' },
  options: ResolvedConnectOptions,
): ClusterDialOptions {
  const delay = reconnectDelay(options)
  const once = options.profile === 'checks'
  return {
    redisOptions: nodeOptions(target, options),
    enableOfflineQueue: options.profile === 'worker',
    enableAutoPipelining: false,
    scaleReads: 'master',
    retryDelayOnFailover: 0,
    // Repeats of its own would run commands after their callers left.
    retryDelayOnClusterDown: 0,
    slotsRefreshTimeout: options.connectTimeoutMs,
    slotsRefreshInterval: SLOTS_REFRESH_MS,
    lazyConnect: once,
    clusterRetryStrategy: once ? () => null : delay,
    // Certificates name hosts, not the addresses they resolve to.
    ...(tlsOptions(target) === undefined ? {} : { dnsLookup: (host, done) => done(null, host) }),
    ...(target.natMap === undefined ? {} : { natMap: target.natMap }),
  }
}

function nodeOptions(target: ConnectTarget, options: ResolvedConnectOptions): RedisOptions {
  const { profile, connectTimeoutMs, commandTimeoutMs, connectionName, protocol } = options
  const tls = tlsOptions(target)
  return {
    autoResendUnfulfilledCommands: false,
    enableAutoPipelining: false,
    connectTimeout: connectTimeoutMs,
    maxLoadingRetryTime: LOADING_RETRY_MS,
    reconnectOnError: error => (redisCodeOf(error) === 'READONLY' ? 1 : false),
    ...(profile === 'worker'
      ? { maxRetriesPerRequest: null }
      : {
          maxRetriesPerRequest: 0,
          commandTimeout: commandTimeoutMs,
          socketTimeout: 2 * commandTimeoutMs,
          // A hung server never answers FIN; by then the commands on it have timed out.
          disconnectTimeout: commandTimeoutMs,
        }),
    ...(connectionName === undefined ? {} : { connectionName }),
    ...(protocol === undefined ? {} : { protocol }),
    ...(target.username === undefined ? {} : { username: target.username }),
    ...(target.password === undefined ? {} : { password: target.password }),
    ...(tls === undefined ? {} : { tls }),
  }
}

function reconnectDelay({ maxReconnectDelayMs, random }: ResolvedConnectOptions): Delay {
  return attempt => {
    const fullMs = Math.min(FIRST_DELAY_MS * 2 ** Math.min(attempt - 1, MAX_DOUBLINGS), maxReconnectDelayMs)
    return Math.round(fullMs * (0.5 + random.float() / 2))
  }
}

function tlsOptions({ tls }: ConnectTarget): ConnectionOptions | undefined {
  if (tls === undefined || tls === false) return undefined
  return tls === true ? {} : tls
}
