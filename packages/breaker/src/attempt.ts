import type { Clock } from '@safety/redis-core'

import { BreakerTimeoutError } from './errors.ts'

/** What the work gets. */
export interface BreakerCall {
  /** Aborts when the caller aborts or `attemptTimeoutMs` is over. */
  readonly signal: AbortSignal
  /** This call decides about the recovery of a half-open breaker. */
  readonly probe: boolean
}

export type Work<T> = (call: BreakerCall) => T | PromiseLike<T>

/** How one attempt ended. What comes after the ending is ignored. */
export type Ending<T> =
  | { readonly kind: 'returned'; readonly value: T }
  | { readonly kind: 'threw'; readonly error: unknown }
  | { readonly kind: 'timed-out'; readonly error: BreakerTimeoutError }
  | { readonly kind: 'aborted'; readonly error: unknown }

// A signal that can never abort is made only when someone asks, and afresh each time: a shared one would gather listeners.
function quietCall(probe: boolean): BreakerCall {
  return Object.freeze({
    probe,
    get signal() {
      return new AbortController().signal
    },
  })
}

/** For calls that nothing can abort. */
export const ordinaryCall: BreakerCall = quietCall(false)
const probeCall = quietCall(true)

export interface AttemptLimits {
  readonly breaker: string
  readonly clock: Clock
  readonly signal: AbortSignal | undefined
  readonly timeoutMs: number | null
  readonly probe: boolean
}

/** Runs the work once and tells how it ended; never rejects, and leaves no timer and no listener behind. */
export async function attempt<T>(work: Work<T>, limits: AttemptLimits): Promise<Ending<T>> {
  if (limits.signal !== undefined || limits.timeoutMs !== null) return bounded(work, limits)
  try {
    return { kind: 'returned', value: await work(limits.probe ? probeCall : ordinaryCall) }
  } catch (error) {
    return { kind: 'threw', error }
  }
}

function bounded<T>(work: Work<T>, { breaker, clock, signal, timeoutMs, probe }: AttemptLimits): Promise<Ending<T>> {
  return new Promise(resolve => {
    const controller = timeoutMs === null ? null : new AbortController()
    const timer = timeoutMs === null ? null : clock.setTimeout(onTimeout, timeoutMs)
    signal?.addEventListener('abort', onAbort)

    function end(ending: Ending<T>): void {
      timer?.cancel()
      signal?.removeEventListener('abort', onAbort)
      resolve(ending)
    }
    function onAbort(): void {
      end({ kind: 'aborted', error: signal?.reason })
      controller?.abort(signal?.reason)
    }
    function onTimeout(): void {
      const error = new BreakerTimeoutError(breaker, timeoutMs ?? 0)
      end({ kind: 'timed-out', error })
      controller?.abort(error)
    }

    const callSignal = controller?.signal ?? signal
    const call = callSignal === undefined ? ordinaryCall : { signal: callSignal, probe }
    run(work, call).then(
      value => end({ kind: 'returned', value }),
      (error: unknown) => end({ kind: 'threw', error }),
    )
  })
}

async function run<T>(work: Work<T>, call: BreakerCall): Promise<T> {
  return work(call)
}
