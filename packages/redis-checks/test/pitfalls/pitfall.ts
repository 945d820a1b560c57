import { connectRedis } from '@safety/redis-core'
import type { RedisClient } from '@safety/redis-core'
import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'

import { lintClient } from '../../src/index.ts'
import type { LintClientOptions } from '../../src/index.ts'

/** An ioredis whose behaviour is shown. */
export interface Version {
  readonly name: string
  readonly redis: (options: object) => Redis
  readonly cluster: (ports: readonly number[], options: object) => Cluster
}

type AnyRedis = new (options: object) => Redis
type AnyCluster = new (nodes: object[], options: object) => Cluster

function version(name: string, redis: unknown, cluster: unknown): Version {
  const [MakeRedis, MakeCluster] = [redis as AnyRedis, cluster as AnyCluster]
  const quiet = <T extends RedisClient>(client: T): T => {
    client.on('error', () => undefined)
    return client
  }
  return {
    name,
    redis: options => quiet(new MakeRedis({ host: '127.0.0.1', ...options })),
    cluster: (ports, options) =>
      quiet(
        new MakeCluster(
          ports.map(port => ({ host: '127.0.0.1', port })),
          options,
        ),
      ),
  }
}

export const versions: readonly Version[] = [
  version('ioredis 6', Redis, Cluster),
  version('ioredis 5', Redis5, Cluster5),
]

/** The remedy: the client of connectRedis. */
export function safe(url: string): RedisClient {
  return connectRedis(url, { commandTimeoutMs: 300 })
}

/** What the lint says of a check on a client. */
export function lintLevel(redis: RedisClient, id: string, options: Partial<LintClientOptions> = {}): string {
  return lintClient(redis, { role: 'effect', ...options }).find(result => result.id === id)?.level ?? '-'
}

/** How a call has ended after some time. */
export async function endingOf(call: Promise<unknown>, withinMs: number): Promise<'resolved' | 'rejected' | 'pending'> {
  const late = new Promise<'pending'>(resolve => setTimeout(() => resolve('pending'), withinMs))
  return Promise.race([
    late,
    call.then(
      () => 'resolved' as const,
      () => 'rejected' as const,
    ),
  ])
}
