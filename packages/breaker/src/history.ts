import type { BreakerState } from './breaker-state.ts'
import type { Who } from './who.ts'

/** One line of a breaker's history. */
export interface BreakerRecord extends Partial<Who> {
  readonly kind: 'moved' | 'reseeded' | 'ordered' | 'released' | 'expired'
  /** Redis server time, ms since 1970; without Redis this process's wall clock. */
  readonly atMs: number
  /** Of the shared part, after it. */
  readonly state: BreakerState
  readonly epoch: number
  readonly from?: BreakerState
  readonly why?: string
  /** Whose order was released. */
  readonly holder?: string
  readonly target?: string
  readonly ends?: number
}

/** Records kept, here and in Redis. */
export const MAX_RECORDS = 100
