import { redisCodeOf, wasNeverSent } from './classify.ts'
import { isCluster } from './client.ts'
import type { RedisClient } from './client.ts'
import { emit } from './core-events.ts'

/** Clients of `connectRedis`, listened to for their whole life. */
const watched = new WeakSet<RedisClient>()
const lastErrors = new WeakMap<RedisClient, NodeJS.ErrnoException>()

/** The error of the latest failed connection attempt, `undefined` while the connection is good. */
export function lastConnectionError(redis: RedisClient): NodeJS.ErrnoException | undefined {
  return lastErrors.get(redis)
}

/** What could not be sent because the connection was going down already says nothing about why. */
export function rememberConnectionError(redis: RedisClient, error: Error): void {
  if (!wasNeverSent(error) || !lastErrors.has(redis)) lastErrors.set(redis, error)
}

/** To be called when the client says that it is ready. A connection that is being closed again is not good. */
export function forgetConnectionError(redis: RedisClient): void {
  if (isCluster(redis) || redis.stream.writable) lastErrors.delete(redis)
}

/** What was noticed of an unwatched client is out of date as soon as nobody waits for it. */
export function stopRemembering(redis: RedisClient): void {
  if (!watched.has(redis)) lastErrors.delete(redis)
}

/** Whether the server refused the database of the target. ioredis puts the command on the errors of its replies. */
export function isDatabaseRefused(error: Error | undefined): boolean {
  return (error as { command?: { name?: string } } | undefined)?.command?.name === 'select'
}

/** Listens for the client's whole life; without a listener ioredis prints connection errors on the console. */
export function watchConnection(redis: RedisClient, connectionName: string | null): void {
  watched.add(redis)
  const onError = (error: NodeJS.ErrnoException): void => {
    rememberConnectionError(redis, error)
    emit(() => ({
      type: 'connection-error',
      connectionName,
      redisCode: redisCodeOf(error) ?? null,
      code: error.code ?? null,
      message: error.message,
    }))
  }
  redis.on('error', onError)
  redis.on('node error', onError)
  redis.on('ready', () => forgetConnectionError(redis))
}
