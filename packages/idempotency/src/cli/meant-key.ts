import type { Idempotency } from '../idempotency.ts'
import { CliError } from './exit.ts'
import { unescaped } from './shown-text.ts'

/**
 * The key that KEY names: the text itself or, where only that has a record, the text that is shown so. Escapes that are
 * two records at once are refused, as a verdict must not fall on either by chance.
 */
export async function meantKey(idem: Idempotency, effect: string, given: string, signal: AbortSignal): Promise<string> {
  const shown = unescaped(given)
  if (shown === given || !shown.isWellFormed() || shown.trim() === '') return given
  const [itself, behind] = [
    await idem.inspect(effect, given, { signal }),
    await idem.inspect(effect, shown, { signal }),
  ]
  if (itself && behind) {
    const what = 'KEY is two records: one has this text, of the other it is what list shows'
    throw new CliError(1, `${what}. For the first write \\u{5c} for the backslash, for the other its own characters`)
  }
  return behind ? shown : given
}
