import type { Engine } from './engine.ts'

/** One call's patience: `waitMs` in all, whatever it waits for. */
export interface Waiting {
  readonly engine: Engine
  readonly waitMs: number
  spentMs: number
  pollMs: number
}

const FIRST_POLL_MS = 20
const MAX_POLL_MS = 250

export function createWaiting(engine: Engine, waitMs: number): Waiting {
  return { engine, waitMs, spentMs: 0, pollMs: FIRST_POLL_MS }
}

/** What is left of the patience, in milliseconds. */
export function waitLeftMs({ waitMs, spentMs }: Waiting): number {
  return Math.max(0, waitMs - spentMs)
}

export async function sleep(waiting: Waiting, delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  const { clock } = waiting.engine
  const startedMs = clock.monotonic()
  try {
    await clock.sleep(delayMs, signal ? { signal } : {})
  } finally {
    waiting.spentMs += Math.max(delayMs, clock.monotonic() - startedMs)
  }
}

/** Sleeps 20 ms, doubling to 250 ms, +-50 %. @returns false when there is no patience left */
export async function poll(waiting: Waiting, signal: AbortSignal | undefined): Promise<boolean> {
  const leftMs = waitLeftMs(waiting)
  if (leftMs <= 0) return false
  const { pollMs, engine } = waiting
  await sleep(waiting, Math.min(leftMs, pollMs * (0.5 + engine.random.float())), signal)
  waiting.pollMs = Math.min(pollMs * 2, MAX_POLL_MS)
  return true
}
