import type { Clock } from '@safety/redis-core'

export type RunKind = 'fast' | 'full'

/** Runs that never overlap: what is asked for during a run comes after it, once, the fuller kind winning. */
export interface RunQueue {
  /** Resolves after a run that began after the call. */
  readonly ask: (kind: RunKind) => Promise<void>
  /** A full run soon: gathered for a moment, and not more often than the limit. */
  trigger(): void
  close(): Promise<void>
}

const GATHER_MS = 250
const LEAST_BETWEEN_MS = 5000

export function createRunQueue(clock: Clock, run: (kind: RunKind) => Promise<void>): RunQueue {
  let running: Promise<void> | undefined
  let next: { kind: RunKind; promise: Promise<void> } | undefined
  let gathering: { cancel(): void } | undefined
  let lastTriggeredMs = Number.NEGATIVE_INFINITY
  let closed = false

  function begin(kind: RunKind): Promise<void> {
    const promise = run(kind).finally(() => {
      running = undefined
    })
    running = promise
    return promise
  }
  function ask(kind: RunKind): Promise<void> {
    if (closed) return Promise.resolve()
    if (running === undefined) return begin(kind)
    if (next !== undefined) {
      if (kind === 'full') next.kind = 'full'
      return next.promise
    }
    const waiting: { kind: RunKind; promise: Promise<void> } = { kind, promise: Promise.resolve() }
    waiting.promise = running.then(() => {
      next = undefined
      return closed ? undefined : begin(waiting.kind)
    })
    next = waiting
    return waiting.promise
  }
  return {
    ask,
    trigger() {
      if (closed || gathering !== undefined) return
      const dueMs = Math.max(GATHER_MS, lastTriggeredMs + LEAST_BETWEEN_MS - clock.monotonic())
      gathering = clock.setTimeout(
        () => {
          gathering = undefined
          lastTriggeredMs = clock.monotonic()
          void ask('full')
        },
        dueMs,
        { ref: false },
      )
    },
    async close() {
      closed = true
      gathering?.cancel()
      await (next?.promise ?? running)
    },
  }
}
