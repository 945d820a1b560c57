import type { WindowCounts } from './snapshot.ts'

/** A rule that opens a breaker. */
export type Rule = 'fast-failure-ratio' | 'failure-ratio' | 'slow-ratio'

export interface Thresholds {
  readonly minimumCalls: number
  readonly failureRatio: number
  /** null: slow calls open nothing. */
  readonly slowRatio: number | null
  readonly fast: { readonly minimumCalls: number; readonly failureRatio: number } | null
}

// Ratios are quotients, never products: 7 / 100 >= 0.07 holds in floating point, 7 >= 0.07 * 100 does not.

/** The first rule the windows meet, or null. */
export function brokenRule(long: WindowCounts, fast: WindowCounts | null, limits: Thresholds): Rule | null {
  if (fast !== null && limits.fast !== null) {
    const calls = fast.ok + fast.failed
    if (calls >= limits.fast.minimumCalls && fast.failed / calls >= limits.fast.failureRatio)
      return 'fast-failure-ratio'
  }
  const calls = long.ok + long.failed
  if (calls < limits.minimumCalls) return null
  if (long.failed / calls >= limits.failureRatio) return 'failure-ratio'
  if (limits.slowRatio !== null && long.slow / calls >= limits.slowRatio) return 'slow-ratio'
  return null
}

/** How near the windows are to a rule without its minimum: 1 is at the limit, by one failure or slow call at least. */
export function strain(long: WindowCounts, fast: WindowCounts | null, limits: Thresholds): number {
  const calls = long.ok + long.failed
  if (calls === 0) return 0
  let most = long.failed / calls / limits.failureRatio
  if (limits.slowRatio !== null) most = Math.max(most, long.slow / calls / limits.slowRatio)
  const fastCalls = fast === null ? 0 : fast.ok + fast.failed
  if (fast !== null && limits.fast !== null && fastCalls > 0) {
    most = Math.max(most, fast.failed / fastCalls / limits.fast.failureRatio)
  }
  return most
}

/** The minimums divided by 4, at least 2: what a hint from the fleet does. */
export function sharpened(limits: Thresholds): Thresholds {
  const quarter = (minimum: number): number => Math.max(2, Math.ceil(minimum / 4))
  return {
    ...limits,
    minimumCalls: Math.min(limits.minimumCalls, quarter(limits.minimumCalls)),
    fast: limits.fast && {
      ...limits.fast,
      minimumCalls: Math.min(limits.fast.minimumCalls, quarter(limits.fast.minimumCalls)),
    },
  }
}
