import { classifyRedisError, redisCodeOf } from './classify.ts'
import type { RedisClient } from './client.ts'
import { systemClock } from './clock.ts'
import { isDatabaseRefused, lastConnectionError } from './connection-errors.ts'
import { RedisCoreError } from './errors.ts'
import { awaitReadiness, readiness } from './readiness.ts'

const DEFAULT_TIMEOUT_MS = 10_000

/**
 * Resolves once the client can send commands, connecting a lazy one. Abort rejects with `signal.reason` and leaves the
 * client as it is.
 *
 * @param options `timeoutMs`: above 0. @default 10000
 * @throws `ERR_REDIS_NOT_RUN` (a repeat may help) if it was not ready in time or was closed, `ERR_REDIS_REFUSED` if the
 * server refuses this user; `cause` is the last connection error.
 */
export function whenReady(redis: RedisClient, options?: { timeoutMs?: number; signal?: AbortSignal }): Promise<void> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, signal } = options ?? {}
  return new Promise((resolve, reject) => {
    if (!(timeoutMs > 0)) throw new RedisCoreError('ERR_REDIS_OPTIONS', 'timeoutMs must be a number above 0')
    if (signal?.aborted) return reject(signal.reason)
    const startedMs = systemClock.monotonic()
    let leaveGate: (() => void) | undefined
    let done = false
    const timer = systemClock.setTimeout(
      () => finish(() => reject(notReady(`not ready within ${timeoutMs} ms`))),
      timeoutMs,
    )
    signal?.addEventListener('abort', onAbort, { once: true })
    look()

    function look(): void {
      const state = readiness(redis)
      if (state === 'ready') finish(resolve)
      else if (state === 'ended') fail('closed')
      else leaveGate ??= awaitReadiness(redis, undefined, look)
    }
    function onAbort(): void {
      finish(() => reject(signal?.reason))
    }
    function fail(what: string): void {
      const error = notReady(what) // before leaving: the last waiter takes the connection error along
      finish(() => reject(error))
    }
    function finish(end: () => void): void {
      if (done) return
      done = true
      timer.cancel()
      signal?.removeEventListener('abort', onAbort)
      leaveGate?.()
      end()
    }
    function notReady(what: string): RedisCoreError {
      const cause = lastConnectionError(redis)
      const refused = classifyRedisError(cause) === 'refused'
      const redisCode = redisCodeOf(cause)
      const because = isDatabaseRefused(cause) ? `SELECT refused: ${redisCode}` : (redisCode ?? cause?.code)
      const message = `the Redis client is ${what}${because === undefined ? '' : ` (${because})`}`
      const fields = { cause, redisCode, elapsedMs: Math.round(systemClock.monotonic() - startedMs) }
      return new RedisCoreError(refused ? 'ERR_REDIS_REFUSED' : 'ERR_REDIS_NOT_RUN', message, fields)
    }
  })
}
