import type { Engine } from './engine.ts'

/** One call's patience: `waitMs` in all, whatever it waits for. */
export interface Waiting {
  fits(delayMs: number): boolean
  leftMs(): number
  sleep(delayMs: number, signal: AbortSignal | undefined): Promise<void>
  /** Sleeps 20 ms, doubling to 250 ms, +-50 %. @returns false when there is no patience left */
  poll(signal: AbortSignal | undefined): Promise<boolean>
  /** Starts anew with short polls, after progress by someone else. */
  reset(): void
}

const FIRST_POLL_MS = 20
const MAX_POLL_MS = 250

export function createWaiting({ clock, random }: Engine, waitMs: number): Waiting {
  let spentMs = 0
  let pollMs = FIRST_POLL_MS
  async function sleep(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
    const startedMs = clock.monotonic()
    try {
      await clock.sleep(delayMs, signal ? { signal } : {})
    } finally {
      spentMs += Math.max(delayMs, clock.monotonic() - startedMs)
    }
  }
  return {
    fits: delayMs => spentMs + delayMs <= waitMs,
    leftMs: () => Math.max(0, waitMs - spentMs),
    sleep,
    async poll(signal) {
      const leftMs = waitMs - spentMs
      if (leftMs <= 0) return false
      await sleep(Math.min(leftMs, pollMs * (0.5 + random.float())), signal)
      pollMs = Math.min(pollMs * 2, MAX_POLL_MS)
      return true
    },
    reset() {
      pollMs = FIRST_POLL_MS
    },
  }
}
