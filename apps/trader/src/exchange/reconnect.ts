import type { Clock, Random } from '@safety/redis-core'

export interface Backoff {
  /** Milliseconds to wait before the next try: doubling from `minMs` to `maxMs`, each between half and full. */
  next(): number
  reset(): void
}

export function createBackoff(random: Random, minMs = 100, maxMs = 5000): Backoff {
  let tries = 0
  return {
    next() {
      const fullMs = Math.min(maxMs, minMs * 2 ** tries)
      tries += 1
      return fullMs * (0.5 + random.float() / 2)
    },
    reset() {
      tries = 0
    },
  }
}

export interface Delayed {
  /** Runs `step` after a delay, instead of the step that waits. */
  in(delayMs: number, step: () => void): void
  cancel(): void
}

/** Keeps at most one step waiting. */
export function createDelayed(clock: Clock): Delayed {
  let timer: { cancel(): void } | undefined
  return {
    in(delayMs, step) {
      timer?.cancel()
      timer = clock.setTimeout(step, delayMs, { ref: false })
    },
    cancel: () => timer?.cancel(),
  }
}
