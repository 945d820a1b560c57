import type { StandardSchemaV1 } from '@standard-schema/spec'

import type { JsonValue } from './json.ts'
import type { Grant, ResultSource } from './record.ts'

/** What `run` gets. */
export type EffectContext = Grant & {
  /** Aborts when the lease is lost or about to end, and at `effectTimeoutMs`; in observe mode never. Pass it on. */
  readonly signal: AbortSignal
  /** When `signal` aborts as things stand, epoch milliseconds; moves on with every renewal of the lease. */
  readonly deadline: number
}

/** What `lookup` gets. `attempt` and `fence` are those of the attempt in doubt. */
export type LookupContext = Grant & {
  /** Aborts after `lookupTimeoutMs`. */
  readonly signal: AbortSignal
  /** What `memo` gave when the attempt in doubt was claimed. */
  readonly memo: JsonValue | undefined
}

/**
 * What the receiver says. `not-run` means "as of now the receiver has nothing under this id"; it becomes a verdict only
 * if the lookup started after the settle time.
 */
export type LookupAnswer<T> =
  | { outcome: 'ran'; value: T }
  | { outcome: 'failed'; error: unknown }
  | { outcome: 'not-run' }
  | { outcome: 'unknown'; retryAfterMs?: number | undefined }

/**
 * What may happen after an attempt of unknown end. `repeat`: another run (the receiver deduplicates, or it is an
 * upsert). `manual`: a person decides. `reconcile`: `lookup` asks the receiver; `settleMs` is the longest a frozen sender
 * may still send plus the time until the receiver's answer is consistent, 0..86400000; `lookupTimeoutMs` 1..86400000,
 * default 5000.
 */
export type Recovery<T> =
  | { mode: 'repeat' }
  | { mode: 'manual' }
  | {
      mode: 'reconcile'
      lookup: (ctx: LookupContext) => Promise<LookupAnswer<T>>
      settleMs: number
      lookupTimeoutMs?: number | undefined
    }

/** How a call ended with a value. Executed: by this call. Replayed: by an earlier attempt, a lookup, evidence or a person. */
export type Execution<T> = Grant & { readonly value: T } & (
    | {
        readonly status: 'executed'
        /** The store holds the value; if not, recording goes on behind. */
        readonly recorded: boolean
        /** Whether enough replicas confirmed the record; undefined without `durability`. */
        readonly durable: boolean | undefined
        /** The claim had been taken over; another attempt's outcome may follow. */
        readonly superseded: boolean
        /** The run had no claim: the store was away (`onStoreDown: 'run'`), or observe mode let it pass. */
        readonly unprotected: boolean
      }
    | { readonly status: 'replayed'; readonly recorded: true; readonly source: ResultSource }
  )

/** The settings of one effect. */
export interface EffectOptions<I, T> {
  /** `[a-z][a-z0-9_.-]{0,47}`. */
  name: string
  /** Names the intent, not its content: 1..16384 bytes of UTF-8, not blank. */
  key: (input: I) => string
  /** The content, compared when the key is met again; `false` compares nothing. @default the whole input */
  fingerprint?: false | ((input: I) => unknown) | undefined
  /** Kept with the claim for lookups and people: JSON of at most 1 KiB. */
  memo?: ((input: I) => JsonValue) | undefined
  /** Any Standard Schema; both the executed and the replayed value pass it. */
  result?: StandardSchemaV1<unknown, T> | undefined
  recovery: Recovery<T>
  /** Milliseconds a silent executor keeps its claim, 50..3600000; a heartbeat renews it. @default 30000 */
  leaseMs?: number | undefined
  /** Milliseconds the effect may take, 1..86400000. @default 60000 */
  effectTimeoutMs?: number | undefined
  /** Milliseconds a final record is kept; at least lease + settle + timeout, at most 10 years. @default 259200000 (72 h) */
  retentionMs?: number | undefined
  /** Milliseconds a call waits for another attempt or for the settle time, 1..86400000. @default 30000 */
  waitMs?: number | undefined
  /** Bytes of JSON above which a value is not kept, 0..1048576. @default 65536 */
  maxResultBytes?: number | undefined
  /** While another attempt runs: wait up to `waitMs`, or throw BUSY. @default 'wait' */
  onBusy?: 'wait' | 'reject' | undefined
  /** With the store away: throw STORE, or (mode `repeat` only) run without protection. @default 'refuse' */
  onStoreDown?: 'refuse' | 'run' | undefined
  /** Says what an error of `run` means for the effect. @default by the error's `outcome`, else connection errors that cannot have sent anything are not-run, all else unknown */
  classifyError?: ((error: unknown) => 'not-run' | 'failed' | 'unknown') | undefined
  /** Waits until `replicas` (1..100) confirmed claim and finish, up to `timeoutMs` (1..10000) each. */
  durability?: { replicas: number; timeoutMs: number } | undefined
  run: (input: I, ctx: EffectContext) => T | Promise<T>
}

/** Settings of one call of `executeOnce`. @default `name: 'default'`, `recovery: { mode: 'manual' }` */
export type OnceOptions<T> = Partial<Omit<EffectOptions<undefined, T>, 'key' | 'run' | 'fingerprint' | 'memo'>> & {
  /** The content, compared when the key is met again; nothing is compared without it. */
  fingerprint?: unknown
  /** Kept with the claim for lookups and people: JSON of at most 1 KiB. */
  memo?: JsonValue | undefined
  /** Ends waiting; an effect already dispatched runs on and is recorded. */
  signal?: AbortSignal | undefined
}

/** An effect, called like a function. */
export interface Effect<I, T> {
  /**
   * Runs the effect once per key, or returns what its first run returned. `signal` ends waiting and rejects with its
   * reason; an effect already dispatched runs on and is recorded.
   *
   * @throws the effect's own error if it did not run or failed for good, else `IdempotencyError` (see its codes)
   */
  (input: I, options?: { signal?: AbortSignal | undefined }): Promise<Execution<T>>
  /** 26 characters `[a-z2-7]`, the same on every attempt at this key. @throws `ERR_IDEMPOTENCY_KEY` */
  effectIdOf(key: string): string
}
