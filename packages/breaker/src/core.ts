import type { Clock } from '@safety/redis-core'

import type { BreakerScope, BreakerState } from './breaker-state.ts'
import type { ErrorTally } from './error-tally.ts'
import { breakerChannel } from './events.ts'
import type { BreakerEvent, BreakerEventFacts, BreakerLimits } from './events.ts'
import type { FleetLink } from './fleet-link.ts'
import { createFleetView } from './fleet-view.ts'
import type { FleetView } from './fleet-view.ts'
import { MAX_RECORDS } from './history.ts'
import type { BreakerRecord } from './history.ts'
import type { ResolvedOptions } from './options.ts'
import { forcedBy } from './orders.ts'
import type { HeldOrder } from './orders.ts'
import { createOwnPart } from './own-part.ts'
import type { OwnPart } from './own-part.ts'
import type { Diffusion } from './ramp.ts'
import type { Thresholds } from './rules.ts'
import { createWindows } from './window.ts'
import type { Windows } from './window.ts'

/** What decides about calls now. */
export interface Standing {
  readonly state: BreakerState
  readonly scope: BreakerScope
}

const CLOSED: Standing = { state: 'closed', scope: 'process' }
const NONE: readonly never[] = []

/** Cells of `totals`. */
export const OK = 0
export const FAILED = 1
export const SLOW = 2
export const IGNORED = 3
export const REJECTED = 4
export const TIMED_OUT = 5
const TOTALS = 6

/** One breaker's data: the three parts, what was counted, what was told. Times are monotonic ms. */
export interface Core {
  readonly options: ResolvedOptions
  readonly clock: Clock
  readonly limits: Thresholds
  readonly slowMs: number
  readonly windows: Windows
  /** The first cells of the windows' array: so all counting of a call is in one. */
  readonly totals: Float64Array
  readonly own: OwnPart
  readonly fleet: FleetView | null
  readonly diffusion: Diffusion
  /** Made at the first failure. */
  tally: ErrorTally | null
  /** Without Redis the history is here. */
  records: readonly BreakerRecord[]
  readonly emit: (make: () => BreakerEvent) => void
  held: readonly HeldOrder[]
  link: FleetLink | null
  standing: Standing
  /** Every call may run at once, without a signal or a timer: nothing but counting is needed. */
  plain: boolean
  disposed: boolean
  inFlight: number
  /** Rises with every move of any part: a call counts only in the one it began in. */
  generation: number
  /** Of the own part; the one shown is the highest of both. */
  ownEpoch: number
  why: string
  openedMs: number
  lastError: unknown
  /** State in the last event of a move. */
  told: BreakerState
  unsaidRejections: number
  saidRejectionsMs: number
  /** Made at the first one. */
  hookFailures: Map<string, { unsaid: number; saidMs: number }> | null
}

export function createCore(options: ResolvedOptions): Core {
  const nowMs = options.clock.monotonic()
  const shared = options.redis !== null && options.mode !== 'local'
  const windows = createWindows({ ...options.windows, pooled: shared, reserved: TOTALS, nowMs })
  const limits: Thresholds = {
    minimumCalls: options.minimumCalls,
    failureRatio: options.failureRatio,
    slowRatio: options.slowCall?.ratio ?? null,
    fast: options.windows.fast,
  }
  return {
    options,
    clock: options.clock,
    limits,
    slowMs: options.slowCall?.thresholdMs ?? Infinity,
    windows,
    totals: windows.cells,
    own: createOwnPart(nowMs),
    fleet: shared ? createFleetView() : null,
    diffusion: { carried: 0 },
    tally: null,
    records: NONE,
    emit: breakerChannel.emitter(options.onEvent),
    held: NONE,
    link: null,
    standing: CLOSED,
    plain: options.attemptTimeoutMs === null,
    disposed: false,
    inFlight: 0,
    generation: 0,
    ownEpoch: 0,
    why: '',
    openedMs: nowMs,
    lastError: undefined,
    told: 'closed',
    unsaidRejections: 0,
    saidRejectionsMs: -Infinity,
    hookFailures: null,
  }
}

/** The fleet's part as it bears on calls here, or null: unknown, only a hint, or replaced by the own part. */
export function actingFleet(core: Core): FleetView | null {
  const { fleet } = core
  return fleet === null || fleet.epoch === 0 || fleet.standIn || core.options.mode === 'advisory' ? null : fleet
}

const STRICTNESS: Readonly<Record<BreakerState, number>> = {
  closed: 0,
  ramping: 1,
  'half-open': 2,
  open: 3,
  // Of the fleet's phase these say nothing by themselves: the orders do.
  'forced-open': 0,
  disabled: 0,
}

function standingAt(core: Core, nowMs: number): Standing {
  const forced = core.held.length === 0 ? null : forcedBy(core.held, nowMs)
  if (forced !== null) return { state: forced.target, scope: 'operator' }
  const own = core.own.phase.kind
  const fleet = actingFleet(core)
  if (fleet === null) return own === 'closed' ? CLOSED : { state: own, scope: 'process' }
  const { kind } = fleet.phase
  const difference = STRICTNESS[kind] - STRICTNESS[own]
  const fleetDecides = difference > 0 || (difference === 0 && fleet.epoch >= core.ownEpoch)
  if (!fleetDecides) return { state: own, scope: 'process' }
  return { state: kind === 'forced-open' || kind === 'disabled' ? 'closed' : kind, scope: 'fleet' }
}

/** Works out anew what decides about calls. To be called after every change of a part. */
export function restand(core: Core, nowMs: number): void {
  core.standing = standingAt(core, nowMs)
  const { options, standing, link } = core
  core.plain =
    standing.state === 'closed' && options.attemptTimeoutMs === null && !core.disposed && !(link?.asleep ?? false)
}

/** The highest epoch seen or made. */
export function epochOf(core: Core): number {
  return Math.max(core.ownEpoch, core.fleet?.epoch ?? 0)
}

/** Whose part moved, in which epoch, and whether this process is the one to tell of it. */
export interface Origin {
  readonly scope: BreakerScope
  readonly epoch: number
  readonly first: boolean
}

const IN_SHADOW: Readonly<Record<string, 'shadow-opened' | 'shadow-closed' | 'shadow-rejected'>> = {
  opened: 'shadow-opened',
  closed: 'shadow-closed',
  rejected: 'shadow-rejected',
}

/** Emits an event; `facts` are made only if someone listens. */
export function tell(core: Core, origin: Origin, facts: () => BreakerEventFacts): void {
  const { options, standing, told } = core
  core.emit(() => {
    const event = {
      id: `${options.name}@${origin.epoch}`,
      breaker: options.name,
      instance: options.instance,
      mode: options.mode,
      scope: origin.scope,
      state: standing.state,
      previous: told,
      epoch: origin.epoch,
      atMs: options.clock.now(),
      first: origin.first,
      ...facts(),
    } as BreakerEvent
    const type = options.mode === 'shadow' ? IN_SHADOW[event.type] : undefined
    return type === undefined ? event : ({ ...event, type } as BreakerEvent)
  })
}

/** As `tell`, for an event that is not a move. */
export function tellFact(core: Core, facts: () => BreakerEventFacts): void {
  tell(core, { scope: core.standing.scope, epoch: epochOf(core), first: true }, facts)
}

/** As `tell`, for a move: the next event's `previous` is the state now. */
export function tellMove(core: Core, origin: Origin, facts: () => BreakerEventFacts): void {
  tellRejections(core, core.saidRejectionsMs)
  tell(core, origin, facts)
  core.told = core.standing.state
}

/** Tells how many calls were rejected since it last told, under the state in which they were. */
export function tellRejections(core: Core, nowMs: number): void {
  const { unsaidRejections: count, standing, told } = core
  if (count === 0) return
  core.unsaidRejections = 0
  core.saidRejectionsMs = nowMs
  const rejected = { type: 'rejected', count, state: told } as BreakerEventFacts
  tell(core, { scope: standing.scope, epoch: epochOf(core), first: true }, () => rejected)
}

/** Keeps a record where no Redis does. */
export function remember(core: Core, record: Omit<BreakerRecord, 'atMs' | 'epoch' | 'state'>): void {
  if (core.fleet !== null) return
  const { state } = core.standing
  const added = { ...record, atMs: core.options.clock.now(), state, epoch: core.ownEpoch }
  core.records = [added, ...core.records.slice(0, MAX_RECORDS - 1)]
}

export function limitsShown({ limits }: Core): BreakerLimits {
  const { minimumCalls, failureRatio, slowRatio, fast } = limits
  const shownFast = fast && { minimumCalls: fast.minimumCalls, failureRatio: fast.failureRatio }
  return { minimumCalls, failureRatio, slowRatio, fast: shownFast }
}
