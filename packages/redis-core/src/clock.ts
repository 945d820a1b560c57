import { RedisCoreError } from './errors.ts'

/** The only source of time in this family. */
export interface Clock {
  /** Wall clock, milliseconds since 1970. May jump. */
  now(): number
  /** Milliseconds from an arbitrary start. Never goes back. */
  monotonic(): number
  /** Resolves after `delayMs`; rejects with `signal.reason` when aborted. */
  sleep(delayMs: number, options?: { signal?: AbortSignal }): Promise<void>
  /** Runs once after `delayMs`. `ref: false` does not keep the process alive. @default `ref: true` */
  setTimeout(run: () => void, delayMs: number, options?: { ref?: boolean }): ClockTimer
}

export interface ClockTimer {
  cancel(): void
  /** Says anew whether the timer keeps the process alive. A clock that cannot do that leaves it out. */
  ref?(keepsAlive: boolean): void
}

/** The longest delay of Node's own timers; beyond it they fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** The machine's clock. Delays of any length are kept; below 0 counts as 0. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep(delayMs, options) {
    const signal = options?.signal
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const timer = systemClock.setTimeout(() => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }, delayMs)
      function onAbort(): void {
        timer.cancel()
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  },
  setTimeout(run, delayMs, options) {
    const ref = options?.ref ?? true
    if (delayMs <= MAX_TIMER_MS) {
      const timer = setTimeout(run, delayMs)
      if (!ref) timer.unref()
      return {
        cancel: () => clearTimeout(timer),
        ref: keepsAlive => void (keepsAlive ? timer.ref() : timer.unref()),
      }
    }
    if (Number.isNaN(delayMs)) throw new RedisCoreError('ERR_REDIS_OPTIONS', 'delayMs is not a number')
    return longTimeout(run, delayMs, ref)
  },
}

function longTimeout(run: () => void, delayMs: number, ref: boolean): ClockTimer {
  let leftMs = delayMs
  let timer = step()
  function step(): NodeJS.Timeout {
    const stepMs = Math.min(leftMs, MAX_TIMER_MS)
    leftMs -= stepMs
    const next = setTimeout(() => (leftMs > 0 ? (timer = step()) : run()), stepMs)
    if (!ref) next.unref()
    return next
  }
  return { cancel: () => clearTimeout(timer) }
}

// Taken at import: tests that fake the timers of others must not stop the delivery of events.
const nextTurn = setImmediate

/** Runs in a later turn of the event loop, after pending input and output. */
export function inLaterTurn(run: () => void): void {
  nextTurn(run)
}
