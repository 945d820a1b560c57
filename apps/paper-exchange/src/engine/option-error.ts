/** An engine option that cannot be used. A retry does not help: the option named in `field` must change. */
export class ExchangeOptionError extends Error {
  readonly code = 'ERR_PAPER_OPTIONS'
  readonly retryable = false
  readonly outcome = 'not-run'
  readonly field: string

  constructor(field: string, message: string) {
    super(`${field}: ${message}`)
    this.name = 'ExchangeOptionError'
    this.field = field
  }
}
