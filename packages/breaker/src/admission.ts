import { actingFleet } from './core.ts'
import type { Core } from './core.ts'
import { forcedBy } from './orders.ts'
import { beginProbing } from './moves.ts'
import { nextSlotInMs, takeSlot } from './own-part.ts'
import type { Slot } from './own-part.ts'
import { admitShare, rampShare } from './ramp.ts'

/** What becomes of one call. */
export type Admission =
  | { readonly kind: 'counted' }
  | { readonly kind: 'probe'; readonly slot: Slot }
  /** The fleet's cool-off is over: Redis says whether this call is a probe. */
  | { readonly kind: 'ask' }
  | { readonly kind: 'rejected'; readonly retryAfterMs: number }

const COUNTED: Admission = { kind: 'counted' }
const ASK: Admission = { kind: 'ask' }
const RAMP_RETRY_MS = 1_000
const ASKING_RETRY_MS = 250

/** Decides about a call that came now. `refresh` has run. */
export function admit(core: Core, nowMs: number): Admission {
  if (core.standing.scope === 'operator') return admitByOrder(core, nowMs)
  const fleet = actingFleet(core)
  if (fleet?.phase.kind === 'open' && nowMs < fleet.phase.dueMs) return rejected(fleet.phase.dueMs - nowMs)
  if (fleet?.phase.kind === 'open' || fleet?.phase.kind === 'half-open') return askOrWait(core, nowMs)
  return admitByOwn(core, nowMs)
}

function rejected(retryAfterMs: number): Admission {
  return { kind: 'rejected', retryAfterMs: Math.ceil(retryAfterMs) }
}

function admitByOrder(core: Core, nowMs: number): Admission {
  const forced = forcedBy(core.held, nowMs)
  return forced?.target === 'forced-open' ? rejected(forced.endsMs - nowMs) : COUNTED
}

function askOrWait({ link }: Core, nowMs: number): Admission {
  const waitMs = link?.askInMs(nowMs) ?? null
  if (waitMs === null) return rejected(ASKING_RETRY_MS)
  return waitMs > 0 ? rejected(waitMs) : ASK
}

function admitByOwn(core: Core, nowMs: number): Admission {
  const { own, options } = core
  if (own.phase.kind === 'open') {
    if (nowMs < own.phase.dueMs) return rejected(own.phase.dueMs - nowMs)
    beginProbing(core, nowMs)
  }
  if (own.phase.kind === 'half-open') {
    const slot = takeSlot(own, nowMs, options)
    return slot === null ? rejected(nextSlotInMs(own, nowMs)) : { kind: 'probe', slot }
  }
  const share = admittedShare(core, nowMs)
  return share >= 1 || admitShare(core.diffusion, share) ? COUNTED : rejected(RAMP_RETRY_MS)
}

/** The share of the calls that is let through now. */
export function admittedShare(core: Core, nowMs: number): number {
  const { options, standing } = core
  if (options.mode === 'shadow') return 1
  switch (standing.state) {
    case 'closed':
    case 'disabled':
      return 1
    case 'ramping':
      return rampingShare(core, nowMs)
    case 'open':
    case 'half-open':
    case 'forced-open':
      break
  }
  return 0
}

function rampingShare(core: Core, nowMs: number): number {
  const { ramp } = core.options
  if (ramp === null) return 1
  const phases = [core.own.phase, actingFleet(core)?.phase]
  const ends = phases.flatMap(phase => (phase?.kind === 'ramping' ? [phase.endsMs] : []))
  return rampShare(Math.max(...ends) - nowMs, ramp)
}
