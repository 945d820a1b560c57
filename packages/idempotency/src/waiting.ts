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

/** Sleeps, at the longest until disposal begins. @throws the caller's abort reason */
export async function sleep(waiting: Waiting, delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  const { engine } = waiting
  const startedMs = engine.clock.monotonic()
  try {
    await pause(engine, delayMs, signal)
  } finally {
    waiting.spentMs += Math.max(delayMs, engine.clock.monotonic() - startedMs)
  }
}

function pause({ clock, closing }: Engine, delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error)
    if (closing.aborted) return resolve()
    const timer = clock.setTimeout(onEnd, delayMs)
    function leave(): void {
      timer.cancel()
      closing.removeEventListener('abort', onEnd)
      signal?.removeEventListener('abort', onAbort)
    }
    function onEnd(): void {
      leave()
      resolve()
    }
    function onAbort(): void {
      leave()
      reject(signal?.reason as Error)
    }
    closing.addEventListener('abort', onEnd, { once: true })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** Sleeps 20 ms, doubling to 250 ms, +-50 %, or until disposal begins. @returns false when there is no patience left */
export async function poll(waiting: Waiting, signal: AbortSignal | undefined): Promise<boolean> {
  const leftMs = waitLeftMs(waiting)
  if (leftMs <= 0) return false
  const { pollMs, engine } = waiting
  await sleep(waiting, Math.min(leftMs, pollMs * (0.5 + engine.random.float())), signal)
  waiting.pollMs = Math.min(pollMs * 2, MAX_POLL_MS)
  return true
}
