import { failpoint } from '@safety/redis-core'

import type { Definition } from './definition.ts'
import { tell } from './engine.ts'
import type { AttemptFacts, Engine } from './engine.ts'
import type { Verdict } from './events.ts'
import type { Intent } from './intent.ts'
import type { Mode } from './record.ts'
import { step, storeBudget } from './step.ts'
import type { Step, StepBudget } from './step.ts'
import type { EndLetter, FinishReply } from './store.ts'

/** A granted attempt. */
export interface Attempt extends AttemptFacts {
  /** The stricter of the stored and the given mode. */
  readonly mode: Mode
}

/** How an attempt ended, as the store is to keep it. */
export interface End {
  readonly to: EndLetter
  readonly payload: string
  /** Milliseconds since the settle time of a doubt began; -1 counts it from the end of the lease. */
  readonly settledMs: number
}

export type Superseded = Extract<FinishReply, { tag: 'SUPERSEDED' }>

export type Recorded =
  | { readonly kind: 'recorded'; readonly replicas: number | undefined }
  | { readonly kind: 'superseded'; readonly reply: Superseded }
  /** Recording goes on behind. */
  | { readonly kind: 'delayed'; readonly error: unknown }

const FIRST_RETRY_MS = 100
const MAX_RETRY_MS = 5000

/**
 * Records an end inside one store budget; what fails is repeated behind for `recordRetryMs`, 100 ms to 5 s apart. The
 * caller never waits for that: it has its result.
 */
export async function record(engine: Engine, intent: Intent, attempt: Attempt, end: End): Promise<Recorded> {
  const stop = failpoint('idempotency:before-finish')
  if (stop) await stop
  const finished = await finish(engine, intent, attempt, end, endBudget(engine, intent, end))
  const after = failpoint('idempotency:after-finish')
  if (after) await after
  const recorded = understand(engine, intent, attempt, end, finished)
  if (recorded.kind === 'delayed') {
    tell(engine, intent, attempt, { type: 'record-delayed' })
    engine.background.track(recordBehind(engine, intent, attempt, end))
  }
  return recorded
}

/** Records an end that came after its call had answered. */
export async function recordLate(
  engine: Engine,
  intent: Intent,
  attempt: Attempt,
  end: End,
  sinceMs: number,
): Promise<void> {
  const recorded = understand(
    engine,
    intent,
    attempt,
    end,
    await finish(engine, intent, attempt, end, endBudget(engine, intent, end)),
  )
  if (recorded.kind === 'delayed') await recordBehind(engine, intent, attempt, end)
  else if (recorded.kind === 'recorded') {
    tell(engine, intent, attempt, { type: 'recorded-late', delayMs: engine.clock.monotonic() - sinceMs })
  }
}

/** Sends the end, repeated inside the budget. */
function finish(
  engine: Engine,
  intent: Intent,
  attempt: Attempt,
  end: End,
  budget: StepBudget,
): Promise<Step<FinishReply>> {
  const { definition, fingerprint, place } = intent
  const { token, fence, mode } = attempt
  const { to, payload } = end
  const { retentionMs: keepMs, settleMs } = definition
  const startedMs = engine.clock.monotonic()
  return step(engine, budget, options => {
    const passedMs = Math.round(engine.clock.monotonic() - startedMs)
    const settledMs = end.settledMs < 0 ? -1 : end.settledMs + passedMs
    return engine.store.finish(
      place,
      { token, fence, attempt: attempt.attempt, mode, fingerprint, to, payload, keepMs, settleMs, settledMs },
      options,
    )
  })
}

function endBudget(engine: Engine, intent: Intent, end: End): StepBudget {
  return storeBudget(engine, undefined, durabilityOf(intent, end))
}

/** That nothing ran needs no proof against a failover. */
function durabilityOf({ definition }: Intent, { to }: End): Definition['durability'] {
  return to === 'N' ? undefined : definition.durability
}

/** What the store's answer means, told to whoever listens. */
function understand(engine: Engine, intent: Intent, attempt: Attempt, end: End, finished: Step<FinishReply>): Recorded {
  if (!finished.ok) return { kind: 'delayed', error: finished.error }
  const { reply, replicas } = finished.answer
  const durability = durabilityOf(intent, end)
  switch (reply.tag) {
    case 'OK':
      if (reply.how === 'overturned') tell(engine, intent, attempt, { type: 'overturned', verdict: VERDICTS[end.to] })
      if (reply.how === 'recreated') tell(engine, intent, attempt, { type: 'claim-lost' })
      if (durability !== undefined && replicas !== undefined && replicas < durability.replicas) {
        tell(engine, intent, attempt, { type: 'not-durable', step: 'finish', replicas })
      }
      return { kind: 'recorded', replicas }
    case 'SUPERSEDED':
      tell(engine, intent, attempt, { type: 'superseded', state: reply.state })
      return { kind: 'superseded', reply }
    case 'FORMAT':
      break
  }
  return { kind: 'delayed', error: new Error('the record was replaced by one of another version') }
}

async function recordBehind(engine: Engine, intent: Intent, attempt: Attempt, end: End): Promise<void> {
  const { clock, options, random, closed } = engine
  const startedMs = clock.monotonic()
  const endsAtMs = startedMs + options.recordRetryMs
  let delayMs = FIRST_RETRY_MS
  while (!closed.aborted && clock.monotonic() + delayMs <= endsAtMs) {
    await pause(engine, delayMs * (0.75 + random.float() / 4))
    delayMs = Math.min(delayMs * 2, MAX_RETRY_MS)
    const passedMs = Math.round(clock.monotonic() - startedMs)
    const now: End = { ...end, settledMs: end.settledMs < 0 ? -1 : end.settledMs + passedMs }
    // One command each: the pause is the repeat.
    const budget = { endsAtMs: clock.monotonic() + options.storeTimeoutMs, durability: durabilityOf(intent, now) }
    const recorded = understand(engine, intent, attempt, now, await finish(engine, intent, attempt, now, budget))
    if (recorded.kind === 'delayed') continue
    if (recorded.kind === 'recorded') {
      tell(engine, intent, attempt, { type: 'recorded-late', delayMs: clock.monotonic() - startedMs })
    }
    return
  }
}

/** The store's error, as errors carry it beside the effect's own. */
export function storeErrorOf(recorded: Recorded): { storeError?: unknown } {
  return recorded.kind === 'delayed' ? { storeError: recorded.error } : {}
}

/** Does not keep the process alive, and ends with the instance. */
function pause({ clock, closed }: Engine, delayMs: number): Promise<void> {
  return new Promise(resolve => {
    const timer = clock.setTimeout(end, delayMs, { ref: false })
    function end(): void {
      timer.cancel()
      closed.removeEventListener('abort', end)
      resolve()
    }
    closed.addEventListener('abort', end, { once: true })
  })
}

const VERDICTS: Readonly<Record<EndLetter, Verdict | 'unknown'>> = { D: 'ran', F: 'failed', N: 'not-run', U: 'unknown' }
