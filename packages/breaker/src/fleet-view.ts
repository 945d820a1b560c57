import type { BreakerState } from './breaker-state.ts'

/** The state as Redis holds it; ramping is closed with an end ahead. */
export type SharedState = Exclude<BreakerState, 'ramping'>

/** What this process knows of the fleet's part. Times are monotonic ms. */
export interface FleetView {
  /** The highest epoch adopted; 0 until the first reply. */
  epoch: number
  phase: FleetPhase
  opens: number
  why: string
  members: { readonly alive: number; readonly active: number; readonly failing: number } | null
  /** Server time of the newest reply or message, so that an older one cannot bring old orders back. */
  seenServerMs: number
  /** Redis is away and the fleet was open: the own part tries recovery in its place. */
  standIn: boolean
}

export type FleetPhase =
  | { readonly kind: 'closed' | 'half-open' }
  | { readonly kind: 'ramping'; readonly endsMs: number }
  | { readonly kind: 'open'; readonly dueMs: number }
  /** Holds as long as an order is in force. */
  | { readonly kind: 'forced-open' | 'disabled' }

export function createFleetView(): FleetView {
  return {
    epoch: 0,
    phase: { kind: 'closed' },
    opens: 0,
    why: '',
    members: null,
    seenServerMs: 0,
    standIn: false,
  }
}

/** The shared state with `leftMs` to its end, on this process's clock. */
export function fleetPhase(state: SharedState, leftMs: number, nowMs: number, longestMs: number): FleetPhase {
  switch (state) {
    case 'closed':
      return leftMs > 0 ? { kind: 'ramping', endsMs: nowMs + leftMs } : { kind: 'closed' }
    case 'open':
      // No honest cool-off is longer: the server's clock went back.
      return { kind: 'open', dueMs: nowMs + Math.min(Math.max(0, leftMs), longestMs) }
    case 'half-open':
    case 'forced-open':
    case 'disabled':
      break
  }
  return { kind: state }
}

/** The way back: what a process tells Redis it knows. */
export function sharedState(view: FleetView, nowMs: number): { state: SharedState; leftMs: number } {
  const { phase } = view
  switch (phase.kind) {
    case 'ramping':
      return { state: 'closed', leftMs: Math.max(0, Math.round(phase.endsMs - nowMs)) }
    case 'open':
      return { state: 'open', leftMs: Math.max(0, Math.round(phase.dueMs - nowMs)) }
    case 'closed':
    case 'half-open':
      return { state: phase.kind, leftMs: 0 }
    case 'forced-open':
    case 'disabled':
      break
  }
  // The orders go along and set it again; without them it is over.
  return { state: 'closed', leftMs: 0 }
}
