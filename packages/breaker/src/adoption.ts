import type { BreakerScope } from './breaker-state.ts'
import { epochOf, limitsShown, restand, tell, tellMove } from './core.ts'
import type { Core, Origin } from './core.ts'
import { topErrors } from './error-tally.ts'
import type { BreakerEventFacts } from './events.ts'
import { fleetPhase } from './fleet-view.ts'
import type { FleetView } from './fleet-view.ts'
import { replaceFleetOrders } from './orders.ts'
import type { OrderChanges } from './orders.ts'
import { resetOwn } from './own-part.ts'
import type { SharedMove, SharedPart } from './store.ts'
import type { Who } from './who.ts'
import { clearWindows, dropEvidence } from './window.ts'

/** The longest honest cool-off, in `coolOff.maxMs`. */
const LONGEST = 1.5
/** A server clock that went back by more than this is believed at once. */
const CLOCK_STEP_MS = 5_000

/** News of the shared part. */
export interface News {
  /** A reply shows that Redis is back: the own part stands in for the fleet no longer, whatever the epoch. */
  readonly from: 'reply' | 'message'
  readonly shared: SharedPart
  readonly move: SharedMove | null
  /** What of it a script of this process did: the move, ending orders, and which order it set (`*`: any that is new). */
  readonly here: { readonly moved: boolean; readonly ended: boolean; readonly set: string | null }
  /** Who released what is missing among the orders, where the news say so. */
  readonly released: Who | null
}

/**
 * Takes over the shared part if its epoch is higher, and the orders at an equal one. Returns whether it was a move.
 */
export function adopt(core: Core, news: News, nowMs: number): boolean {
  const { fleet } = core
  const { shared } = news
  if (fleet === null || shared.epoch < fleet.epoch) return false
  const higher = shared.epoch > fleet.epoch || (fleet.standIn && news.from === 'reply')
  const known = shared.epoch === fleet.epoch
  if (!higher && isOlder(fleet, shared.nowMs)) return false
  fleet.seenServerMs = shared.nowMs
  const changes = replaceFleetOrders(core.held, shared.orders, nowMs, shared.nowMs)
  core.held = changes.held
  const moved = higher && take(core, fleet, news, nowMs)
  restand(core, nowMs)
  tellOrders(core, changes, news)
  if (moved && !(known && core.told === core.standing.state)) tellShared(core, fleet, news, nowMs)
  return moved
}

// Messages and replies travel on two connections and can overtake each other.
function isOlder(fleet: FleetView, serverMs: number): boolean {
  return serverMs < fleet.seenServerMs && serverMs > fleet.seenServerMs - CLOCK_STEP_MS
}

/** False when all that happened is that this process learnt of a closed fleet. */
function take(core: Core, fleet: FleetView, { shared, move }: News, nowMs: number): boolean {
  const { options, own } = core
  const leftMs = shared.untilMs > 0 ? shared.untilMs - shared.nowMs : 0
  const phase = fleetPhase(shared.state, leftMs, nowMs, LONGEST * options.coolOff.maxMs)
  const first = fleet.epoch === 0 && phase.kind === 'closed'
  const lets = fleet.phase.kind === 'closed' || fleet.phase.kind === 'ramping'
  if (lets && phase.kind === 'open' && core.standing.state === 'closed') core.openedMs = nowMs
  fleet.epoch = shared.epoch
  fleet.phase = phase
  fleet.opens = shared.opens
  fleet.why = move?.why ?? ''
  fleet.standIn = false
  if (first) return false
  core.diffusion.carried = 0
  core.why = fleet.why
  // For an advisory breaker the fleet's part is a hint: its own part goes on.
  if (options.mode === 'advisory') {
    dropEvidence(core.windows)
    return true
  }
  core.generation += 1
  clearWindows(core.windows)
  resetOwn(own, nowMs)
  return true
}

function origin(core: Core, scope: BreakerScope, first: boolean): Origin {
  return { scope, epoch: core.fleet?.epoch ?? epochOf(core), first }
}

function tellOrders(core: Core, changes: OrderChanges, { shared, here, released }: News): void {
  for (const order of changes.ended) {
    const how = order.ends <= shared.nowMs ? 'expired' : 'released'
    const { by, reason } = how === 'released' && released !== null ? released : order
    tell(core, origin(core, 'operator', here.ended), () => ({ type: 'override-ended', order, how, by, reason }))
  }
  for (const order of changes.set) {
    const first = here.set === '*' || here.set === order.id
    tell(core, origin(core, 'operator', first), () => ({ type: 'override-set', order }))
  }
}

const OPERATORS: ReadonlySet<string> = new Set(['forced', 'released', 'override-expired', 'reset'])

function tellShared(core: Core, fleet: FleetView, news: News, nowMs: number): void {
  const scope = OPERATORS.has(fleet.why) ? 'operator' : 'fleet'
  tellMove(core, origin(core, scope, news.here.moved), () => factsOf(core, fleet, news, nowMs))
  if (fleet.phase.kind === 'open' || fleet.phase.kind === 'closed') core.tally = null
}

function factsOf(core: Core, fleet: FleetView, { shared, move }: News, nowMs: number): BreakerEventFacts {
  const why = fleet.why
  const openForMs = nowMs - core.openedMs
  switch (fleet.phase.kind) {
    case 'open':
      return {
        type: 'opened',
        why,
        coolOffMs: fleet.phase.dueMs - nowMs,
        opens: fleet.opens,
        windows: move?.windows ?? null,
        limits: limitsShown(core),
        fleet: move?.members ?? fleet.members,
        errors: topErrors(core.tally),
      }
    case 'half-open':
      return { type: 'half-opened', why, openForMs }
    case 'ramping':
      return { type: 'ramped', why, openForMs }
    case 'closed':
      return { type: 'closed', why, openForMs }
    case 'forced-open':
    case 'disabled':
      break
  }
  return { type: 'forced', by: move?.by ?? '', reason: move?.reason ?? '', ends: shared.untilMs }
}
