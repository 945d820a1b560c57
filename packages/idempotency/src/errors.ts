import type { JsonValue } from './json.ts'
import type { Mode } from './record.ts'

/** What a call learnt about its effect: it did not run, it ran, or nobody knows yet. */
export type Outcome = 'not-run' | 'ran' | 'unknown'

export type IdempotencyErrorCode =
  | 'ERR_IDEMPOTENCY_OPTIONS'
  | 'ERR_IDEMPOTENCY_KEY'
  | 'ERR_IDEMPOTENCY_FINGERPRINT'
  | 'ERR_IDEMPOTENCY_CLOSED'
  | 'ERR_IDEMPOTENCY_FORMAT'
  | 'ERR_IDEMPOTENCY_BUSY'
  | 'ERR_IDEMPOTENCY_MISMATCH'
  | 'ERR_IDEMPOTENCY_VERDICT'
  | 'ERR_IDEMPOTENCY_IN_DOUBT'
  | 'ERR_IDEMPOTENCY_LEASE_LOST'
  | 'ERR_IDEMPOTENCY_STORE'
  | 'ERR_IDEMPOTENCY_NOT_DURABLE'
  | 'ERR_IDEMPOTENCY_FAILED'
  | 'ERR_IDEMPOTENCY_RESULT'
  | 'ERR_IDEMPOTENCY_RESULT_NOT_KEPT'

/** What every error of a code says unless the case at hand says otherwise. */
export const ERROR_CODES: {
  readonly [Code in IdempotencyErrorCode]: { readonly outcome: Outcome; readonly retryable: boolean }
} = {
  ERR_IDEMPOTENCY_OPTIONS: { outcome: 'not-run', retryable: false },
  ERR_IDEMPOTENCY_KEY: { outcome: 'not-run', retryable: false },
  ERR_IDEMPOTENCY_FINGERPRINT: { outcome: 'not-run', retryable: false },
  ERR_IDEMPOTENCY_CLOSED: { outcome: 'not-run', retryable: false },
  ERR_IDEMPOTENCY_FORMAT: { outcome: 'not-run', retryable: false },
  ERR_IDEMPOTENCY_BUSY: { outcome: 'unknown', retryable: true },
  ERR_IDEMPOTENCY_MISMATCH: { outcome: 'not-run', retryable: false },
  ERR_IDEMPOTENCY_VERDICT: { outcome: 'not-run', retryable: false },
  ERR_IDEMPOTENCY_IN_DOUBT: { outcome: 'unknown', retryable: true },
  ERR_IDEMPOTENCY_LEASE_LOST: { outcome: 'unknown', retryable: false },
  ERR_IDEMPOTENCY_STORE: { outcome: 'not-run', retryable: true },
  ERR_IDEMPOTENCY_NOT_DURABLE: { outcome: 'not-run', retryable: true },
  ERR_IDEMPOTENCY_FAILED: { outcome: 'ran', retryable: false },
  ERR_IDEMPOTENCY_RESULT: { outcome: 'ran', retryable: false },
  ERR_IDEMPOTENCY_RESULT_NOT_KEPT: { outcome: 'ran', retryable: false },
}

/** Why a key is in doubt: the lease lapsed, the effect ended unclearly, it outlived its timeout, the store lost writes. */
export type DoubtReason = 'lapsed' | 'unclear' | 'timeout' | 'store-loss'

/** A final failure as it is recorded and replayed. */
export interface Failure {
  readonly name: string
  readonly message: string
  readonly code?: string
}

export interface IdempotencyErrorFields {
  readonly outcome?: Outcome | undefined
  readonly retryable?: boolean | undefined
  readonly effect?: string | undefined
  readonly effectId?: string | undefined
  readonly fence?: number | undefined
  readonly attempt?: number | undefined
  readonly retryAfterMs?: number | undefined
  readonly option?: string | undefined
  readonly state?: string | undefined
  readonly mode?: Mode | undefined
  readonly reason?: DoubtReason | undefined
  readonly replicas?: number | undefined
  readonly failure?: Failure | undefined
  readonly phase?: 'write' | 'read' | undefined
  readonly issues?: readonly { readonly message: string; readonly path?: readonly PropertyKey[] }[] | undefined
  readonly value?: unknown
  readonly storeError?: unknown
  readonly cause?: unknown
}

/**
 * The one error of this package; `code` tells them apart, `outcome` says what this call learnt about its effect,
 * `retryable` whether the same call may help later. No message and no field but `value`, `failure` and `cause` holds
 * anything of a key or a payload; `value` is not enumerable, so that no logger prints it.
 */
export class IdempotencyError extends Error {
  override readonly name: string = 'IdempotencyError'
  readonly code: IdempotencyErrorCode
  readonly outcome: Outcome
  readonly retryable: boolean
  /** Name of the effect. */
  declare readonly effect?: string
  declare readonly effectId?: string
  /** Fencing number of the attempt concerned, if one was granted. */
  declare readonly fence?: number
  declare readonly attempt?: number
  /** Milliseconds after which the same call can learn more. */
  declare readonly retryAfterMs?: number
  /** OPTIONS: the field at fault. */
  declare readonly option?: string
  /** MISMATCH, VERDICT: state of the record that refused. */
  declare readonly state?: string
  /** IN_DOUBT: who decides. */
  declare readonly mode?: Mode
  declare readonly reason?: DoubtReason
  /** NOT_DURABLE: replicas that acknowledged. */
  declare readonly replicas?: number
  /** FAILED: the recorded failure. */
  declare readonly failure?: Failure
  /** RESULT, RESULT_NOT_KEPT: whether the value was refused when it was written or is missing when it is read. */
  declare readonly phase?: 'write' | 'read'
  /** RESULT, RESULT_NOT_KEPT: what the schema, or JSON, has against the value; empty where there is no value to look at. */
  declare readonly issues?: readonly { readonly message: string; readonly path?: readonly PropertyKey[] }[]
  /** RESULT: the value itself. Not enumerable. */
  declare readonly value?: unknown
  /** The store's error, when recording failed as well. Not enumerable. */
  declare readonly storeError?: unknown

  constructor(code: IdempotencyErrorCode, message: string, fields: IdempotencyErrorFields = {}) {
    const { cause, value, storeError, outcome, retryable, ...shown } = fields
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.outcome = outcome ?? ERROR_CODES[code].outcome
    this.retryable = retryable ?? ERROR_CODES[code].retryable
    for (const [name, field] of Object.entries(shown)) if (field !== undefined) Object.assign(this, { [name]: field })
    if ('value' in fields) hide(this, 'value', value)
    if (storeError !== undefined) hide(this, 'storeError', storeError)
  }
}

function hide(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: false, configurable: true, writable: true })
}

/**
 * Puts the store's error beside the effect's own, which the caller sees unchanged otherwise.
 *
 * @returns false when the effect threw something that cannot carry it
 */
export function attachStoreError(error: unknown, storeError: unknown): boolean {
  if (typeof error !== 'object' || error === null || !Object.isExtensible(error)) return false
  hide(error, 'storeError', storeError)
  return true
}

/** @returns the error of a bad option; `option` names it */
export function optionError(option: string, what: string, cause?: unknown): IdempotencyError {
  return new IdempotencyError('ERR_IDEMPOTENCY_OPTIONS', `option ${option} ${what}`, { option, cause })
}

/** @returns the error of whatever is called after disposal */
export function closedError(what: string): IdempotencyError {
  return new IdempotencyError('ERR_IDEMPOTENCY_CLOSED', what)
}

const MAX_NAME = 128
const MAX_MESSAGE = 1024

/** What is kept of a final error: name, message and code, bounded; the stack stays where it was thrown. */
export function failureOf(error: unknown): Failure {
  const read = (name: string): unknown =>
    typeof error === 'object' && error !== null ? (error as Record<string, unknown>)[name] : undefined
  const name = read('name')
  const message = read('message')
  const code = read('code')
  return {
    name: bounded(typeof name === 'string' ? name : 'Error', MAX_NAME),
    message: bounded(
      typeof message === 'string' ? message : 'the effect failed with something that is no Error',
      MAX_MESSAGE,
    ),
    ...(typeof code === 'string' || typeof code === 'number' ? { code: bounded(String(code), MAX_NAME) } : {}),
  }
}

function bounded(text: string, length: number): string {
  return text.slice(0, length).toWellFormed()
}

/** Reads a failure back from a record. */
export function toFailure(stored: JsonValue | undefined): Failure {
  return failureOf(stored)
}
