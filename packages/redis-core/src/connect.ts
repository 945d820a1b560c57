import { Cluster, Redis } from 'ioredis'
import type { RedisOptions } from 'ioredis'

import { isCluster } from './client.ts'
import type { RedisClient } from './client.ts'
import { isDatabaseRefused, watchConnection } from './connection-errors.ts'
import { RedisCoreError } from './errors.ts'
import { resolveConnectOptions } from './options.ts'
import type { ConnectOptions, ResolvedConnectOptions } from './options.ts'
import { clusterOptions, redisOptions } from './profile.ts'
import type { ClusterDialOptions } from './profile.ts'
import { resolveTarget } from './target.ts'
import type { ConnectTarget } from './target.ts'

/** The two constructors of an ioredis major. */
export interface IoRedis {
  readonly Redis: new (options: RedisOptions) => Redis
  readonly Cluster: new (nodes: { host: string; port: number }[], options: ClusterDialOptions) => Cluster
}

/** `connectRedis` for a given ioredis, so that the suites can run on every major the peer range allows. */
export function connectorFor(
  ioredis: IoRedis,
): (target: string | ConnectTarget, options?: ConnectOptions) => RedisClient {
  let speaksResp3: boolean | undefined
  return (target, options = {}) => {
    const where = resolveTarget(target)
    const how = resolveConnectOptions(options)
    if (how.protocol === 3) {
      // Only ioredis 6 has the option, and it then has a default.
      speaksResp3 ??= new ioredis.Redis({ lazyConnect: true }).options.protocol !== undefined
      if (!speaksResp3)
        throw new RedisCoreError('ERR_REDIS_OPTIONS', 'protocol: 3 needs ioredis 6; leave it out on ioredis 5')
    }
    return prepare(dial(ioredis, where, how), how)
  }
}

/**
 * Connects at once (profile `checks`: at first use) and reconnects for ever. The client never sends a command twice, and
 * every command ends: with its reply, or with an error that `classifyRedisError` reads. Connection errors are events of
 * `safety:redis-core`, never console output.
 *
 * @throws `ERR_REDIS_TARGET`, `ERR_REDIS_OPTIONS` (not retryable), naming the field.
 * @example
 * const redis = connectRedis('redis://127.0.0.1:6379', { connectionName: 'orders' })
 */
export const connectRedis: (target: string | ConnectTarget, options?: ConnectOptions) => RedisClient = connectorFor({
  Redis,
  Cluster,
})

function dial(ioredis: IoRedis, target: ConnectTarget, options: ResolvedConnectOptions): RedisClient {
  if (target.kind !== 'cluster') return new ioredis.Redis(redisOptions(target, options))
  const nodes = target.nodes.map(({ host, port }) => ({ host, port }))
  return new ioredis.Cluster(nodes, clusterOptions(target, options))
}

function prepare(client: RedisClient, options: ResolvedConnectOptions): RedisClient {
  watchConnection(client, options.connectionName ?? null)
  if (isCluster(client)) client.on('ready', () => connectMasters(client))
  else {
    insistOnDatabase(client)
    if (options.profile === 'worker') settleOnClose(client)
  }
  const duplicate = client.duplicate.bind(client) as (...args: unknown[]) => RedisClient
  // A duplicate is dialled with the same options; it needs the same listeners.
  const prepared = (...args: unknown[]): RedisClient => prepare(duplicate(...args), options)
  return Object.assign(client, { duplicate: prepared })
}

/**
 * A refused SELECT is only an event to ioredis, which then sends every command to database 0. Here it breaks the connection,
 * as a refused password does: nothing is sent before the database is the right one.
 */
function insistOnDatabase(client: Redis): void {
  client.on('error', (error: Error) => {
    if (isDatabaseRefused(error)) client.disconnect(true)
  })
}

/** Cluster connects to a node at its first command, and refuses the second while it does. */
function connectMasters(cluster: Cluster): void {
  for (const node of cluster.nodes('master')) {
    if (node.status === 'wait') node.connect().catch(ignoreReported)
  }
}

/** A failed connection attempt is also an 'error' event, which is listened to. */
function ignoreReported(): void {}

/**
 * With `maxRetriesPerRequest: null` and no re-sending, ioredis forgets the commands that were in flight when the
 * connection broke: they would never settle (redis/ioredis#2193).
 */
function settleOnClose(client: Redis): void {
  const queues = client as unknown as { flushQueue(error: Error, which: { offlineQueue: boolean }): void }
  client.on('close', () => queues.flushQueue(new Error('Connection is closed.'), { offlineQueue: false }))
}
