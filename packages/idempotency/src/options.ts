import { systemClock, systemRandom } from '@safety/redis-core'
import type { Clock, Random, RedisClient } from '@safety/redis-core'
import { z } from 'zod'

import { optionError } from './errors.ts'
import type { IdempotencyEvent } from './events.ts'

export interface IdempotencyOptions {
  /** Any ioredis client, ^5.11 or ^6, made by `connectRedis` or your own. It is never changed and never closed. */
  redis: RedisClient
  /** Prefix of all keys: `[A-Za-z0-9_.-]{1,32}`. Part of every `effectId`. */
  namespace: string
  /** Milliseconds one script may take, 10..60000. @default 1000 */
  storeTimeoutMs?: number | undefined
  /** Milliseconds one step (claim, finish) may take with its repeats, 10..600000. @default 2000 */
  storeBudgetMs?: number | undefined
  /** Milliseconds a result that could not be recorded is tried again in the background, 0..86400000. @default 600000 */
  recordRetryMs?: number | undefined
  /** After the store lost acknowledged writes: look before a fresh run, or run. @default 'verify' */
  onStoreLoss?: 'verify' | 'run' | undefined
  /** Milliseconds a noticed loss casts doubt on fresh keys of its bucket, 0..604800000. @default 900000 */
  lossWindowMs?: number | undefined
  /** Roll-out: calls that enforcement would stop run, flagged `unprotected`, and are reported. @default false */
  observe?: boolean | undefined
  /** Gets every event. Delivered later; a throwing or slow listener changes nothing. */
  onEvent?: ((event: IdempotencyEvent) => void) | undefined
  /** @default systemClock */
  clock?: Clock | undefined
  /** @default systemRandom */
  random?: Random | undefined
}

export interface ResolvedOptions {
  readonly redis: RedisClient
  readonly namespace: string
  readonly storeTimeoutMs: number
  readonly storeBudgetMs: number
  readonly recordRetryMs: number
  readonly onStoreLoss: 'verify' | 'run'
  readonly lossWindowMs: number
  readonly observe: boolean
  readonly onEvent: ((event: IdempotencyEvent) => void) | undefined
  readonly clock: Clock
  readonly random: Random
}

const DAY_MS = 86_400_000

/** A whole number of milliseconds (or bytes, or pieces) within bounds. */
export function bounded(min: number, max: number): z.ZodInt {
  return z.int().min(min).max(max)
}

/** Passes functions through unchanged; zod's own function schema would wrap them. */
export function functionSchema<F>(): z.ZodType<F> {
  return z.custom<F>(value => typeof value === 'function', 'must be a function')
}

/** Passes an object through unchanged if it has these methods. */
export function objectWith<T>(...methods: readonly string[]): z.ZodType<T> {
  return z.custom<T>(
    value =>
      typeof value === 'object' &&
      value !== null &&
      methods.every(method => typeof (value as Record<string, unknown>)[method] === 'function'),
    `must be an object with ${methods.join(', ')}`,
  )
}

const SCHEMA = z.strictObject({
  redis: objectWith<RedisClient>('evalsha', 'eval', 'duplicate'),
  namespace: z.string().regex(/^[A-Za-z0-9_.-]{1,32}$/, 'must be 1 to 32 of [A-Za-z0-9_.-]'),
  storeTimeoutMs: bounded(10, 60_000).optional(),
  storeBudgetMs: bounded(10, 600_000).optional(),
  recordRetryMs: bounded(0, DAY_MS).optional(),
  onStoreLoss: z.enum(['verify', 'run']).optional(),
  lossWindowMs: bounded(0, 7 * DAY_MS).optional(),
  observe: z.boolean().optional(),
  onEvent: functionSchema<(event: IdempotencyEvent) => void>().optional(),
  clock: objectWith<Clock>('now', 'monotonic', 'sleep', 'setTimeout').optional(),
  random: objectWith<Random>('float', 'bytes').optional(),
})

/** @throws `ERR_IDEMPOTENCY_OPTIONS` naming the field */
export function resolveOptions(options: IdempotencyOptions): ResolvedOptions {
  const given = check(SCHEMA, options)
  if (given.redis.options.keyPrefix) {
    throw optionError('redis', 'has a keyPrefix, which would change the keys of scripts: use namespace instead')
  }
  return {
    redis: given.redis,
    namespace: given.namespace,
    storeTimeoutMs: given.storeTimeoutMs ?? 1000,
    storeBudgetMs: given.storeBudgetMs ?? 2000,
    recordRetryMs: given.recordRetryMs ?? 600_000,
    onStoreLoss: given.onStoreLoss ?? 'verify',
    lossWindowMs: given.lossWindowMs ?? 900_000,
    observe: given.observe ?? false,
    onEvent: given.onEvent,
    clock: given.clock ?? systemClock,
    random: given.random ?? systemRandom,
  }
}

/** Parses options by a schema. @throws `ERR_IDEMPOTENCY_OPTIONS` naming the first field at fault, `prefix` before it */
export function check<T>(schema: z.ZodType<T>, options: unknown, prefix = ''): T {
  const parsed = schema.safeParse(options)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys : []
  const field = [...(issue?.path ?? []), ...unknown.slice(0, 1)].map(String).join('.')
  const what = unknown.length > 0 ? 'is not known' : `is not valid: ${issue?.message ?? 'unreadable'}`
  throw optionError(prefix + (field === '' ? 'options' : field), what)
}
