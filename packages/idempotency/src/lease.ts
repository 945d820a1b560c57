import { afterDelay } from '@safety/redis-core'

import { errorAbout, tell } from './engine.ts'
import type { AttemptFacts, Engine } from './engine.ts'
import type { IdempotencyError } from './errors.ts'
import type { Intent } from './intent.ts'
import type { Attempt } from './recording.ts'
import { renewLease } from './renewal.ts'

interface Alarm {
  cancel(): void
}

/**
 * The right to execute, as this process can know it: by its own monotonic clock, from before the claim was sent. Plain
 * state, because every call has one: a closure per operation would cost as much as the claim's bookkeeping.
 */
export interface Lease {
  readonly engine: Engine
  readonly intent: Intent
  readonly attempt: Attempt
  /** Monotonic; the lease counts from here. */
  fromMs: number
  /** The store says it is another's. */
  taken: boolean
  /** Was it ever over while the effect ran? */
  lost: boolean
  stopped: boolean
  onLost: (() => void) | undefined
  /** The next renewal, and the end of the lease. Beside the effect's own time limit they keep nothing alive. */
  beat: Alarm | undefined
  end: Alarm | undefined
}

export function createLease(engine: Engine, intent: Intent, attempt: Attempt, fromMs: number): Lease {
  return {
    engine,
    intent,
    attempt,
    fromMs,
    taken: false,
    lost: false,
    stopped: false,
    onLost: undefined,
    beat: undefined,
    end: undefined,
  }
}

/** Monotonic; a tenth of the lease before its end, when the effect is told unless a renewal came. */
export function leaseDeadlineMs({ fromMs, intent }: Lease): number {
  const { leaseMs } = intent.definition
  return fromMs + leaseMs - leaseMs / 10
}

/** The store says it is another's, or the deadline has passed. */
export function isOver(lease: Lease): boolean {
  return lease.taken || lease.engine.clock.monotonic() >= leaseDeadlineMs(lease)
}

/** Renews if half of it has gone. */
export function renewIfOld(lease: Lease): Promise<unknown> | undefined {
  const ageMs = lease.engine.clock.monotonic() - lease.fromMs
  return ageMs < lease.intent.definition.leaseMs / 2 ? undefined : renew(lease)
}

/** Renews every third of the lease, without keeping the process alive. */
export function startLease(lease: Lease, onLost: () => void): void {
  lease.onLost = onLost
  // One timer is enough until the first beat, which comes long before the end.
  beatAfter(lease, untilThird(lease))
}

export function stopLease(lease: Lease): void {
  lease.stopped = true
  lease.beat?.cancel()
  lease.end?.cancel()
}

function lose(lease: Lease, state?: string): void {
  if (lease.lost || lease.stopped) return
  lease.lost = true
  const { engine, intent, attempt } = lease
  const { observe } = engine.options
  tell(engine, intent, attempt, { type: 'lease-lost', ...(state === undefined ? {} : { state }) }, observe)
  if (!observe) lease.onLost?.()
}

/** @returns whether the lease was moved on */
async function renew(lease: Lease): Promise<boolean> {
  const { engine, intent, attempt } = lease
  const renewal = await renewLease(engine, intent, attempt)
  // A beat that was under way when the effect ended meets its own finish.
  if (lease.stopped) return false
  if (renewal.kind === 'taken') {
    lease.taken = true
    lose(lease, renewal.state)
  }
  if (renewal.kind !== 'renewed') return false
  lease.fromMs = Math.max(lease.fromMs, renewal.sentAtMs)
  tell(engine, intent, attempt, { type: 'renewed', deadlineMs: epochOf(engine, leaseDeadlineMs(lease)) })
  if (renewal.recreated) tell(engine, intent, attempt, { type: 'claim-lost' })
  return true
}

async function beat(lease: Lease): Promise<void> {
  watchEnd(lease)
  const renewed = await renew(lease)
  if (lease.stopped || lease.taken) return
  if (renewed) watchEnd(lease)
  beatAfter(lease, renewed ? untilThird(lease) : lease.intent.definition.leaseMs / 10)
}

/** On a grid, so that the beats of many calls share one timer: each would cost as much as a hash, and most never come. */
function untilThird({ engine, intent, fromMs }: Lease): number {
  const gridMs = intent.definition.leaseMs / 60
  return Math.max(1, Math.floor(20 - (engine.clock.monotonic() - fromMs) / gridMs)) * gridMs
}

function beatAfter(lease: Lease, delayMs: number): void {
  const { clock, background } = lease.engine
  lease.beat?.cancel()
  lease.beat = afterDelay(clock, Math.max(1, delayMs), () => background.track(beat(lease)))
}

function watchEnd(lease: Lease): void {
  const { clock } = lease.engine
  const look = (): void => (isOver(lease) ? lose(lease) : watchEnd(lease))
  lease.end?.cancel()
  lease.end = clock.setTimeout(look, Math.max(1, leaseDeadlineMs(lease) - clock.monotonic()), { ref: false })
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
