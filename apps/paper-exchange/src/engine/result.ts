/** A refusal in the exchange's own words. */
export interface ExchangeError {
  /** Binance error code, e.g. -2010. */
  readonly code: number
  readonly msg: string
  /** HTTP status where it is not 400. */
  readonly status?: number
  /** How long until it may be asked again, ms; present with -1015. */
  readonly retryAfterMs?: number
}

export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: ExchangeError }

export function success<T>(value: T): Result<T> {
  return { ok: true, value }
}

export function refusal(
  code: number,
  msg: string,
  more: Pick<ExchangeError, 'status' | 'retryAfterMs'> = {},
): { readonly ok: false; readonly error: ExchangeError } {
  return { ok: false, error: { code, msg, ...more } }
}

/** Carries a refusal on, turns a success. */
export function mapResult<T, U>(result: Result<T>, turn: (value: T) => U): Result<U> {
  return result.ok ? success(turn(result.value)) : result
}
