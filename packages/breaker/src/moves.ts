import { epochOf, limitsShown, remember, restand, tell, tellFact, tellMove } from './core.ts'
import type { Core, Origin } from './core.ts'
import { topErrors } from './error-tally.ts'
import { forcedBy } from './orders.ts'
import { endRamp, halfOpenOwn, openOwn, resetOwn, settleSlot } from './own-part.ts'
import type { ProbeVerdict, Slot } from './own-part.ts'
import { brokenRule, sharpened } from './rules.ts'
import type { Rule } from './rules.ts'
import type { WindowCounts } from './snapshot.ts'
import { clearOwnWindows, fastCounts, longCounts } from './window.ts'

/** Starts a new epoch of the own part: windows empty, calls under way count no more. */
function raise(core: Core): void {
  core.ownEpoch = epochOf(core) + 1
  core.generation += 1
  clearOwnWindows(core.windows)
}

function ownOrigin(core: Core): Origin {
  return { scope: 'process', epoch: core.ownEpoch, first: true }
}

/** Opens the own part if its windows meet a rule. After each failure and each slow call. */
export function judge(core: Core, nowMs: number): void {
  const { own, standing, windows } = core
  if (standing.scope === 'operator' || own.phase.kind === 'open' || own.phase.kind === 'half-open') return
  const long = longCounts(windows, nowMs)
  const fast = fastCounts(windows, nowMs)
  const rule = brokenRule(long, fast, isHinted(core, nowMs) ? sharpened(core.limits) : core.limits)
  if (rule !== null) trip(core, nowMs, rule, long, fast)
}

function isHinted({ options, fleet }: Core, nowMs: number): boolean {
  return options.mode === 'advisory' && fleet?.phase.kind === 'open' && nowMs < fleet.phase.dueMs
}

function trip(core: Core, nowMs: number, why: Rule, long: WindowCounts, fast: WindowCounts | null): void {
  const { options, own } = core
  const from = core.standing.state
  const rate = ((long.ok + long.failed) * 1_000) / options.windows.long.lengthMs
  const waitMs = openOwn(own, nowMs, rate, options)
  raise(core)
  if (from === 'closed') core.openedMs = nowMs
  core.why = why
  restand(core, nowMs)
  remember(core, { kind: 'moved', from, why, by: options.instance })
  tellOpened(core, why, waitMs, { long, fast })
  core.link?.report(nowMs)
}

function tellOpened(
  core: Core,
  why: string,
  coolOffMs: number,
  windows: { long: WindowCounts; fast: WindowCounts | null } | null,
): void {
  tellMove(core, ownOrigin(core), () => ({
    type: 'opened',
    why,
    coolOffMs,
    opens: core.own.opens,
    windows,
    limits: limitsShown(core),
    fleet: core.fleet?.members ?? null,
    errors: topErrors(core.tally),
  }))
  core.tally = null
}

/** The own cool-off is over and a call has come. */
export function beginProbing(core: Core, nowMs: number): void {
  const from = core.standing.state
  halfOpenOwn(core.own)
  raise(core)
  restand(core, nowMs)
  remember(core, { kind: 'moved', from, why: 'cool-off-over', by: core.options.instance })
  tellMove(core, ownOrigin(core), () => ({
    type: 'half-opened',
    why: 'cool-off-over',
    openForMs: nowMs - core.openedMs,
  }))
  core.link?.report(nowMs)
}

/** A probe of the own part has ended. */
export function endProbe(core: Core, slot: Slot, result: ProbeVerdict, nowMs: number, durationMs: number): void {
  const { own, options } = core
  const from = core.standing.state
  const before = own.phase
  const effect = settleSlot(own, slot, result, nowMs, options)
  const passed = before.kind === 'half-open' ? before.passed : 0
  const late = effect === 'late'
  tellFact(core, () => ({ type: 'probed', result, late, durationMs, passed, needed: options.halfOpen.successes }))
  if (effect === 'reopened') {
    raise(core)
    core.why = 'probe-failed'
    restand(core, nowMs)
    remember(core, { kind: 'moved', from, why: 'probe-failed', by: options.instance })
    tellOpened(core, 'probe-failed', own.phase.kind === 'open' ? own.phase.dueMs - nowMs : 0, null)
    core.link?.report(nowMs)
  } else if (effect === 'recovered') {
    raise(core)
    recovered(core, nowMs, from, 'probes-passed')
  }
}

/** The own part lets calls through again: at once, or along a ramp. */
function recovered(core: Core, nowMs: number, from: Core['standing']['state'], why: string): void {
  core.diffusion.carried = 0
  core.tally = null
  restand(core, nowMs)
  remember(core, { kind: 'moved', from, why, by: core.options.instance })
  const type = core.own.phase.kind === 'ramping' ? 'ramped' : 'closed'
  tellMove(core, ownOrigin(core), () => ({ type, why, openForMs: nowMs - core.openedMs }))
  core.link?.report(nowMs)
}

/** An operator closes this process's own part. */
export function resetHere(core: Core, nowMs: number, by: string, reason: string): void {
  const from = core.standing.state
  resetOwn(core.own, nowMs)
  core.own.opens = 0
  raise(core)
  core.tally = null
  restand(core, nowMs)
  remember(core, { kind: 'moved', from, why: 'reset', by, reason })
  const origin: Origin = { scope: 'operator', epoch: core.ownEpoch, first: true }
  tellMove(core, origin, () => ({ type: 'closed', why: 'reset', openForMs: nowMs - core.openedMs }))
}

/** Does what time alone has decided: ramps that ended, orders that ended. No timer does it: whoever looks does. */
export function refresh(core: Core, nowMs: number): void {
  const { own, fleet } = core
  if (core.held.length > 0) refreshOrders(core, nowMs)
  if (own.phase.kind === 'ramping' && own.phase.endsMs <= nowMs) {
    endRamp(own)
    raise(core)
    recovered(core, nowMs, 'ramping', 'ramp-over')
  }
  if (fleet !== null && fleet.phase.kind === 'ramping' && fleet.phase.endsMs <= nowMs) {
    fleet.phase = { kind: 'closed' }
    restand(core, nowMs)
    const origin: Origin = { scope: 'fleet', epoch: fleet.epoch, first: false }
    tellMove(core, origin, () => ({ type: 'closed', why: 'ramp-over', openForMs: nowMs - core.openedMs }))
  }
}

/** While Redis answers, its script ends an order and tells of it; here it only stops to hold. */
function scriptTells(core: Core): boolean {
  return core.link?.status === 'up'
}

function refreshOrders(core: Core, nowMs: number): void {
  const silent = scriptTells(core)
  const over = core.held.filter(({ endsMs, here }) => endsMs <= nowMs && (here || !silent))
  if (over.length > 0) core.held = core.held.filter(held => !over.includes(held))
  for (const { order } of over) {
    remember(core, { kind: 'expired', by: order.by, reason: order.reason, target: order.target, ends: order.ends })
    const origin: Origin = { scope: 'operator', epoch: epochOf(core), first: true }
    tell(core, origin, () => ({ type: 'override-ended', order, how: 'expired', by: order.by, reason: order.reason }))
  }
  if (core.standing.scope === 'operator') ordersChanged(core, nowMs, 'override-expired', silent)
}

/**
 * Orders came or went in this process: a stricter one holds now, or a weaker one, or none. `silent`: the move is told when
 * the script that makes it says so.
 */
export function ordersChanged(
  core: Core,
  nowMs: number,
  why: 'forced' | 'released' | 'override-expired',
  silent = false,
): void {
  const from = core.standing.state
  const forced = forcedBy(core.held, nowMs)
  if (forced === null ? core.standing.scope !== 'operator' : from === forced.target) return
  resetOwn(core.own, nowMs)
  core.own.opens = 0
  raise(core)
  if (from === 'closed') core.openedMs = nowMs
  core.why = forced === null ? why : 'forced'
  restand(core, nowMs)
  core.link?.report(nowMs)
  if (silent) return
  const origin: Origin = { scope: 'operator', epoch: core.ownEpoch, first: true }
  if (forced === null) {
    remember(core, { kind: 'moved', from, why, by: core.options.instance })
    tellMove(core, origin, () => ({ type: 'closed', why, openForMs: nowMs - core.openedMs }))
    return
  }
  const { by, reason, ends } = forced.order
  remember(core, { kind: 'moved', from, why, by, reason })
  tellMove(core, origin, () => ({ type: 'forced', by, reason, ends }))
}
