import { classifyError, classifyValue } from './classify.ts'
import type { Hook, Verdict } from './classify.ts'
import { FAILED, IGNORED, OK, SLOW, TIMED_OUT, tellFact } from './core.ts'
import type { Core } from './core.ts'
import type { Ending } from './attempt.ts'
import { tallyError } from './error-tally.ts'
import { judge } from './moves.ts'
import { countCall } from './window.ts'

const HOOK_EVENT_MS = 60_000

/** Counts a call that returned normally, where no option asks about its value. The shortest way. */
export function countOk(core: Core, generation: number, startMs: number): void {
  const nowMs = core.clock.monotonic()
  core.totals[OK]! += 1
  if (nowMs - startMs >= core.slowMs) countSlow(core, generation, false, nowMs)
  else if (generation === core.generation) countCall(core.windows, nowMs, false, false)
}

function countSlow(core: Core, generation: number, failed: boolean, nowMs: number): void {
  core.totals[SLOW]! += 1
  if (generation !== core.generation) return
  countCall(core.windows, nowMs, failed, true)
  afterStrain(core, nowMs)
}

function countFailed(core: Core, generation: number, startMs: number): void {
  const nowMs = core.clock.monotonic()
  core.totals[FAILED]! += 1
  if (nowMs - startMs >= core.slowMs) return countSlow(core, generation, true, nowMs)
  if (generation !== core.generation) return
  countCall(core.windows, nowMs, true, false)
  afterStrain(core, nowMs)
}

function afterStrain(core: Core, nowMs: number): void {
  judge(core, nowMs)
  core.link?.counted(nowMs)
}

/** Counts a call that threw. `generation` is that of its beginning. */
export function countError(core: Core, error: unknown, generation: number, startMs: number): void {
  count(core, verdictOnError(core, error), error, generation, startMs)
}

/** Counts a call that returned `value`. */
export function countValue(core: Core, value: unknown, generation: number, startMs: number): void {
  count(core, classifyValue(value, core.options, hookFailed(core)), undefined, generation, startMs)
}

function count(core: Core, verdict: Verdict, error: unknown, generation: number, startMs: number): void {
  switch (verdict) {
    case 'ignored':
      core.totals[IGNORED]! += 1
      return
    case 'success':
      return countOk(core, generation, startMs)
    case 'failure':
      blame(core, error)
      return countFailed(core, generation, startMs)
  }
}

function blame(core: Core, error: unknown): void {
  if (error === undefined) return
  core.lastError = error
  core.tally ??= new Map()
  tallyError(core.tally, error)
}

function verdictOnError(core: Core, error: unknown): Verdict {
  return classifyError(error, core.options, hookFailed(core))
}

/** What an ending counts as; null when the caller gave up, which is neutral. */
export function verdictOn(core: Core, ending: Ending<unknown>): Verdict | null {
  switch (ending.kind) {
    case 'returned':
      return classifyValue(ending.value, core.options, hookFailed(core))
    case 'threw':
      return verdictOnError(core, ending.error)
    case 'timed-out':
      core.totals[TIMED_OUT]! += 1
      return 'failure'
    case 'aborted':
      break
  }
  return null
}

/** Counts an ending as `verdict`. */
export function countEnding(
  core: Core,
  ending: Ending<unknown>,
  verdict: Verdict | null,
  generation: number,
  startMs: number,
): void {
  if (verdict !== null) count(core, verdict, ending.kind === 'returned' ? undefined : ending.error, generation, startMs)
}

/** Counts an ending in the totals alone: its call was a probe, or ran only because the breaker is a shadow. */
export function countInTotals(core: Core, ending: Ending<unknown>, verdict: Verdict | null, slow: boolean): void {
  if (verdict === null) return
  core.totals[verdict === 'ignored' ? IGNORED : verdict === 'failure' ? FAILED : OK]! += 1
  if (verdict !== 'ignored' && slow) core.totals[SLOW]! += 1
  if (verdict === 'failure' && ending.kind !== 'returned') blame(core, ending.error)
}

function hookFailed(core: Core): (hook: Hook) => void {
  return hook => {
    const nowMs = core.clock.monotonic()
    const all = (core.hookFailures ??= new Map())
    const failures = all.get(hook) ?? { unsaid: 0, saidMs: -Infinity }
    all.set(hook, failures)
    failures.unsaid += 1
    if (nowMs - failures.saidMs < HOOK_EVENT_MS) return
    const { unsaid } = failures
    failures.unsaid = 0
    failures.saidMs = nowMs
    tellFact(core, () => ({ type: 'hook-failed', hook, count: unsaid }))
  }
}
