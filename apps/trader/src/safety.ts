import {
  createIdempotency,
  type Idempotency,
  type IdempotencyEvent,
  type JsonValue,
  type LookupAnswer,
} from '@safety/idempotency'
import { connectRedis, whenReady, type RedisClient } from '@safety/redis-core'
import { settleMsOf, type TraderConfig } from './config.ts'
import type { Intent } from './orders/intent.ts'
import { placementOf, type Placement } from './orders/placement.ts'

/*
 * The packages, composed. No other file imports one of them (all use redis-core), so this one can be read alone and copied.
 * The guards stand around the order in this sequence, outermost first: idempotency, then dispatch, sign, send, which
 * the caller brings as `place`. Whatever stands between the two (retries, a breaker) wraps `place` here.
 */

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
  /** Dispatches, signs and sends once. Its errors say by `outcome` whether it ran. */
  readonly place: (intent: Intent, attempt: Attempt) => Promise<Placement>
  /** Finds out what became of an intent nobody can vouch for. */
  readonly lookup: (
    intent: { id: string; symbol: string },
    options: { fence: number },
  ) => Promise<LookupAnswer<Placement>>
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
  /** Closes an intent by evidence that its order exists. */
  confirm(id: string, placement: Placement, evidenceId: string): Promise<void>
  /** Starts looking after intents whose worker died. */
  startSweeper(): void
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

const effect = 'order_placement'
const dayMs = 86_400_000

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
  const place = idempotency.define<Intent, Placement>({
    name: effect,
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
    effectTimeoutMs: 6 * config.requestTimeoutMs + 10_000,
    retentionMs: 7 * dayMs,
    onBusy: 'reject',
    onStoreDown: 'refuse',
    run: (intent, { fence, attempt, signal }) => options.place(intent, { fence, attempt, signal }),
  })
  return async intent => {
    const execution = await place(intent)
    const placement = placementOf(execution.value)
    if (placement === undefined) throw new Error('the record of the intent is not a placement')
    return { kind: 'placed', placement, replayed: execution.status === 'replayed', recorded: execution.recorded }
  }
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
  const { redis, namespace, config } = options
  const idempotency = createIdempotency({ redis, namespace, onEvent: options.onEvent })
  const guarded = guardPlacement(idempotency, options)
  const place = config.mutant === 'no-claim' ? placeUnclaimed(options) : guarded
  return {
    place: intent => place(intent).catch(endedBy),
    async confirm(id, placement, evidenceId) {
      if (config.mutant === 'no-claim') return
      await idempotency.confirm(effect, id, { outcome: 'ran', value: { ...placement }, evidenceId })
    },
    startSweeper() {
      if (config.mutant === 'no-claim') return
      const intervalMs = Math.min(5000, config.leaseMs)
      idempotency.startSweeper({ intervalMs, concurrency: 4, stuckAfterMs: config.stuckAfterMs })
    },
    [Symbol.asyncDispose]: () => idempotency[Symbol.asyncDispose](),
  }
}
