import type { Clock } from '../clock.ts'

/** A clock that stands still until a test moves it. */
export interface ManualClock extends Clock {
  /**
   * Moves time forward by `ms` (0 or more). Timers fire in due order, equal ones in the order they were set, each at exactly
   * its due time; all microtasks and one turn of the event loop run before the first timer, after each timer, and at the
   * end. A timer set on the way fires too when it falls due inside the span. Two calls in a row without awaiting add up.
   * A timer that throws rejects the call; time then stands at that timer.
   */
  advance(ms: number): Promise<void>
  /** Timers that are set and have neither fired nor been cancelled. */
  readonly pending: number
}

interface Timer {
  dueMs: number
  order: number
  run: () => void
}

// Taken at import, so that a test which fakes the global timers can still move this clock.
const nextTurn = setImmediate

function settle(): Promise<void> {
  return new Promise(resolve => nextTurn(resolve))
}

/** Timers ordered by due time, then by the order in which they were set. */
function createTimerQueue() {
  const timers: Timer[] = []
  const position = (timer: Timer): number => {
    let low = 0
    let high = timers.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = timers[middle] as Timer
      const before = other.dueMs < timer.dueMs || (other.dueMs === timer.dueMs && other.order < timer.order)
      if (before) low = middle + 1
      else high = middle
    }
    return low
  }
  return {
    add(timer: Timer): void {
      timers.splice(position(timer), 0, timer)
    },
    remove(timer: Timer): boolean {
      const index = position(timer)
      if (timers[index] !== timer) return false
      timers.splice(index, 1)
      return true
    },
    takeDue(untilMs: number): Timer | undefined {
      const first = timers[0]
      return first !== undefined && first.dueMs <= untilMs ? timers.shift() : undefined
    },
    size: (): number => timers.length,
  }
}

/**
 * A {@link Clock} for tests: nothing happens until `advance`.
 *
 * @param options.startMs first value of `now()`, milliseconds since 1970. @default 1700000000000; `monotonic()` starts at 0
 * @example
 * const clock = createManualClock()
 * const slept = clock.sleep(1000)
 * await clock.advance(1000)
 * await slept
 */
export function createManualClock(options: { startMs?: number } = {}): ManualClock {
  const startMs = options.startMs ?? 1_700_000_000_000
  if (!Number.isFinite(startMs)) throw new RangeError('startMs must be a finite number of milliseconds')
  const queue = createTimerQueue()
  let elapsedMs = 0
  let horizonMs = 0
  let order = 0

  const set = (run: () => void, delayMs: number): { cancel(): void } => {
    const timer: Timer = { dueMs: elapsedMs + (delayMs > 0 ? delayMs : 0), order: order++, run }
    queue.add(timer)
    return { cancel: () => void queue.remove(timer) }
  }

  return {
    now: () => startMs + elapsedMs,
    monotonic: () => elapsedMs,
    setTimeout: set,
    sleep(delayMs, { signal } = {}) {
      if (signal?.aborted === true) return Promise.reject(signal.reason)
      return new Promise((resolve, reject) => {
        const abort = (): void => {
          timer.cancel()
          reject(signal?.reason)
        }
        const timer = set(() => {
          signal?.removeEventListener('abort', abort)
          resolve()
        }, delayMs)
        signal?.addEventListener('abort', abort, { once: true })
      })
    },
    async advance(ms) {
      if (!(ms >= 0) || ms === Infinity)
        throw new RangeError('advance takes a finite number of milliseconds, 0 or more')
      horizonMs = Math.max(horizonMs, elapsedMs) + ms
      const targetMs = horizonMs
      await settle()
      for (let timer = queue.takeDue(targetMs); timer !== undefined; timer = queue.takeDue(targetMs)) {
        elapsedMs = Math.max(elapsedMs, timer.dueMs)
        try {
          timer.run()
        } catch (error) {
          horizonMs = elapsedMs
          throw error
        }
        await settle()
      }
      elapsedMs = Math.max(elapsedMs, targetMs)
      await settle()
    },
    get pending() {
      return queue.size()
    },
  }
}
