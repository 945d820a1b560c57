import type { ErrorCount } from './events.ts'

// Names and codes come from outside; what is kept of them is bounded.
const MAX_KINDS = 64
const MAX_TEXT = 100

/** Which errors were counted since the last move, by name and code, never by message. */
export type ErrorTally = Map<string, { name: string; code: string | null; count: number }>

export function tallyError(tally: ErrorTally, error: unknown): void {
  const name = text(error, 'name') ?? typeof error
  const code = text(error, 'code')
  const key = `${name}\n${code ?? ''}`
  const entry = tally.get(key)
  if (entry !== undefined) entry.count += 1
  else if (tally.size < MAX_KINDS) tally.set(key, { name, code, count: 1 })
}

/** The three most frequent. */
export function topErrors(tally: ErrorTally | null): ErrorCount[] {
  return [...(tally?.values() ?? [])]
    .sort((a, b) => b.count - a.count)
    .slice(0, 3)
    .map(entry => ({ ...entry }))
}

function text(error: unknown, property: 'name' | 'code'): string | null {
  if (typeof error !== 'object' || error === null) return null
  try {
    const value = (error as Record<string, unknown>)[property]
    return typeof value === 'string' || typeof value === 'number' ? String(value).slice(0, MAX_TEXT) : null
  } catch {
    // A getter of the caller's error threw: it has no name for us.
    return null
  }
}
