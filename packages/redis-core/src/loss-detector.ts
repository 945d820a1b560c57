/** Tells from the counters of writing scripts whether the store lost acknowledged writes. */
export interface LossDetector {
  /** Highest counter seen in `scope`, 0 if none. Take it before sending. */
  mark(scope: string): number
  /**
   * Compares a script's counter with the mark taken before it was sent: `true` when the store lost writes this process
   * had seen acknowledged. The scope then starts anew at `counter`.
   */
  check(scope: string, mark: number, counter: number): boolean
}

/** The counter is `4096 * writes + nonce`; whoever creates it draws the nonce. */
const NONCE_RANGE = 4096

/**
 * A detector for one process. No false alarm under one primary, whatever order replies arrive in. Not complete: a
 * process that just started, or last wrote before the lost tail, sees nothing; eviction does not show. It keeps one
 * number per scope.
 */
export function createLossDetector(): LossDetector {
  const highest = new Map<string, number>()
  return {
    mark: scope => highest.get(scope) ?? 0,
    check(scope, mark, counter) {
      const seen = highest.get(scope) ?? 0
      const lost = mark > 0 && (nonce(mark) !== nonce(counter) || counter <= mark)
      // A mark the scope no longer holds was taken before another call noticed this same loss.
      const noticed = mark > seen || (mark > 0 && nonce(mark) !== nonce(seen))
      if (lost && !noticed) highest.set(scope, counter)
      else if (noticed && !lost) return false // a reply of the old store, overtaken by the new one's
      else if (seen === 0 || (counter > seen && nonce(counter) === nonce(seen))) highest.set(scope, counter)
      return lost
    },
  }
}

function nonce(counter: number): number {
  return counter % NONCE_RANGE
}
