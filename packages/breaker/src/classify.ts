import type { ResolvedOptions } from './options.ts'

/** What one ending of a call counts as. */
export type Verdict = 'success' | 'failure' | 'ignored'

export type Hook = 'isIgnored' | 'isFailure' | 'classifyResult'

/** An error counts as a failure unless the options say otherwise; a rejection by a breaker further in is ignored. */
export function classifyError(error: unknown, options: ResolvedOptions, failed: (hook: Hook) => void): Verdict {
  if (isOpen(error)) return 'ignored'
  const { isIgnored, isFailure } = options
  if (
    isIgnored !== null &&
    ask(
      () => isIgnored(error),
      false,
      () => failed('isIgnored'),
    )
  )
    return 'ignored'
  if (isFailure === null) return 'failure'
  return ask(
    () => isFailure(error),
    true,
    () => failed('isFailure'),
  )
    ? 'failure'
    : 'success'
}

/** A result counts as a success unless `classifyResult` says otherwise. */
export function classifyValue(value: unknown, options: ResolvedOptions, failed: (hook: Hook) => void): Verdict {
  const { classifyResult } = options
  if (classifyResult === null) return 'success'
  try {
    const verdict: unknown = classifyResult(value)
    if (verdict === 'success' || verdict === 'failure' || verdict === 'ignored') return verdict
  } catch {
    // Told below, like an answer that is none of the three.
  }
  failed('classifyResult')
  return 'success'
}

function ask(hook: () => unknown, otherwise: boolean, failed: () => void): boolean {
  try {
    return Boolean(hook())
  } catch {
    failed()
    return otherwise
  }
}

function isOpen(error: unknown): boolean {
  try {
    return (error as { code?: unknown } | null | undefined)?.code === 'ERR_BREAKER_OPEN'
  } catch {
    return false
  }
}
