import { admit } from './admission.ts'
import type { Admission } from './admission.ts'
import { attempt, ordinaryCall } from './attempt.ts'
import type { Ending, Work } from './attempt.ts'
import { REJECTED, epochOf, tellRejections } from './core.ts'
import type { Core } from './core.ts'
import { countEnding, countError, countInTotals, countOk, countValue, verdictOn } from './count.ts'
import { BreakerDisposedError, openError } from './errors.ts'
import type { FleetSlot } from './fleet-link.ts'
import { endProbe, refresh } from './moves.ts'
import type { ProbeVerdict, Slot } from './own-part.ts'

const REJECTED_EVENT_MS = 1_000

/** Runs the work if the breaker admits it. */
export function run<T>(core: Core, work: Work<T>, signal: AbortSignal | undefined): Promise<T> {
  return core.plain && signal === undefined ? runPlain(core, work) : runGuarded(core, work, signal)
}

/** Closed, and nothing to watch: count, and hand the ending through. */
async function runPlain<T>(core: Core, work: Work<T>): Promise<T> {
  const { generation } = core
  const startMs = core.slowMs === Infinity ? Infinity : core.clock.monotonic()
  core.inFlight += 1
  let value: T
  try {
    value = await work(ordinaryCall)
  } catch (error) {
    core.inFlight -= 1
    countError(core, error, generation, startMs)
    throw error
  }
  core.inFlight -= 1
  if (core.options.classifyResult === null) countOk(core, generation, startMs)
  else countValue(core, value, generation, startMs)
  return value
}

// Not async, and rejecting without a throw: V8 spends ten times the rest of a rejection on finding where it was thrown.
function runGuarded<T>(core: Core, work: Work<T>, signal: AbortSignal | undefined): Promise<T> {
  if (core.disposed) return Promise.reject(new BreakerDisposedError(core.options.name))
  if (signal?.aborted) return Promise.reject(signal.reason)
  const nowMs = core.clock.monotonic()
  if (core.link?.asleep) core.link.wake(nowMs)
  refresh(core, nowMs)
  const admission = admit(core, nowMs)
  switch (admission.kind) {
    case 'counted':
      return runCounted(core, work, signal)
    case 'probe':
      return runOwnProbe(core, work, signal, admission.slot)
    case 'ask':
      return runAsking(core, work, signal)
    case 'rejected':
      break
  }
  return reject(core, work, signal, nowMs, admission.retryAfterMs)
}

async function runCounted<T>(core: Core, work: Work<T>, signal: AbortSignal | undefined): Promise<T> {
  const { generation } = core
  const startMs = core.clock.monotonic()
  const ending = await execute(core, work, signal, false)
  countEnding(core, ending, verdictOn(core, ending), generation, startMs)
  return unwrap(ending)
}

async function execute<T>(
  core: Core,
  work: Work<T>,
  signal: AbortSignal | undefined,
  probe: boolean,
): Promise<Ending<T>> {
  const { name, clock, attemptTimeoutMs } = core.options
  core.inFlight += 1
  try {
    return await attempt(work, { breaker: name, clock, signal, timeoutMs: attemptTimeoutMs, probe })
  } finally {
    core.inFlight -= 1
  }
}

function unwrap<T>(ending: Ending<T>): T {
  if (ending.kind === 'returned') return ending.value
  throw ending.error
}

async function runOwnProbe<T>(core: Core, work: Work<T>, signal: AbortSignal | undefined, slot: Slot): Promise<T> {
  return runProbe(core, work, signal, (verdict, durationMs, nowMs) => {
    refresh(core, nowMs)
    endProbe(core, slot, verdict, nowMs, durationMs)
  })
}

/** A probe counts in no window; a slow one has failed. */
async function runProbe<T>(
  core: Core,
  work: Work<T>,
  signal: AbortSignal | undefined,
  settle: (verdict: ProbeVerdict, durationMs: number, nowMs: number) => void,
): Promise<T> {
  const startMs = core.clock.monotonic()
  const ending = await execute(core, work, signal, true)
  const nowMs = core.clock.monotonic()
  const slow = nowMs - startMs >= core.slowMs
  const verdict = verdictOn(core, ending)
  countInTotals(core, ending, verdict, slow)
  const neutral = verdict === null || verdict === 'ignored'
  settle(neutral ? 'void' : verdict === 'failure' || slow ? 'failed' : 'ok', nowMs - startMs, nowMs)
  return unwrap(ending)
}

/** The one call that waits for Redis: it found the fleet's cool-off over. */
async function runAsking<T>(core: Core, work: Work<T>, signal: AbortSignal | undefined): Promise<T> {
  const asked = core.link === null ? Promise.resolve(null) : core.link.ask()
  const slot = signal === undefined ? await asked : await unlessAborted(core, asked, signal)
  const nowMs = core.clock.monotonic()
  if (slot !== null) return runFleetProbe(core, work, signal, slot)
  if (core.disposed) throw new BreakerDisposedError(core.options.name)
  refresh(core, nowMs)
  const admission = admit(core, nowMs)
  if (admission.kind === 'counted') return runCounted(core, work, signal)
  if (admission.kind === 'probe') return runOwnProbe(core, work, signal, admission.slot)
  return reject(core, work, signal, nowMs, retryAfter(admission))
}

function retryAfter(admission: Admission): number {
  return admission.kind === 'rejected' ? admission.retryAfterMs : 0
}

async function runFleetProbe<T>(
  core: Core,
  work: Work<T>,
  signal: AbortSignal | undefined,
  slot: FleetSlot,
): Promise<T> {
  return runProbe(core, work, signal, (verdict, durationMs) => core.link?.settle(slot, verdict, durationMs))
}

/** Rejects at once when the caller gives up; a slot that comes later is given back. */
function unlessAborted(core: Core, asked: Promise<FleetSlot | null>, signal: AbortSignal): Promise<FleetSlot | null> {
  return new Promise((resolve, rejectWith) => {
    let given = false
    const onAbort = (): void => {
      given = true
      rejectWith(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    asked.then(slot => {
      signal.removeEventListener('abort', onAbort)
      if (given && slot !== null) core.link?.settle(slot, 'void', 0)
      resolve(slot)
    }, rejectWith)
  })
}

function reject<T>(
  core: Core,
  work: Work<T>,
  signal: AbortSignal | undefined,
  nowMs: number,
  retryAfterMs: number,
): Promise<T> {
  core.totals[REJECTED]! += 1
  core.unsaidRejections += 1
  if (nowMs - core.saidRejectionsMs >= REJECTED_EVENT_MS) tellRejections(core, nowMs)
  if (core.options.mode === 'shadow') return runUncounted(core, work, signal)
  const { state, scope } = core.standing
  const { name: breaker } = core.options
  const { why, lastError: cause } = core
  return Promise.reject(openError({ breaker, state, scope, epoch: epochOf(core), why, retryAfterMs, cause }))
}

/** A shadow runs what it would have rejected, and counts it nowhere but in the totals. */
async function runUncounted<T>(core: Core, work: Work<T>, signal: AbortSignal | undefined): Promise<T> {
  const startMs = core.clock.monotonic()
  const ending = await execute(core, work, signal, false)
  const slow = core.clock.monotonic() - startMs >= core.slowMs
  countInTotals(core, ending, verdictOn(core, ending), slow)
  return unwrap(ending)
}
