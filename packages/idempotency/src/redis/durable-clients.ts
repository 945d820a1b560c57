import type { RedisClient } from '@safety/redis-core'
import type { Cluster } from 'ioredis'

import { isCluster } from './cluster.ts'

export interface DurableClients {
  /** The connection for one script and WAIT: each blocks its own, and none another's. None after `close`. */
  for(script: string, durability: { replicas: number; timeoutMs: number }): RedisClient | undefined
  close(): void
}

/** Own connections for commands followed by WAIT, made when first needed. */
export function createDurableClients(redis: RedisClient, storeTimeoutMs: number): DurableClients {
  const clients = new Map<string, RedisClient>()
  let closed = false
  return {
    for(script, { replicas, timeoutMs }) {
      // Nobody would close what is made now.
      if (closed) return undefined
      const name = `${script}:${replicas}:${timeoutMs}`
      let client = clients.get(name)
      if (client === undefined) {
        client = duplicate(redis, timeoutMs + storeTimeoutMs)
        clients.set(name, client)
      }
      return client
    },
    close() {
      closed = true
      for (const client of clients.values()) client.disconnect()
      clients.clear()
    },
  }
}

function duplicate(redis: RedisClient, commandTimeout: number): RedisClient {
  const timeouts = { commandTimeout, socketTimeout: 2 * commandTimeout }
  const client = isCluster(redis) ? duplicateCluster(redis, timeouts) : redis.duplicate(timeouts)
  // Each call reports the failure it meets; without a listener ioredis prints connection errors.
  client.on('error', () => undefined)
  return client
}

function duplicateCluster(cluster: Cluster, timeouts: { commandTimeout: number; socketTimeout: number }): Cluster {
  // What came out of a cluster's options goes into another's: the two types differ in optional members only.
  const redisOptions = { ...cluster.options.redisOptions, ...timeouts }
  return cluster.duplicate(undefined, { redisOptions } as Parameters<Cluster['duplicate']>[1])
}
