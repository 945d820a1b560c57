import { isCluster } from './client.ts'
import type { RedisClient } from './client.ts'

/** Replies after which applications are known to ask for a reconnect with re-sending. */
const PROBES: readonly string[] = [
  "READONLY You can't write against a read only replica.",
  'LOADING Redis is loading the dataset in memory',
  "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
  'CLUSTERDOWN The cluster is down',
  'MISCONF Redis is configured to save RDB snapshots',
  'UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)',
  'ERR',
]

interface ResendOptions {
  autoResendUnfulfilledCommands?: boolean | undefined
  reconnectOnError?: ((error: Error) => unknown) | null | undefined
}

/**
 * Whether this client may send a command a second time by itself: it re-sends unfulfilled commands after a reconnect,
 * its `reconnectOnError` answers 2 (asked with the usual error replies), or, in Cluster, it repeats after a closed
 * connection (`retryDelayOnFailover` above 0) or reconnects nodes that re-send. Never true for clients of `connectRedis`.
 */
export function mayResend(redis: RedisClient): boolean {
  if (!isCluster(redis)) return redis.options.autoResendUnfulfilledCommands !== false || resendsOnError(redis.options)
  const { retryDelayOnFailover = 0, clusterNodeRetryStrategy, redisOptions = {} } = redis.options
  if (retryDelayOnFailover > 0 || resendsOnError(redisOptions)) return true
  return typeof clusterNodeRetryStrategy === 'function' && redisOptions.autoResendUnfulfilledCommands !== false
}

function resendsOnError({ reconnectOnError }: ResendOptions): boolean {
  if (typeof reconnectOnError !== 'function') return false
  return PROBES.some(message => {
    const error = new Error(message)
    error.name = 'ReplyError'
    try {
      return reconnectOnError(error) === 2
    } catch {
      // It cannot be asked, so it cannot be trusted.
      return true
    }
  })
}
