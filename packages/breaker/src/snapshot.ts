import { z } from 'zod'

import type { BreakerMode, BreakerScope, BreakerState } from './breaker-state.ts'
import { MAX_HOLDERS } from './orders.ts'
import { orderSchema } from './who.ts'
import type { OverrideOrder } from './who.ts'

/** Calls of a window or since the start. A slow call is also in `ok` or `failed`. */
export interface WindowCounts {
  readonly ok: number
  readonly failed: number
  readonly slow: number
}

/** Everything about a breaker at one moment: a deep copy in plain JSON, fit for a log, a console and `restore`. */
export interface BreakerSnapshot {
  readonly version: 1
  readonly name: string
  readonly instance: string
  readonly mode: BreakerMode
  readonly state: BreakerState
  /** Rises with each move. */
  readonly epoch: number
  /** Who decides. */
  readonly scope: BreakerScope
  /** Openings in a row, the exponent of the cool-off, less one per `coolOff.forgiveMs` closed. */
  readonly opens: number
  /** ms to the end of the cool-off, of the ramp, or of the last order; 0 when closed or due. */
  readonly dueInMs: number
  /** Share of the calls that is admitted now, 0 to 1. */
  readonly admittedShare: number
  readonly inFlight: number
  readonly windows: { readonly long: WindowCounts; readonly fast: WindowCounts | null }
  readonly store: 'none' | 'up' | 'away'
  readonly orders: readonly OverrideOrder[]
  readonly totals: WindowCounts & { readonly ignored: number; readonly rejected: number; readonly timedOut: number }
  /** As of the last reply from Redis. */
  readonly fleet: { readonly alive: number; readonly active: number; readonly failing: number } | null
  /** Wall clock, ms since 1970. */
  readonly takenAtMs: number
}

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)

/** What `restore` reads. */
export type Restorable = Pick<
  BreakerSnapshot,
  'version' | 'name' | 'state' | 'epoch' | 'scope' | 'opens' | 'dueInMs' | 'orders' | 'takenAtMs'
>

/** The rest of a snapshot may be anything, so that one of a later minor version still restores. */
export const restorableSchema: z.ZodType<Restorable> = z.looseObject({
  version: z.literal(1),
  name: z.string(),
  state: z.enum(['closed', 'ramping', 'open', 'half-open', 'forced-open', 'disabled']),
  epoch: count,
  scope: z.enum(['process', 'fleet', 'operator']),
  opens: count,
  dueInMs: z.number().min(0).max(Number.MAX_SAFE_INTEGER),
  orders: z.array(orderSchema).max(2 * MAX_HOLDERS),
  takenAtMs: z.number(),
})
