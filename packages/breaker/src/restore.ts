import { restand } from './core.ts'
import type { Core } from './core.ts'
import { fleetPhase } from './fleet-view.ts'
import type { SharedState } from './fleet-view.ts'
import type { OwnPhase } from './own-part.ts'
import type { Restorable } from './snapshot.ts'

const LONGEST = 1.5

/**
 * Starts where a snapshot left off: open keeps the rest of its cool-off by the wall clock, half-open becomes open and due,
 * a ramp goes on, orders hold to their ends. Windows are empty. Redis overrules it as soon as it answers with a higher epoch.
 */
export function restoreFrom(core: Core, snapshot: Restorable): void {
  const { clock, coolOff, ramp } = core.options
  const nowMs = clock.monotonic()
  const wallMs = clock.now()
  const restMs = Math.max(0, snapshot.dueInMs - Math.max(0, wallMs - snapshot.takenAtMs))
  const leftMs = Math.min(restMs, LONGEST * Math.max(coolOff.maxMs, ramp?.lengthMs ?? 0))
  core.held = snapshot.orders
    .filter(order => order.ends > wallMs)
    .map(order => ({ order: { ...order }, endsMs: nowMs + (order.ends - wallMs), here: core.fleet === null }))
  const ruled = snapshot.state === 'forced-open' || snapshot.state === 'disabled'
  const state: SharedState | 'ramping' = ruled ? 'closed' : snapshot.state
  if (core.fleet !== null && snapshot.scope !== 'process') {
    const shared = state === 'ramping' ? 'closed' : state === 'half-open' ? 'open' : state
    const restLeftMs = state === 'ramping' || state === 'open' ? leftMs : 0
    core.fleet.epoch = snapshot.epoch
    core.fleet.opens = snapshot.opens
    core.fleet.phase = fleetPhase(shared, restLeftMs, nowMs, LONGEST * coolOff.maxMs)
  } else {
    core.own.phase = ownPhase(state, leftMs, nowMs, ramp !== null)
    core.own.opens = snapshot.opens
    core.ownEpoch = snapshot.epoch
  }
  core.why = 'restored'
  restand(core, nowMs)
  core.told = core.standing.state
}

function ownPhase(state: SharedState | 'ramping', leftMs: number, nowMs: number, ramps: boolean): OwnPhase {
  if (state === 'open') return { kind: 'open', dueMs: nowMs + leftMs }
  if (state === 'half-open') return { kind: 'open', dueMs: nowMs }
  if (state === 'ramping' && ramps && leftMs > 0) return { kind: 'ramping', endsMs: nowMs + leftMs }
  return { kind: 'closed' }
}
