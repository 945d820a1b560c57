import type { Clock } from '@safety/redis-core'

/** Work that goes on after its call has answered; what it cannot do it reports as events, never as a rejection. */
export interface Background {
  track(task: Promise<unknown>): void
  /** Resolves when nothing is left, at the latest after `timeoutMs`. */
  drain(timeoutMs: number): Promise<void>
}

export function createBackground(clock: Clock): Background {
  const running = new Set<Promise<void>>()
  return {
    track(task) {
      const settled: Promise<void> = task
        .then(
          () => undefined,
          () => undefined,
        )
        .finally(() => running.delete(settled))
      running.add(settled)
    },
    async drain(timeoutMs) {
      const endsAtMs = clock.monotonic() + timeoutMs
      while (running.size > 0) {
        const leftMs = endsAtMs - clock.monotonic()
        if (leftMs <= 0) return
        await within(clock, leftMs, Promise.all(running))
      }
    },
  }
}

async function within(clock: Clock, timeoutMs: number, work: Promise<unknown>): Promise<void> {
  let timer: { cancel(): void } | undefined
  const timeout = new Promise<void>(resolve => {
    timer = clock.setTimeout(resolve, timeoutMs)
  })
  try {
    await Promise.race([work, timeout])
  } finally {
    timer?.cancel()
  }
}
