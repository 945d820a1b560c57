import { tellDoubt } from './doubt.ts'
import { tell } from './engine.ts'
import { effectIdOf } from './engine.ts'
import type { Engine, Subject } from './engine.ts'
import { subjectOf } from './intent.ts'
import { ask } from './reading.ts'
import { reconcile } from './reconciliation.ts'
import type { Left, Reconciled } from './reconciliation.ts'
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

/**
 * One sweep over all buckets. A record that cannot be looked at does not keep the others from it.
 *
 * @throws `ERR_IDEMPOTENCY_STORE`; the abort reason; at its end, the errors of single records. An `AggregateError` of several
 */
export type Sweep = (signal: AbortSignal | undefined) => Promise<Swept>

/** A sweep that remembers which stuck doubts it reported. */
export function createSweep(engine: Engine, rules: SweepRules): Sweep {
  const report = createStuckReport(engine, rules)
  const look = async (place: Place, signal: AbortSignal | undefined): Promise<Partial<Swept>> => {
    const subject = subjectOf(engine.store, place)
    const definition = engine.definitions.get(place.effect)
    try {
      const options = { definition, signal, patient: true, nextMs: (taken: Left) => nextMs(rules, taken) }
      const looked = await reconcile(engine, subject, options)
      report(subject, looked)
      return tally(looked)
    } catch (cause) {
      throw new Error(`a sweep could not look at effect ${place.effect} (${effectIdOf(subject)})`, { cause })
    }
  }
  return async signal => {
    const swept: Swept = { looked: 0, resolved: 0, lapsed: 0, left: 0 }
    const tags = [...engine.store.tags]
    const errors: unknown[] = []
    let ended = false
    const sweepBucket = async (bucket: string): Promise<void> => {
      for (const place of await ask(engine, signal, send => engine.store.due(bucket, PER_BUCKET, send))) {
        if (ended) return
        signal?.throwIfAborted()
        try {
          add(swept, await look(place, signal))
        } catch (error) {
          add(swept, { looked: 1, left: 1 })
          errors.push(error)
        }
      }
    }
    const worker = async (): Promise<void> => {
      try {
        for (let tag = tags.pop(); tag !== undefined; tag = tags.pop()) await sweepBucket(tag)
      } catch (error) {
        if (!ended) errors.push(error)
        ended = true
        tags.length = 0
      }
    }
    await Promise.all(Array.from({ length: rules.concurrency }, worker))
    if (ended) signal?.throwIfAborted()
    if (errors.length > 1) throw new AggregateError(errors, 'a sweep failed in part')
    if (errors.length === 1) throw errors[0]
    return swept
  }
}

/**
 * Lookups come less often as a doubt grows old; what nobody can look up comes back when there is something to report.
 * Nothing comes back later than its next report is due: a record due for that alone is looked at, not looked up.
 */
function nextMs({ intervalMs, stuckAfterMs }: SweepRules, { mode, ageMs, wantedMs }: Left): number {
  const backOffMs = mode === 'reconcile' ? Math.max(intervalMs, ageMs / 2) : MAX_NEXT_MS
  const reportMs = ageMs < stuckAfterMs ? stuckAfterMs - ageMs + 1 : REPORT_EVERY_MS
  return Math.min(wantedMs ?? Math.min(backOffMs, MAX_NEXT_MS), reportMs)
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
