import { afterDelay } from '@safety/redis-core'
import type { Clock } from '@safety/redis-core'

import { errorAbout, tell } from './engine.ts'
import type { AttemptFacts, Engine } from './engine.ts'
import type { IdempotencyError } from './errors.ts'
import type { Intent } from './intent.ts'
import { renewLease } from './renewal.ts'
import type { Attempt } from './recording.ts'

/** The right to execute, as this process can know it: by its own monotonic clock, from before the claim was sent. */
export interface Lease {
  /** Monotonic; a tenth of the lease before its end, when the effect is told unless a renewal came. */
  readonly deadlineMs: () => number
  /** The store says it is another's, or the deadline has passed. */
  over(): boolean
  /** Was it ever over while the effect ran? */
  readonly lost: boolean
  /** Renews if half of it has gone. */
  renewIfOld(): Promise<void> | undefined
  /** Renews every third of the lease, without keeping the process alive. */
  start(onLost: () => void): void
  stop(): void
}

export function createLease(engine: Engine, intent: Intent, attempt: Attempt, leaseFromMs: number): Lease {
  const { clock } = engine
  const { leaseMs } = intent.definition
  let fromMs = leaseFromMs
  let taken = false
  let lost = false
  let stopped = false
  let onLost: (() => void) | undefined
  const alarms = createAlarms(clock)

  const deadlineMs = (): number => fromMs + leaseMs - leaseMs / 10
  const over = (): boolean => taken || clock.monotonic() >= deadlineMs()

  function lose(state?: string): void {
    if (lost || stopped) return
    lost = true
    tell(engine, intent, attempt, { type: 'lease-lost', ...(state === undefined ? {} : { state }) })
    onLost?.()
  }

  /** @returns whether the lease was moved on */
  async function renew(): Promise<boolean> {
    const renewal = await renewLease(engine, intent, attempt)
    // A beat that was under way when the effect ended meets its own finish.
    if (stopped) return false
    if (renewal.kind === 'taken') {
      taken = true
      lose(renewal.state)
    }
    if (renewal.kind !== 'renewed') return false
    fromMs = Math.max(fromMs, renewal.sentAtMs)
    tell(engine, intent, attempt, { type: 'renewed', deadlineMs: epochOf(engine, deadlineMs()) })
    if (renewal.recreated) tell(engine, intent, attempt, { type: 'claim-lost' })
    return true
  }

  async function beat(): Promise<void> {
    watchEnd()
    const renewed = await renew()
    if (stopped || taken) return
    if (renewed) watchEnd()
    schedule(renewed ? untilThird() : leaseMs / 10)
  }

  // On a grid, so that the beats of many calls share one timer: each would cost as much as a hash, and most never come.
  const gridMs = leaseMs / 60
  const untilThird = (): number => Math.max(1, Math.floor(20 - (clock.monotonic() - fromMs) / gridMs)) * gridMs
  const schedule = (delayMs: number): void => alarms.set('beat', () => engine.background.track(beat()), delayMs)
  const watchEnd = (): void => alarms.set('end', () => (over() ? lose() : watchEnd()), deadlineMs() - clock.monotonic())

  return {
    deadlineMs,
    over,
    get lost() {
      return lost
    },
    renewIfOld() {
      return clock.monotonic() - fromMs < leaseMs / 2 ? undefined : renew().then(() => undefined)
    },
    // One timer is enough until the first beat, which comes long before the end.
    start(listener) {
      onLost = listener
      schedule(untilThird())
    },
    stop() {
      stopped = true
      alarms.cancel()
    },
  }
}

interface Alarms {
  set(name: 'beat' | 'end', run: () => void, delayMs: number): void
  cancel(): void
}

/** Two timers that are set anew again and again. Beside the effect's own time limit they keep nothing alive. */
function createAlarms(clock: Clock): Alarms {
  let beat: { cancel(): void } | undefined
  let end: { cancel(): void } | undefined
  return {
    set(name, run, delayMs) {
      if (name === 'beat') {
        beat?.cancel()
        beat = afterDelay(clock, Math.max(1, delayMs), run)
      } else {
        end?.cancel()
        end = clock.setTimeout(run, Math.max(1, delayMs), { ref: false })
      }
    },
    cancel() {
      beat?.cancel()
      end?.cancel()
    },
  }
}

/** A moment of the monotonic clock as people know it. */
export function epochOf({ clock }: Engine, monotonicMs: number): number {
  return Math.floor(clock.now() + monotonicMs - clock.monotonic())
}

/** Before dispatch nothing was sent and a retry helps; after it, nobody knows. */
export function leaseLostError(
  intent: Intent,
  { fence, attempt }: AttemptFacts,
  outcome: 'not-run' | 'unknown',
  fields: { cause?: unknown; storeError?: unknown } = {},
): IdempotencyError {
  const what =
    outcome === 'not-run'
      ? 'the lease was over before dispatch; nothing was sent. Retry, or choose a longer leaseMs'
      : 'the lease was lost while the effect ran. Look the key up before anything else'
  const retryable = outcome === 'not-run'
  return errorAbout(intent, 'ERR_IDEMPOTENCY_LEASE_LOST', what, { fence, attempt, outcome, retryable, ...fields })
}
