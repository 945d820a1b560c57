import type { Cluster, Redis } from 'ioredis'

/** Any ioredis client, ^5.11 or ^6: made by `connectRedis`, or the application's own. */
export type RedisClient = Redis | Cluster

/** `isCluster` is private in the types of `Redis`, so the union cannot be told apart by it without this. */
export function isCluster(redis: RedisClient): redis is Cluster {
  return (redis as { isCluster?: boolean }).isCluster === true
}
