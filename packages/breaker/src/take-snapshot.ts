import { admittedShare } from './admission.ts'
import { FAILED, IGNORED, OK, REJECTED, SLOW, TIMED_OUT, epochOf } from './core.ts'
import type { Core } from './core.ts'
import { forcedBy } from './orders.ts'
import { opensNow } from './own-part.ts'
import type { BreakerSnapshot } from './snapshot.ts'
import { fastCounts, longCounts } from './window.ts'

/** A copy of everything, at `nowMs`. `refresh` has run. */
export function takeSnapshot(core: Core, nowMs: number): BreakerSnapshot {
  const { options, standing, totals, windows, fleet } = core
  const total = (cell: number): number => totals[cell] as number
  return {
    version: 1,
    name: options.name,
    instance: options.instance,
    mode: options.mode,
    state: standing.state,
    epoch: epochOf(core),
    scope: standing.scope,
    opens:
      standing.scope === 'fleet' && fleet !== null ? fleet.opens : opensNow(core.own, nowMs, options.coolOff.forgiveMs),
    dueInMs: dueInMs(core, nowMs),
    admittedShare: admittedShare(core, nowMs),
    inFlight: core.inFlight,
    windows: { long: longCounts(windows, nowMs), fast: fastCounts(windows, nowMs) },
    store: fleet === null ? 'none' : core.link?.status === 'up' ? 'up' : 'away',
    orders: core.held.filter(({ endsMs }) => endsMs > nowMs).map(({ order }) => ({ ...order })),
    totals: {
      ok: total(OK),
      failed: total(FAILED),
      slow: total(SLOW),
      ignored: total(IGNORED),
      rejected: total(REJECTED),
      timedOut: total(TIMED_OUT),
    },
    fleet: fleet?.members ? { ...fleet.members } : null,
    takenAtMs: options.clock.now(),
  }
}

function dueInMs(core: Core, nowMs: number): number {
  const { standing, own, fleet } = core
  if (standing.scope === 'operator') return Math.max(0, (forcedBy(core.held, nowMs)?.endsMs ?? nowMs) - nowMs)
  const phase = standing.scope === 'fleet' && fleet !== null ? fleet.phase : own.phase
  switch (phase.kind) {
    case 'open':
      return Math.max(0, phase.dueMs - nowMs)
    case 'ramping':
      return Math.max(0, phase.endsMs - nowMs)
    case 'closed':
    case 'half-open':
    case 'forced-open':
    case 'disabled':
      break
  }
  return 0
}
