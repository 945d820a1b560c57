import type { RedisClient } from '@safety/redis-core'
import type { Cluster } from 'ioredis'

/** `isCluster` is private in the types of `Redis`, so the union cannot be told apart by it without this. */
export function isCluster(redis: RedisClient): redis is Cluster {
  return (redis as { isCluster?: boolean }).isCluster === true
}
