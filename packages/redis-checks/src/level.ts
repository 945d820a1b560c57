/** The kinds of service a Redis may give; each has its own caps per check. */
export type Profile = 'idempotency.strict' | 'idempotency.standard' | 'breaker' | 'cache'

/**
 * `pass`: not disproved. `info`: notable, or acknowledged. `warn`: a guarantee is weakened. `unknown`: could not be read.
 * `fail`: a guarantee is broken.
 */
export type Level = 'pass' | 'info' | 'warn' | 'unknown' | 'fail'

/** The highest level a check may reach in a profile; `off`: it is not run. */
export type Cap = 'fail' | 'warn' | 'info' | 'off'

export const PROFILES: readonly Profile[] = ['idempotency.strict', 'idempotency.standard', 'breaker', 'cache']

const SEVERITY: Record<Level, number> = { pass: 0, info: 1, warn: 2, unknown: 3, fail: 4 }
const CAP_LETTERS: Record<string, Cap> = { F: 'fail', W: 'warn', I: 'info', '.': 'off' }

/** 0 pass .. 4 fail, as the metric shows it. */
export function severityOf(level: Level): number {
  return SEVERITY[level]
}

/** `FFWI` as caps of strict, standard, breaker and cache. */
export function parseCaps(letters: string): Record<Profile, Cap> {
  const cap = (index: number): Cap => CAP_LETTERS[letters[index] ?? ''] ?? 'off'
  return { 'idempotency.strict': cap(0), 'idempotency.standard': cap(1), breaker: cap(2), cache: cap(3) }
}

/** `level`, lowered to `cap`. `pass` and `unknown` are not lowered. */
export function lowerTo(level: Level, cap: Cap): Level {
  if (level === 'pass' || level === 'unknown' || cap === 'off') return level
  return SEVERITY[level] > SEVERITY[cap] ? cap : level
}

/** What an unknown weighs: the lower of its check's cap and `unknownAs`. */
export function weightOfUnknown(cap: Cap, unknownAs: 'warn' | 'fail'): Exclude<Level, 'unknown'> {
  if (cap === 'off') return 'pass'
  return SEVERITY[cap] < SEVERITY[unknownAs] ? cap : unknownAs
}

/** The worst of levels that hold no unknown; `pass` of none. */
export function worstOf(levels: Iterable<Exclude<Level, 'unknown'>>): Exclude<Level, 'unknown'> {
  let worst: Exclude<Level, 'unknown'> = 'pass'
  for (const level of levels) if (SEVERITY[level] > SEVERITY[worst]) worst = level
  return worst
}
