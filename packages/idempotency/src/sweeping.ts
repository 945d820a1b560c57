import { tellDoubt } from './doubt.ts'
import { tell } from './engine.ts'
import { effectIdOf } from './engine.ts'
import type { Engine, Subject } from './engine.ts'
import { subjectOf } from './intent.ts'
import { ask } from './reading.ts'
import { reconcile } from './reconciliation.ts'
import type { Reconciled } from './reconciliation.ts'
import type { Mode } from './record.ts'
import type { Place } from './store.ts'

/** What one sweep came to: records looked at, verdicts, lapsed `repeat` claims set free, still in doubt. */
export interface Swept {
  looked: number
  resolved: number
  lapsed: number
  left: number
}

export interface SweepRules {
  readonly intervalMs: number
  readonly concurrency: number
  readonly stuckAfterMs: number
}

const REPORT_EVERY_MS = 60_000
const MAX_NEXT_MS = 60_000
const PER_BUCKET = 100
const MAX_REPORTED = 10_000

/** One sweep over all buckets. @throws `ERR_IDEMPOTENCY_STORE`; the abort reason */
export type Sweep = (signal: AbortSignal | undefined) => Promise<Swept>

/** A sweep that remembers which stuck doubts it reported. */
export function createSweep(engine: Engine, rules: SweepRules): Sweep {
  const report = createStuckReport(engine, rules)
  const look = async (place: Place, signal: AbortSignal | undefined): Promise<Partial<Swept>> => {
    const subject = subjectOf(engine.store, place)
    const definition = engine.definitions.get(place.effect)
    const looked = await reconcile(engine, subject, { definition, signal, nextMs: taken => nextMs(rules, taken) })
    report(subject, looked)
    return tally(looked)
  }
  return async signal => {
    const swept: Swept = { looked: 0, resolved: 0, lapsed: 0, left: 0 }
    const tags = [...engine.store.tags]
    const worker = async (): Promise<void> => {
      for (let tag = tags.pop(); tag !== undefined; tag = tags.pop()) {
        const bucket = tag
        for (const place of await ask(engine, signal, send => engine.store.due(bucket, PER_BUCKET, send))) {
          signal?.throwIfAborted()
          add(swept, await look(place, signal))
        }
      }
    }
    await Promise.all(Array.from({ length: rules.concurrency }, worker))
    return swept
  }
}

/** Lookups come less often as a doubt grows old; what nobody can look up comes back when there is something to report. */
function nextMs({ intervalMs, stuckAfterMs }: SweepRules, { mode, ageMs }: { mode: Mode; ageMs: number }): number {
  if (mode === 'reconcile') return Math.min(MAX_NEXT_MS, Math.max(intervalMs, ageMs / 2))
  return ageMs < stuckAfterMs ? Math.min(MAX_NEXT_MS, stuckAfterMs - ageMs + 1) : REPORT_EVERY_MS
}

function tally(looked: Reconciled): Partial<Swept> {
  switch (looked.kind) {
    case 'ran':
    case 'failed':
    case 'not-run':
      return { looked: 1, resolved: 1 }
    case 'lapsed':
      return { looked: 1, lapsed: 1 }
    case 'in-doubt':
    case 'store':
    case 'format':
      return { looked: 1, left: 1 }
    case 'other':
      break
  }
  return { looked: 1 }
}

function add(total: Swept, one: Partial<Swept>): void {
  for (const name of ['looked', 'resolved', 'lapsed', 'left'] as const) total[name] += one[name] ?? 0
}

/** Tells of a doubt that was first noticed here, and each minute of one that is older than `stuckAfterMs`. */
function createStuckReport(
  engine: Engine,
  { intervalMs, stuckAfterMs }: SweepRules,
): (subject: Subject, looked: Reconciled) => void {
  const lastMs = new Map<string, number>()
  return (subject, looked) => {
    if (looked.kind !== 'in-doubt') {
      lastMs.delete(effectIdOf(subject))
      return
    }
    const { attempt, reason, was, ageMs, settleInMs, retryAfterMs = settleInMs } = looked
    if (was === 'running') tellDoubt(engine, subject, { ...attempt, reason }, retryAfterMs)
    const nowMs = engine.clock.monotonic()
    const sinceMs = nowMs - (lastMs.get(effectIdOf(subject)) ?? Number.NEGATIVE_INFINITY)
    if (ageMs < stuckAfterMs || sinceMs < REPORT_EVERY_MS - intervalMs / 2) return
    if (lastMs.size >= MAX_REPORTED) lastMs.clear()
    lastMs.set(effectIdOf(subject), nowMs)
    tell(engine, subject, attempt, { type: 'doubt-stuck', ageMs, reason })
  }
}
