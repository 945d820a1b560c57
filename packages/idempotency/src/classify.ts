export type ErrorClass = 'not-run' | 'failed' | 'unknown'

/** Connection errors that come before anything was sent. */
const NEVER_SENT: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT'])

/**
 * What an error says about its effect, read structurally: `outcome` as this family writes it (`ran` means it ended, and
 * ended failed), then the code of a connection that never came to be. `fetch` puts that code on the cause of a
 * TypeError; no other cause is looked at, for it may belong to another step. All else is unknown: an error after
 * sending proves nothing.
 */
export function classifyByShape(error: unknown): ErrorClass {
  if (typeof error !== 'object' || error === null) return 'unknown'
  const { outcome, code, cause } = error as { outcome?: unknown; code?: unknown; cause?: unknown }
  if (outcome === 'not-run') return 'not-run'
  if (outcome === 'ran') return 'failed'
  if (outcome === 'unknown') return 'unknown'
  if (NEVER_SENT.has(code)) return 'not-run'
  if (code !== undefined || !(error instanceof TypeError) || typeof cause !== 'object' || cause === null)
    return 'unknown'
  return NEVER_SENT.has((cause as { code?: unknown }).code) ? 'not-run' : 'unknown'
}

/** The effect's own classifier; what it throws, or answers beside the three words, counts as unknown. */
export function classifyEffectError(own: ((error: unknown) => ErrorClass) | undefined): (error: unknown) => ErrorClass {
  return error => {
    try {
      const answer = own ? own(error) : classifyByShape(error)
      return answer === 'not-run' || answer === 'failed' ? answer : 'unknown'
    } catch {
      return 'unknown'
    }
  }
}
