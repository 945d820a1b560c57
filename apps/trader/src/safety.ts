import { createBreakers, isBreakerOpenError, type BreakerEvent, type BreakerSnapshot } from '@safety/breaker'
import {
  createIdempotency,
  type Idempotency,
  type IdempotencyEvent,
  type JsonValue,
  type LookupAnswer,
} from '@safety/idempotency'
import { orderPlacement } from '@safety/idempotency/trading'
import {
  formatReport,
  validateOnStartup,
  watchRedis,
  type Expectations,
  type Profile,
  type Readiness,
  type RedisChecksEvent,
  type Report,
} from '@safety/redis-checks'
import { connectRedis, keyspace, systemClock, whenReady, type RedisClient } from '@safety/redis-core'
import { settleMsOf, type TraderConfig } from './config.ts'
import { cancelIdOf, type Intent } from './orders/intent.ts'
import { placementOf, type Placement } from './orders/placement.ts'

/*
 * The packages, composed. No other file imports one of them (all use redis-core), so this one can be read alone and copied.
 *
 * The store is checked before the first order and watched from then on. The guards stand around the order in this sequence,
 * outermost first: hold-off, idempotency, breaker, then dispatch, sign, send. The caller brings the two ends: `place`, which
 * reserves and then sends through the guard `orders`, and `lookup`, which asks the exchange through the guard `reads`.
 */

/** What the checks are asked for: real money is refused on anything less than `strict`; paper shows what it would refuse. */
export interface StoreNeeds {
  readonly mode: TraderConfig['mode']
  readonly leaseMs: number
  readonly namespace: string
}

function checksOf({ mode, leaseMs, namespace }: StoreNeeds): { profile: Profile; expect: Expectations } {
  const profile = mode === 'paper' ? 'idempotency.standard' : 'idempotency.strict'
  return { profile, expect: { keyPrefix: `${namespace}:`, leaseMs, access: [access] } }
}

/** What the packages and this trader ask of Redis, so that a user without one of them is refused before the first order. */
export const access: { readonly commands: string[]; readonly scriptCommands: string[] } = {
  commands: `EVAL EVALSHA GET HGET HGETALL HMGET HSET PING PUBLISH SCAN SET SUBSCRIBE TIME UNLINK ZRANGE ZREVRANGE`
    .split(' ')
    .concat('CLIENT SETNAME'),
  scriptCommands:
    `DEL EXISTS GET HDEL HEXISTS HGET HGETALL HINCRBY HKEYS HLEN HMGET HSET HSETNX HVALS INCR INCRBY LLEN LPUSH LRANGE
    LTRIM PERSIST PEXPIRE PTTL SADD SCARD SET SISMEMBER SREM STRLEN TIME ZADD ZCARD ZCOUNT ZINCRBY ZMSCORE ZRANGE ZRANGEBYSCORE
    ZREM ZREMRANGEBYSCORE ZSCORE`.split(/\s+/),
}

/** Connects with the profile that never sends a command twice, and waits until it can be used. */
export async function connectStore(
  url: string,
  connectionName: string,
  options: { timeoutMs: number; signal?: AbortSignal },
): Promise<RedisClient> {
  const redis = connectRedis(url, { profile: 'effect', connectionName })
  // Errors of a connection show in the calls that need it; without a listener they would end the process.
  redis.on('error', () => {})
  try {
    await whenReady(redis, options)
    return redis
  } catch (error) {
    redis.disconnect()
    throw error
  }
}

/**
 * Checks the store before anything relies on it, waiting up to `waitMs` for what passes by itself.
 *
 * @throws UnsafeRedisError outside of paper mode, when a guarantee is broken; `unsafeReport` shows it
 */
export function checkStore(
  redis: RedisClient,
  needs: StoreNeeds,
  options: { waitMs: number; signal?: AbortSignal },
): Promise<Report> {
  const mode = needs.mode === 'paper' ? 'report' : 'enforce'
  return validateOnStartup(redis, { ...checksOf(needs), mode, ...options })
}

/** The table of an `UnsafeRedisError`, for people; `undefined` for any other error. */
export function unsafeReport(error: unknown): string | undefined {
  if (failureOf(error).code !== 'ERR_REDIS_CHECKS_UNSAFE') return undefined
  return formatReport((error as { report: Report }).report, 'table')
}

/** How one call counts: `ignored` when the exchange had no part in it. */
export interface Counted<T> {
  readonly counts: 'success' | 'failure' | 'ignored'
  readonly value: T
}

/** `open`: the call never ran, and none will before `retryAfterMs`. */
export type Passed<T> =
  | { readonly open: false; readonly value: T }
  | { readonly open: true; readonly retryAfterMs: number }

/** Lets a call through to the exchange, or not. What `work` throws is passed on and counts nowhere. */
export type Guard = <T>(work: () => Promise<Counted<T>>) => Promise<Passed<T>>

export interface StoreGuardOptions {
  readonly redis: RedisClient
  readonly namespace: string
  readonly config: TraderConfig
  readonly onBreaker: (event: BreakerEvent) => void
  readonly onChecks: (event: RedisChecksEvent) => void
}

/** What a worker has before it speaks to the exchange: the watch over the store, and a breaker for each kind of call. */
export interface StoreGuards extends AsyncDisposable {
  /** Resolves with the first look of the watch, before which nothing is known of a hold-off. */
  readonly watched: Promise<void>
  readonly orders: Guard
  readonly reads: Guard
  /** Why no entry may be claimed now, and for how long: the store may have forgotten who holds a lease. */
  holdOff(): { leftMs: number; reason: string } | null
  /** Has the store checked again when an error says that it changed. */
  noteError(error: unknown): void
  readiness(): Readiness
  breakers(): BreakerSnapshot[]
}

/**
 * Starts the watch and the breakers. One breaker for orders and one for queries, each shared by all workers of the book:
 * an exchange that takes no orders may still answer queries. Cancels have none, they must always be tried.
 */
export function createStoreGuards(options: StoreGuardOptions): StoreGuards {
  const { redis, namespace, config } = options
  const watched = Promise.withResolvers<void>()
  const watch = watchRedis(redis, {
    ...checksOf({ ...config, namespace }),
    onEvent(event) {
      // The first change is away from `starting`, when the report and a hold-off it asks for are in force.
      if (event.type === 'readiness-changed') watched.resolve()
      options.onChecks(event)
    },
  })
  const breakers = createBreakers({
    redis,
    keyspace: keyspace(namespace),
    // The request's own time limit ends a call, so a breaker that ended it too would only lose its answer.
    halfOpen: { leaseMs: 4 * config.requestTimeoutMs + 5000 },
    classifyResult: result => (result as Counted<unknown>).counts,
    // Thrown is what went wrong on this side: Redis, a lease, a permit.
    isIgnored: () => true,
    onEvent: options.onBreaker,
  })
  const guardOf = (name: string): Guard => {
    const breaker = breakers.get(name)
    return async work => {
      try {
        return { open: false, value: (await breaker.run(work)).value }
      } catch (error) {
        if (!isBreakerOpenError(error)) throw error
        return { open: true, retryAfterMs: error.retryAfterMs }
      }
    }
  }
  return {
    watched: watched.promise,
    orders: guardOf('orders'),
    reads: guardOf('reads'),
    holdOff() {
      const held = watch.holdOff()
      return held === null ? null : { leftMs: Math.max(0, held.untilMs - systemClock.now()), reason: held.reason }
    },
    noteError: error => watch.noteError(error),
    readiness: () => watch.ready(),
    breakers: () => breakers.names().map(name => breakers.get(name).snapshot()),
    async [Symbol.asyncDispose]() {
      await breakers[Symbol.asyncDispose]()
      await watch[Symbol.asyncDispose]()
    },
  }
}

/** The right under which one attempt is made; `fence` 0 is no right at all. */
export interface Attempt {
  readonly fence: number
  readonly attempt: number
  readonly signal: AbortSignal
}

export interface SafetyOptions {
  readonly redis: RedisClient
  readonly namespace: string
  readonly config: TraderConfig
  /** Disposed with the rest. */
  readonly guards: StoreGuards
  /** Dispatches, signs and sends once. Its errors say by `outcome` whether it ran. */
  readonly place: (intent: Intent, attempt: Attempt) => Promise<Placement>
  /** Finds out what became of an intent nobody can vouch for. */
  readonly lookup: (
    intent: { id: string; symbol: string },
    options: { fence: number },
  ) => Promise<LookupAnswer<Placement>>
  /** Cancels the order of an intent. Throws when that did not happen, or when nobody knows. */
  readonly cancel: (symbol: string, id: string) => Promise<void>
  readonly onEvent: (event: IdempotencyEvent) => void
}

/** How one call for an intent ended. */
export type Placed =
  | { readonly kind: 'placed'; readonly placement: Placement; readonly replayed: boolean; readonly recorded: boolean }
  /** Another worker has it. */
  | { readonly kind: 'busy'; readonly retryAfterMs: number }
  | { readonly kind: 'in-doubt'; readonly retryAfterMs: number; readonly code: string }
  /** It did not run and may be tried again. `store` is true when Redis is the reason. */
  | { readonly kind: 'not-placed'; readonly retryAfterMs: number; readonly code: string; readonly store: boolean }
  /** The same id with other parameters: two workers are configured differently. */
  | { readonly kind: 'mismatch'; readonly code: string }

export interface Safety extends AsyncDisposable {
  place(intent: Intent): Promise<Placed>
  /** Has one worker of the book cancel an order; true once it is cancelled. Works without Redis, then each worker asks. */
  cancel(symbol: string, id: string): Promise<boolean>
  /** Closes an intent by evidence that its order exists. */
  confirm(id: string, placement: Placement, evidenceId: string): Promise<void>
  /** Starts looking after intents whose worker died. */
  startSweeper(): void
}

/** The name the preset `orderPlacement` gives. */
const effect = 'order_placement'
const dayMs = 86_400_000

function effectTimeoutMs(config: TraderConfig): number {
  return 6 * config.requestTimeoutMs + 10_000
}

interface Failure {
  readonly code: string
  readonly outcome: unknown
  readonly retryAfterMs: number
}

function failureOf(error: unknown): Failure {
  const fields = typeof error === 'object' && error !== null ? (error as Record<string, unknown>) : {}
  return {
    code: typeof fields['code'] === 'string' ? fields['code'] : 'ERR_UNKNOWN',
    outcome: fields['outcome'],
    retryAfterMs: typeof fields['retryAfterMs'] === 'number' ? fields['retryAfterMs'] : 500,
  }
}

function endedBy(error: unknown): Placed {
  const { code, outcome, retryAfterMs } = failureOf(error)
  switch (code) {
    case 'ERR_IDEMPOTENCY_BUSY':
      return { kind: 'busy', retryAfterMs }
    case 'ERR_IDEMPOTENCY_MISMATCH':
      return { kind: 'mismatch', code }
    case 'ERR_IDEMPOTENCY_STORE':
    case 'ERR_IDEMPOTENCY_CLOSED':
      return { kind: 'not-placed', retryAfterMs, code, store: true }
    default:
      if (outcome === 'not-run') return { kind: 'not-placed', retryAfterMs, code, store: false }
      return { kind: 'in-doubt', retryAfterMs, code }
  }
}

/** The parameters two workers must agree on; the id alone says which intent it is. */
function fingerprint(intent: Intent): JsonValue {
  const { symbol, side, type, quantity, price } = intent
  return type === 'LIMIT' ? { symbol, side, type, quantity, price } : { symbol, side, type, quantity }
}

function symbolIn(memo: JsonValue | undefined): string {
  const symbol = typeof memo === 'object' && memo !== null && 'symbol' in memo ? memo['symbol'] : undefined
  return typeof symbol === 'string' ? symbol : ''
}

function guardPlacement(idempotency: Idempotency, options: SafetyOptions): (intent: Intent) => Promise<Placed> {
  const { config } = options
  const place = idempotency.define(
    orderPlacement<Intent, Placement>({
      key: intent => intent.id,
      fingerprint,
      memo: intent => ({ symbol: intent.symbol }),
      recovery: {
        mode: 'reconcile',
        // A first "not found" is proof to this mutant, so it waits for nothing.
        settleMs: config.mutant === 'trust-not-found' ? 0 : settleMsOf(config),
        lookupTimeoutMs: 4 * config.requestTimeoutMs + 2000,
        lookup: ({ key, memo, fence }) => options.lookup({ id: key, symbol: symbolIn(memo) }, { fence }),
      },
      leaseMs: config.leaseMs,
      effectTimeoutMs: effectTimeoutMs(config),
      retentionMs: 7 * dayMs,
      onBusy: 'reject',
      onStoreDown: 'refuse',
      run: (intent, { fence, attempt, signal }) => options.place(intent, { fence, attempt, signal }),
    }),
  )
  return async intent => {
    const execution = await place(intent)
    const placement = placementOf(execution.value)
    if (placement === undefined) throw new Error('the record of the intent is not a placement')
    return { kind: 'placed', placement, replayed: execution.status === 'replayed', recorded: execution.recorded }
  }
}

/** Cancelling twice does no harm, so a lapse or an unclear end repeats it, and without Redis every worker may try. */
function guardCancels(
  idempotency: Idempotency,
  { config, cancel }: SafetyOptions,
): { cancel(symbol: string, id: string): Promise<void> } {
  return idempotency.guard(
    { cancel },
    {
      cancel: {
        name: 'order_cancel',
        key: (_symbol, id) => cancelIdOf(id),
        recovery: { mode: 'repeat' },
        leaseMs: config.leaseMs,
        effectTimeoutMs: effectTimeoutMs(config),
        retentionMs: 7 * dayMs,
        onBusy: 'reject',
        onStoreDown: 'run',
      },
    },
  )
}

/** The mutant `no-claim`: the same steps without the claim, so that nothing keeps two workers apart. */
function placeUnclaimed(options: SafetyOptions): (intent: Intent) => Promise<Placed> {
  const sent = new Set<string>()
  let attempt = 0
  return async intent => {
    if (sent.has(intent.id)) {
      const found = await options.lookup({ id: intent.id, symbol: intent.symbol }, { fence: 0 })
      if (found.outcome === 'ran') return { kind: 'placed', placement: found.value, replayed: true, recorded: true }
      if (found.outcome !== 'not-run') return { kind: 'in-doubt', retryAfterMs: 500, code: 'unclaimed' }
    }
    sent.add(intent.id)
    attempt += 1
    const placement = await options.place(intent, { fence: 0, attempt, signal: new AbortController().signal })
    return { kind: 'placed', placement, replayed: false, recorded: true }
  }
}

/** Composes the guards of one worker around the way it places an order. */
export function createSafety(options: SafetyOptions): Safety {
  const { redis, namespace, config, guards } = options
  const idempotency = createIdempotency({ redis, namespace, onEvent: options.onEvent })
  const guarded = guardPlacement(idempotency, options)
  const place = config.mutant === 'no-claim' ? placeUnclaimed(options) : guarded
  const cancels = guardCancels(idempotency, options)
  const noted = (error: unknown): unknown => {
    guards.noteError(error)
    return error
  }
  return {
    async place(intent) {
      const held = intent.leg === 'entry' ? guards.holdOff() : null
      if (held !== null) return { kind: 'not-placed', retryAfterMs: held.leftMs, code: 'redis-hold-off', store: true }
      return await place(intent).catch((error: unknown) => endedBy(noted(error)))
    },
    async cancel(symbol, id) {
      try {
        await cancels.cancel(symbol, id).catch(async (error: unknown) => {
          // A store that refuses the claim must not keep an order alive.
          if (failureOf(noted(error)).code !== 'ERR_IDEMPOTENCY_STORE') throw error
          await options.cancel(symbol, id)
        })
        return true
      } catch {
        // Another worker is at it, or the exchange did not do it: whoever still sees the order asks again.
        return false
      }
    },
    async confirm(id, placement, evidenceId) {
      if (config.mutant === 'no-claim') return
      await idempotency.confirm(effect, id, { outcome: 'ran', value: { ...placement }, evidenceId })
    },
    startSweeper() {
      if (config.mutant === 'no-claim') return
      const intervalMs = Math.min(5000, config.leaseMs)
      idempotency.startSweeper({ intervalMs, concurrency: 4, stuckAfterMs: config.stuckAfterMs })
    },
    async [Symbol.asyncDispose]() {
      await idempotency[Symbol.asyncDispose]()
      await guards[Symbol.asyncDispose]()
    },
  }
}
