export type StartExit = 2 | 3 | 4

/** The trader cannot start: 2 configuration, 3 Redis unsafe or away, 4 exchange away. */
export class StartError extends Error {
  readonly code = 'ERR_TRADER_START'
  readonly outcome = 'not-run'
  readonly retryable: boolean
  readonly exitCode: StartExit
  constructor(exitCode: StartExit, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'StartError'
    this.exitCode = exitCode
    this.retryable = exitCode !== 2
  }
}
