/** The intent was not sent, or the exchange says it did not take it: asking again later with the same id is safe. */
export class NotPlacedError extends Error {
  readonly code = 'ERR_TRADER_NOT_PLACED'
  readonly outcome = 'not-run'
  readonly retryable = true
  /** From a closed set; safe as a label. */
  readonly reason: string
  readonly retryAfterMs: number
  constructor(reason: string, retryAfterMs: number) {
    super(`the order was not placed (${reason}); it may be tried again in ${Math.ceil(retryAfterMs)} ms`)
    this.name = 'NotPlacedError'
    this.reason = reason
    this.retryAfterMs = retryAfterMs
  }
}

/** The request left and nobody knows whether it became an order. Only evidence ends that, never a repeat. */
export class InDoubtError extends Error {
  readonly code = 'ERR_TRADER_IN_DOUBT'
  readonly outcome = 'unknown'
  readonly retryable = false
  readonly reason: string
  constructor(reason: string) {
    super(`whether the order was placed is not known (${reason}); it is being looked up`)
    this.name = 'InDoubtError'
    this.reason = reason
  }
}

/** The order was not cancelled, or nobody knows; asking again is safe. */
export class NotCancelledError extends Error {
  readonly code = 'ERR_TRADER_NOT_CANCELLED'
  readonly outcome: 'not-run' | 'unknown'
  readonly retryable = true
  readonly reason: string
  constructor(outcome: 'not-run' | 'unknown', reason: string) {
    super(`the order was not cancelled (${reason})`)
    this.name = 'NotCancelledError'
    this.outcome = outcome
    this.reason = reason
  }
}
