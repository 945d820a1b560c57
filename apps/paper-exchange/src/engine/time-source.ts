/** Where a timeline's two times come from: a real clock, or a hand that moves them. */
export interface TimeSource {
  readonly mode: 'real' | 'manual'
  /** Whole ms since the start; never goes back. */
  steadyMs(): number
  /** Server time without skew, whole ms since the epoch. */
  serverMs(): number
  /** Manual only: moves both times forward to a steady time. */
  moveTo(steadyMs: number): void
  follow(readMs: () => number): void
  hold(): void
}

/** A source that stands still at `startMs`. */
export function createTimeSource(startMs: number): TimeSource {
  let steady = 0
  let origin = Math.floor(startMs)
  let real: { readMs: () => number; sinceMs: number; fromMs: number } | undefined

  const steadyMs = (): number => {
    // A real clock that is set back holds steady time still until it catches up.
    if (real !== undefined) steady = Math.max(steady, real.fromMs + Math.floor(real.readMs()) - real.sinceMs)
    return steady
  }
  const serverMs = (): number => (real === undefined ? origin + steady : Math.floor(real.readMs()))

  return {
    get mode() {
      return real === undefined ? 'manual' : 'real'
    },
    steadyMs,
    serverMs,
    moveTo: to => {
      steady = Math.max(steady, to)
    },
    follow: readMs => {
      real = { readMs, sinceMs: Math.floor(readMs()), fromMs: steadyMs() }
    },
    hold: () => {
      origin = serverMs() - steadyMs()
      real = undefined
    },
  }
}
