import { z } from 'zod'

import { NO_ATTEMPT, tell } from './engine.ts'
import type { Engine, Subject } from './engine.ts'
import { closedError, IdempotencyError } from './errors.ts'
import type { CallOptions } from './operator.ts'
import { bounded, check } from './options.ts'
import { createSweep } from './sweeping.ts'
import type { Swept } from './sweeping.ts'

export interface SweeperOptions {
  /** Milliseconds between sweeps, +-20 %, 10..3600000. @default 5000 */
  intervalMs?: number | undefined
  /** Records looked at at a time, 1..64. @default 4 */
  concurrency?: number | undefined
  /** Milliseconds after which a doubt is reported each minute, 1..604800000. @default 60000 */
  stuckAfterMs?: number | undefined
}

export interface Sweeper extends AsyncDisposable {
  /**
   * One sweep over all buckets, now. Disposal ends it.
   *
   * @throws `ERR_IDEMPOTENCY_STORE`, CLOSED after disposal; the abort reason; at its end, what else failed at some records
   */
  sweepOnce(options?: CallOptions): Promise<Swept>
}

const OPTIONS = z.strictObject({
  intervalMs: bounded(10, 3_600_000).optional(),
  concurrency: bounded(1, 64).optional(),
  stuckAfterMs: bounded(1, 604_800_000).optional(),
})

const NOBODY: Subject = { place: { effect: '', part: '', tag: '' }, key: '', computeId: () => '', id: '' }

/** Finds what nobody waits for any more: lapsed claims, doubts, reconcilers that died. Any process may sweep. */
export function startSweeper(engine: Engine, options: SweeperOptions = {}): Sweeper {
  const { intervalMs = 5000, concurrency = 4, stuckAfterMs = 60_000 } = check(OPTIONS, options)
  const { clock, random } = engine
  const sweep = createSweep(engine, { intervalMs, concurrency, stuckAfterMs })
  const stopped = new AbortController()
  const asked = new Set<Promise<Swept>>()
  let timer: { cancel(): void } | undefined
  let turning: Promise<void> = Promise.resolve()
  let warned = false

  function schedule(): void {
    if (stopped.signal.aborted) return
    const delayMs = intervalMs * (0.8 + 0.4 * random.float())
    const run = (): void => {
      turning = turn()
    }
    timer = clock.setTimeout(run, delayMs, { ref: false })
  }

  async function turn(): Promise<void> {
    try {
      await sweep(stopped.signal)
    } catch (error) {
      // The next turn tries again.
      for (const one of error instanceof AggregateError ? error.errors : [error]) report(one)
    }
    schedule()
  }

  function report(error: unknown): void {
    if (error === stopped.signal.reason) return
    if (error instanceof IdempotencyError && error.code === 'ERR_IDEMPOTENCY_STORE') {
      const refused = !error.retryable
      if (!stopped.signal.aborted) tell(engine, NOBODY, NO_ATTEMPT, { type: 'store-down', step: 'sweep', refused })
      return
    }
    // No call waits for a turn, and no event is about a fault in the code: the process is told, once.
    if (warned) return
    warned = true
    process.emitWarning(error instanceof Error ? (error.stack ?? error.message) : String(error), 'SafetyWarning')
  }

  schedule()
  return {
    async sweepOnce({ signal } = {}) {
      stopped.signal.throwIfAborted()
      const sweeping = sweep(signal ? AbortSignal.any([signal, stopped.signal]) : stopped.signal)
      asked.add(sweeping)
      try {
        return await sweeping
      } finally {
        asked.delete(sweeping)
      }
    },
    async [Symbol.asyncDispose]() {
      stopped.abort(closedError('this sweeper was stopped. Start a new one'))
      timer?.cancel()
      await Promise.allSettled([turning, ...asked])
    },
  }
}
