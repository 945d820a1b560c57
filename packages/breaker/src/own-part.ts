import { coolOffMs, forgiven } from './cool-off.ts'
import type { ResolvedOptions } from './options.ts'

/** A probe's slot. Its object is its identity; after `endsMs` the slot is given again. */
export interface Slot {
  readonly endsMs: number
}

/** Where this process's own part stands. Times are monotonic ms. */
export type OwnPhase =
  | { readonly kind: 'closed' }
  | { readonly kind: 'ramping'; readonly endsMs: number }
  | { readonly kind: 'open'; readonly dueMs: number }
  | { readonly kind: 'half-open'; passed: number; failed: number; slots: Slot[] }

/** The state machine of one process, from its own windows. */
export interface OwnPart {
  phase: OwnPhase
  /** Openings in a row, before forgiving. */
  opens: number
  /** When it last opened, or began to let calls through again. */
  sinceMs: number
  /** Calls per second when it opened. */
  rate: number
}

export type ProbeVerdict = 'ok' | 'failed' | 'void'

/** What a probe's verdict did to the part. */
export type ProbeEffect = 'late' | 'counted' | 'reopened' | 'recovered'

const CLOSED: OwnPhase = { kind: 'closed' }

export function createOwnPart(nowMs: number): OwnPart {
  return { phase: CLOSED, opens: 0, sinceMs: nowMs, rate: 0 }
}

/** Openings in a row as of now. */
export function opensNow(own: OwnPart, nowMs: number, forgiveMs: number): number {
  const lets = own.phase.kind === 'closed' || own.phase.kind === 'ramping'
  return lets ? forgiven(own.opens, nowMs - own.sinceMs, forgiveMs) : own.opens
}

/** A rule was met. Returns the cool-off in ms. A trip in a ramp keeps the rate before it: the ramp itself held calls back. */
export function openOwn(own: OwnPart, nowMs: number, rate: number, options: ResolvedOptions): number {
  own.rate = own.phase.kind === 'ramping' ? Math.max(own.rate, rate) : rate
  own.opens = opensNow(own, nowMs, options.coolOff.forgiveMs)
  return reopen(own, nowMs, options)
}

function reopen(own: OwnPart, nowMs: number, options: ResolvedOptions): number {
  own.opens += 1
  const waitMs = coolOffMs(own.opens, options.coolOff, options.random)
  own.phase = { kind: 'open', dueMs: nowMs + waitMs }
  own.sinceMs = nowMs
  return waitMs
}

/** The cool-off is over and a call has come. */
export function halfOpenOwn(own: OwnPart): void {
  own.phase = { kind: 'half-open', passed: 0, failed: 0, slots: [] }
}

/** A slot for one probe, or null while all are taken. Hung probes lose theirs after `leaseMs`. */
export function takeSlot(own: OwnPart, nowMs: number, options: ResolvedOptions): Slot | null {
  const { phase } = own
  if (phase.kind !== 'half-open') return null
  if (phase.slots.length > 0) phase.slots = phase.slots.filter(slot => slot.endsMs > nowMs)
  if (phase.slots.length >= options.halfOpen.probes) return null
  const slot = { endsMs: nowMs + options.halfOpen.leaseMs }
  phase.slots.push(slot)
  return slot
}

/** The verdict of the probe in `slot`. Late: its slot was given again, or the half-open it belonged to is over. */
export function settleSlot(
  own: OwnPart,
  slot: Slot,
  verdict: ProbeVerdict,
  nowMs: number,
  options: ResolvedOptions,
): ProbeEffect {
  const { phase } = own
  if (phase.kind !== 'half-open' || !phase.slots.includes(slot) || slot.endsMs <= nowMs) return 'late'
  phase.slots = phase.slots.filter(other => other !== slot)
  if (verdict === 'failed') {
    phase.failed += 1
    if (phase.failed <= options.halfOpen.tolerated) return 'counted'
    reopen(own, nowMs, options)
    return 'reopened'
  }
  if (verdict === 'ok') phase.passed += 1
  if (phase.passed < options.halfOpen.successes) return 'counted'
  const { ramp } = options
  own.phase = ramp !== null && own.rate >= ramp.minRate ? { kind: 'ramping', endsMs: nowMs + ramp.lengthMs } : CLOSED
  own.sinceMs = nowMs
  return 'recovered'
}

/** The ramp has reached its end. Its time counts as closed. */
export function endRamp(own: OwnPart): void {
  own.phase = CLOSED
}

/** Someone else decided: back to closed. `opens` stays, so that the next cool-off remembers. */
export function resetOwn(own: OwnPart, nowMs: number): void {
  own.phase = CLOSED
  own.sinceMs = nowMs
}

/**
 * Redis went away while the fleet was open: this process tries recovery by itself, a random while after the others. How
 * much the fleet called is in Redis, so it comes back along a ramp.
 */
export function standInForFleet(own: OwnPart, dueMs: number, { halfOpen, ramp, random }: ResolvedOptions): void {
  own.phase = { kind: 'open', dueMs: dueMs + random.float() * halfOpen.leaseMs }
  own.rate = Math.max(own.rate, ramp?.minRate ?? 0)
}

/** ms until the next probe can be given a slot; 0 when one is free. */
export function nextSlotInMs(own: OwnPart, nowMs: number): number {
  if (own.phase.kind !== 'half-open') return 0
  return Math.max(0, Math.min(...own.phase.slots.map(slot => slot.endsMs)) - nowMs)
}
