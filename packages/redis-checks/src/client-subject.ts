import { createRequire } from 'node:module'
import type { Cluster, RedisOptions } from 'ioredis'
import type { RedisClient } from '@safety/redis-core'

import type { ClientRole } from './client-role.ts'
import type { Profile } from './level.ts'

/** The application's client in the eyes of the lint: its options, never its connection. */
export interface ClientSubject {
  readonly role: ClientRole
  readonly profile: Profile
  readonly kind: 'standalone' | 'sentinel' | 'cluster'
  /** Options of one connection: of the client, or `redisOptions` of a Cluster. */
  readonly node: RedisOptions
  /** Options of the Cluster itself; empty otherwise. */
  readonly top: ClusterTop
  readonly leaseMs: number | undefined
  readonly replicas: number | undefined
  readonly ioredisVersion: string
  /** `subscriber` and `monitor` refuse commands. */
  readonly mode: string
}

export interface ClusterTop {
  readonly enableOfflineQueue?: boolean | undefined
  readonly retryDelayOnFailover?: number | undefined
  readonly scaleReads?: unknown
  readonly clusterRetryStrategy?: ((attempt: number, reason?: Error) => unknown) | undefined
  readonly enableAutoPipelining?: boolean | undefined
  readonly enableReadyCheck?: boolean | undefined
  readonly keyPrefix?: string | undefined
}

export function isCluster(redis: RedisClient): redis is Cluster {
  return (redis as { isCluster?: boolean }).isCluster === true
}

export function createClientSubject(
  redis: RedisClient,
  options: {
    readonly role: ClientRole
    readonly profile: Profile
    readonly leaseMs?: number | undefined
    readonly replicas?: number | undefined
    readonly ioredisVersion?: string | undefined
  },
): ClientSubject {
  const cluster = isCluster(redis)
  const node: RedisOptions = cluster ? (redis.options.redisOptions ?? {}) : redis.options
  const sentinel = !cluster && (redis.options.sentinels?.length ?? 0) > 0
  return {
    role: options.role,
    profile: options.profile,
    kind: cluster ? 'cluster' : sentinel ? 'sentinel' : 'standalone',
    node,
    top: cluster ? (redis.options as ClusterTop) : {},
    leaseMs: options.leaseMs,
    replicas: options.replicas,
    ioredisVersion: options.ioredisVersion ?? installedVersion(),
    mode: (redis as { mode?: string }).mode ?? 'normal',
  }
}

function installedVersion(): string {
  const { version } = createRequire(import.meta.url)('ioredis/package.json') as { version: string }
  return version
}
