/** What is wrong with the way the exchange was started. */
export type PaperExchangeErrorCode = 'ERR_PAPER_OPTIONS' | 'ERR_PAPER_FILE' | 'ERR_PAPER_PORT'

/** Thrown before anything listens. A retry helps only for a taken port. */
export class PaperExchangeError extends Error {
  override readonly name = 'PaperExchangeError'
  readonly outcome = 'not-run'
  readonly retryable: boolean
  readonly code: PaperExchangeErrorCode

  constructor(code: PaperExchangeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.retryable = code === 'ERR_PAPER_PORT'
  }
}
