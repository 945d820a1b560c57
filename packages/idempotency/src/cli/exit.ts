import { IdempotencyError } from '../errors.ts'

/**
 * 0 done, 1 not found, refused or not readable, 2 usage, 3 store unreachable, outcome unknown or stdout not writable;
 * 130 stopped by Ctrl-C, 143 by SIGTERM.
 */
export type ExitCode = 0 | 1 | 2 | 3 | 130 | 143

/** Ends a command with one line. */
export class CliError extends Error {
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode, message: string) {
    super(message)
    this.exitCode = exitCode
  }
}

/** What is wrong in one line, and the code it ends with. */
export function explain(error: unknown): { readonly exitCode: ExitCode; readonly line: string } {
  if (error instanceof CliError) return { exitCode: error.exitCode, line: error.message }
  if (error instanceof IdempotencyError) return { exitCode: exitCodeOf(error), line: lineOf(error) }
  const code = (error as { code?: unknown } | null)?.code
  if (code === 'ERR_REDIS_TARGET' || code === 'ERR_REDIS_OPTIONS' || code === 'ERR_REDIS_KEY') {
    return { exitCode: 2, line: messageOf(error) }
  }
  if (typeof code === 'string' && code.startsWith('ERR_REDIS_')) return { exitCode: 3, line: messageOf(error) }
  return { exitCode: 3, line: `unexpected: ${messageOf(error)}` }
}

function exitCodeOf({ code }: IdempotencyError): ExitCode {
  switch (code) {
    case 'ERR_IDEMPOTENCY_OPTIONS':
    case 'ERR_IDEMPOTENCY_KEY':
    case 'ERR_IDEMPOTENCY_FINGERPRINT':
      return 2
    case 'ERR_IDEMPOTENCY_VERDICT':
    case 'ERR_IDEMPOTENCY_FORMAT':
      return 1
    case 'ERR_IDEMPOTENCY_CLOSED':
    case 'ERR_IDEMPOTENCY_BUSY':
    case 'ERR_IDEMPOTENCY_MISMATCH':
    case 'ERR_IDEMPOTENCY_IN_DOUBT':
    case 'ERR_IDEMPOTENCY_LEASE_LOST':
    case 'ERR_IDEMPOTENCY_STORE':
    case 'ERR_IDEMPOTENCY_NOT_DURABLE':
    case 'ERR_IDEMPOTENCY_FAILED':
    case 'ERR_IDEMPOTENCY_RESULT':
    case 'ERR_IDEMPOTENCY_RESULT_NOT_KEPT':
      break
  }
  return 3
}

/** The store's own word belongs to it: "did not answer" alone sends nobody to the right place. */
function lineOf(error: IdempotencyError): string {
  if (error.code !== 'ERR_IDEMPOTENCY_STORE') return error.message
  const unknown = error.outcome === 'unknown' ? '; whether it took effect is not known, inspect the record' : ''
  return `${error.message}${error.cause === undefined ? '' : ` (${messageOf(error.cause)})`}${unknown}`
}

function messageOf(error: unknown): string {
  return oneLine(error instanceof Error ? error.message : String(error))
}

export function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}
