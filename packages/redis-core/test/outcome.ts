import { RedisCoreError } from '../src/index.ts'

/** How a call ended, and after how long. */
export interface Ended {
  readonly value?: unknown
  readonly error?: unknown
  readonly code?: string
  readonly elapsedMs: number
}

/** Waits for the end of a call, whatever it is. */
export async function endOf(call: Promise<unknown>): Promise<Ended> {
  const start = performance.now()
  try {
    const value = await call
    return { value, elapsedMs: performance.now() - start }
  } catch (error) {
    const elapsedMs = performance.now() - start
    return error instanceof RedisCoreError ? { error, code: error.code, elapsedMs } : { error, elapsedMs }
  }
}

/** Repeats `look` until it gives something else than `undefined`. */
export async function until<T>(
  look: () => T | undefined | Promise<T | undefined>,
  timeoutMs: number = 20_000,
): Promise<T> {
  const giveUp = performance.now() + timeoutMs
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (performance.now() > giveUp) throw new Error(`it did not come about within ${timeoutMs} ms`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

export function pause(delayMs: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, delayMs))
}
