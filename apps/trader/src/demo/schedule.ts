import type { Clock } from '@safety/redis-core'

export interface TimedAction {
  /** Milliseconds after the start of the schedule. */
  readonly atMs: number
  run(): void | Promise<void>
}

/**
 * Runs the actions in order of time and does not wait for one before it starts the next.
 *
 * @returns when all have ended
 * @throws the first error of an action, or `signal.reason` when aborted
 */
export async function runSchedule(
  actions: readonly TimedAction[],
  clock: Clock,
  options: { startMs: number; signal: AbortSignal },
): Promise<void> {
  const failure = new AbortController()
  const signal = AbortSignal.any([options.signal, failure.signal])
  const running: Promise<void>[] = []
  for (const action of actions.toSorted((a, b) => a.atMs - b.atMs)) {
    const waitMs = options.startMs + action.atMs - clock.monotonic()
    if (waitMs > 0) await clock.sleep(waitMs, { signal })
    signal.throwIfAborted()
    const started = Promise.resolve().then(() => action.run())
    started.catch((error: unknown) => failure.abort(error))
    running.push(started)
  }
  await Promise.all(running)
}
