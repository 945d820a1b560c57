/** Why a demo run ended without a judgement. The message is one line for the person at the terminal. */
export class DemoError extends Error {
  /** 2 wrong option or file; 3 no Redis, exchange or port. */
  readonly exitCode: 2 | 3

  constructor(message: string, exitCode: 2 | 3, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'DemoError'
    this.exitCode = exitCode
  }
}

/** The first line of what an error says, fit for a one-line message. */
export function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.split('\n', 1)[0]!.trim()
}
