import type { Core } from './core.ts'
import type { FleetSlot } from './fleet-link.ts'
import type { ProbeVerdict } from './own-part.ts'
import type { BreakerStore } from './store.ts'
import type { OverrideOrder } from './who.ts'
import type { Batch } from './window.ts'

/** Every script but the very first flush, which may wait for a connection. */
export const DEADLINE_MS = 250
export const FIRST_DEADLINE_MS = 1_000

/** A batch of evidence under the number by which Redis counts it once. */
export interface NumberedBatch {
  readonly number: number
  readonly batch: Batch
}

/** A verdict that is on its way to Redis. */
export interface Delivery {
  readonly slot: FleetSlot
  readonly verdict: ProbeVerdict
  readonly durationMs: number
}

/** An order or a reset that Redis does not have yet. */
export interface PendingCommand {
  readonly id: string
  readonly target: OverrideOrder['target'] | 'closed'
  readonly by: string
  readonly reason: string
  /** End of the order, monotonic ms; Infinity for a reset. */
  readonly endsMs: number
  /** It may have reached Redis. */
  left: boolean
}

/** One breaker's connection to the fleet. Times are monotonic ms. */
export interface LinkState {
  readonly core: Core
  readonly store: BreakerStore
  /** Sets the timer anew from `flushDueMs` and the orders' ends. */
  readonly plan: () => void
  /** Resolved at the first reply or failure. */
  readonly first: PromiseWithResolvers<'fleet' | 'local'>
  status: 'unknown' | 'up' | 'away'
  asleep: boolean
  awaySinceMs: number
  /** Flushes that failed in a row. */
  failures: number
  flushDueMs: number
  lastFlushMs: number
  flushing: Promise<void> | null
  batchNumber: number
  /** Sent, and nobody knows whether it was counted: it goes again, newer counts wait. */
  inDoubt: NumberedBatch | null
  callsSeen: number
  lastCallMs: number
  asking: boolean
  /** Of a PROBE whose reply is missing: asked again, it gets the same lease. */
  token: string | null
  askFromMs: number
  readonly slots: Set<FleetSlot>
  readonly undelivered: Delivery[]
  readonly commands: PendingCommand[]
  otherConfig: boolean
  /** Server time of the last re-seeding told. */
  reseededMs: number
}

/** Flushes at `dueMs` at the latest. */
export function pull(link: LinkState, dueMs: number): void {
  if (dueMs >= link.flushDueMs) return
  link.flushDueMs = dueMs
  link.plan()
}
