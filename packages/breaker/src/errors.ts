import type { BreakerScope, BreakerState } from './breaker-state.ts'
import type { OverrideOrder } from './who.ts'

/** What is known of the call that ended with the error. */
export type BreakerErrorOutcome = 'not-run' | 'unknown'

abstract class BreakerError extends Error {
  abstract readonly code: string
  /** Whether the same call may be repeated later. */
  abstract readonly retryable: boolean
  abstract readonly outcome: BreakerErrorOutcome
}

export interface OpenErrorFields {
  readonly breaker: string
  readonly state: BreakerState
  readonly scope: BreakerScope
  readonly epoch: number
  readonly why: string
  readonly retryAfterMs: number
  readonly cause: unknown
}

const ADVICE: Readonly<Record<BreakerState, string>> = {
  closed: '',
  open: 'is open',
  'half-open': 'is half-open and its probes are taken',
  ramping: 'lets only a share of the calls through',
  'forced-open': 'is held open by an operator',
  disabled: '',
}

/**
 * The call was rejected and never ran. `retryAfterMs` is the time to the next probe, to the order's end, or 1 000 in a ramp.
 * `cause` is the last error this process counted. It carries no stack frames: it says nothing about the caller's code.
 */
export class BreakerOpenError extends Error {
  override get name(): string {
    return 'BreakerOpenError'
  }
  declare readonly code: 'ERR_BREAKER_OPEN'
  declare readonly retryable: true
  declare readonly outcome: 'not-run'
  declare readonly breaker: string
  declare readonly state: BreakerState
  declare readonly scope: BreakerScope
  declare readonly epoch: number
  declare readonly why: string
  declare readonly retryAfterMs: number

  constructor(fields: OpenErrorFields) {
    const { breaker, state, why, retryAfterMs, cause } = fields
    super(
      `breaker "${breaker}" ${ADVICE[state]} (${why}): the call did not run. Come back in ${retryAfterMs} ms`,
      cause === undefined ? undefined : { cause },
    )
    // Assigned, not declared with values: defining nine fields would take half as long again as all the rest.
    this.code = 'ERR_BREAKER_OPEN'
    this.retryable = true
    this.outcome = 'not-run'
    this.breaker = breaker
    this.state = state
    this.scope = fields.scope
    this.epoch = fields.epoch
    this.why = why
    this.retryAfterMs = retryAfterMs
  }
}

/** Makes the error without walking the stack, which would cost more than all the rest of a rejection. */
export function openError(fields: OpenErrorFields): BreakerOpenError {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return new BreakerOpenError(fields)
  } finally {
    Error.stackTraceLimit = limit
  }
}

/** The attempt took longer than `attemptTimeoutMs`. It was told to stop; it may still have run, or run on. */
export class BreakerTimeoutError extends BreakerError {
  override get name(): string {
    return 'BreakerTimeoutError'
  }
  readonly code = 'ERR_BREAKER_TIMEOUT'
  readonly retryable = true
  readonly outcome = 'unknown'
  readonly breaker: string
  readonly attemptTimeoutMs: number

  constructor(breaker: string, attemptTimeoutMs: number) {
    super(
      `breaker "${breaker}": the call did not end within ${attemptTimeoutMs} ms; nobody knows whether it ran. ` +
        'Repeat it only if it is idempotent, or look its outcome up',
    )
    this.breaker = breaker
    this.attemptTimeoutMs = attemptTimeoutMs
  }
}

/** An order, a release or a reading of the history did not reach Redis, or nobody knows whether it did. */
export class BreakerStoreError extends BreakerError {
  override get name(): string {
    return 'BreakerStoreError'
  }
  readonly code = 'ERR_BREAKER_STORE'
  readonly retryable = true
  readonly outcome: BreakerErrorOutcome
  readonly breaker: string

  constructor(breaker: string, action: string, outcome: BreakerErrorOutcome, cause: unknown) {
    super(
      `breaker "${breaker}": ${action} ${outcome === 'not-run' ? 'did not reach Redis' : 'may or may not have reached Redis'}. ` +
        'Repeat it when Redis is back; a repeat does no harm',
      { cause },
    )
    this.breaker = breaker
    this.outcome = outcome
  }
}

/** An option or an argument is out of bounds, unknown, or contradicts another one. `field` names it. */
export class BreakerOptionsError extends BreakerError {
  override get name(): string {
    return 'BreakerOptionsError'
  }
  readonly code = 'ERR_BREAKER_OPTIONS'
  readonly retryable = false
  readonly outcome = 'not-run'
  readonly field: string

  constructor(field: string, problem: string, cause?: unknown) {
    super(`breaker option ${field}: ${problem}`, cause === undefined ? undefined : { cause })
    this.field = field
  }
}

/** One more name than `maxNames`, or a 17th holder of an order. */
export class BreakerLimitError extends BreakerError {
  override get name(): string {
    return 'BreakerLimitError'
  }
  readonly code = 'ERR_BREAKER_LIMIT'
  readonly retryable = false
  readonly outcome = 'not-run'
  readonly what: 'names' | 'holders'
  readonly limit: number

  constructor(what: 'names' | 'holders', limit: number) {
    super(
      what === 'names'
        ? `there are ${limit} breakers already. Names come from a closed set: take them from code, never from input`
        : `${limit} holders have orders already. Release one of theirs first`,
    )
    this.what = what
    this.limit = limit
  }
}

/** A reset was asked for while orders are in force. `orders` are these. */
export class BreakerHeldError extends BreakerError {
  override get name(): string {
    return 'BreakerHeldError'
  }
  readonly code = 'ERR_BREAKER_HELD'
  readonly retryable = false
  readonly outcome = 'not-run'
  readonly breaker: string
  readonly orders: readonly OverrideOrder[]

  constructor(breaker: string, orders: readonly OverrideOrder[]) {
    super(
      `breaker "${breaker}" is held by ${orders.length} order(s) and cannot be reset. Release them first, or wait for their end`,
    )
    this.breaker = breaker
    this.orders = orders
  }
}

/** The breaker was disposed of. */
export class BreakerDisposedError extends BreakerError {
  override get name(): string {
    return 'BreakerDisposedError'
  }
  readonly code = 'ERR_BREAKER_DISPOSED'
  readonly retryable = false
  readonly outcome = 'not-run'
  readonly breaker: string

  constructor(breaker: string) {
    super(
      `breaker "${breaker}" was disposed of: the call did not run. Create a new breaker, or end the calls before it`,
    )
    this.breaker = breaker
  }
}

/** Whether `error` is a rejection by a breaker, of this copy of the package or another one: told by its code. */
export function isBreakerOpenError(error: unknown): error is BreakerOpenError {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'ERR_BREAKER_OPEN'
}
