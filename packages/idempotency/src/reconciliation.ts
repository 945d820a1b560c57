import { failpoint } from '@safety/redis-core'

import type { Definition } from './definition.ts'
import { DEFAULT_RETENTION_MS } from './definition.ts'
import { tell } from './engine.ts'
import type { AttemptFacts, Engine, Subject } from './engine.ts'
import type { DoubtReason, Failure } from './errors.ts'
import { lookUp, MAX_RETRY_AFTER_MS } from './lookup.ts'
import type { Found } from './lookup.ts'
import { donePayload, doubtReasonOf, failedPayload, openPayload, parsePayload, waitingPayload } from './payload.ts'
import { stricterMode } from './record.ts'
import type { Mode, RecordState } from './record.ts'
import { step, storeBudget } from './step.ts'
import type { Answer, EndLetter, ReconcileReply, ResolveReply } from './store.ts'

/** What one look at an open record came to. */
export type Reconciled =
  | { readonly kind: 'ran'; readonly attempt: AttemptFacts; readonly found: Extract<Found, { kind: 'ran' }> }
  | { readonly kind: 'failed'; readonly attempt: AttemptFacts; readonly failure: Failure }
  | { readonly kind: 'not-run'; readonly attempt: AttemptFacts }
  /** Still in doubt. `settleInMs`: a "not there" counts from then on. */
  | {
      readonly kind: 'in-doubt'
      readonly attempt: AttemptFacts
      readonly mode: Mode
      readonly reason: DoubtReason
      readonly ageMs: number
      readonly was: RecordState
      readonly retryAfterMs: number | undefined
      readonly settleInMs: number | undefined
    }
  /** A lapsed `repeat` claim; anyone may run again. */
  | { readonly kind: 'lapsed'; readonly attempt: AttemptFacts }
  /** Nothing to reconcile, or not by us: closed, absent, leased, or another reconciler's. */
  | { readonly kind: 'other'; readonly state: RecordState | undefined; readonly leftMs: number }
  | { readonly kind: 'store'; readonly error: unknown }
  | { readonly kind: 'format' }

type Taken = Extract<ReconcileReply, { tag: 'RECON' }>

export interface ReconcileOptions {
  /** undefined: the effect is not defined in this process. */
  readonly definition: Definition | undefined
  /** Ends the lookup; the doubt is left as it is. */
  readonly signal?: AbortSignal | undefined
  /** Leaves the lookup alone until the time its last answer named, whoever had asked. */
  readonly patient?: boolean
  /** How soon a sweeper looks again at what stays in doubt. */
  readonly nextMs: (left: Left) => number
}

/** A doubt that is given back undecided. */
export interface Left {
  readonly mode: Mode
  readonly ageMs: number
  /** When a lookup can say more: after the settle time, or as the last one said. */
  readonly wantedMs: number | undefined
}

/** What is added to a reconciler's lease on top of its lookup and its two store steps. */
const SLACK_MS = 1000

/**
 * Takes a doubt, asks the receiver, records the verdict: one reconciler at a time per key, fleet-wide. A "not there" is
 * a verdict only if the lookup started after the settle time; the store checks that again.
 */
export async function reconcile(engine: Engine, subject: Subject, options: ReconcileOptions): Promise<Reconciled> {
  const { definition } = options
  const rtoken = engine.newToken()
  const { storeBudgetMs } = engine.options
  const keepMs = definition?.retentionMs ?? DEFAULT_RETENTION_MS
  const leaseMs = (definition?.lookup ? definition.lookupTimeoutMs : 0) + 2 * storeBudgetMs + SLACK_MS
  const taken = await step(engine, storeBudget(engine), send =>
    engine.store.reconcile(subject.place, { rtoken, mode: definition?.mode ?? 'repeat', leaseMs, keepMs }, send),
  )
  if (!taken.ok) return { kind: 'store', error: taken.error }
  const { reply } = taken.answer
  switch (reply.tag) {
    case 'RECON':
      return await decide(engine, subject, options, {
        reply,
        rtoken,
        keepMs,
        receivedAtMs: taken.answer.receivedAtMs,
        settledAtMs: settledFrom(taken.answer, reply.settleInMs, definition),
      })
    case 'LAPSED': {
      const attempt = { token: reply.token, fence: reply.fence, attempt: reply.attempt }
      tell(engine, subject, attempt, { type: 'lapsed' })
      return { kind: 'lapsed', attempt }
    }
    case 'NO':
      return { kind: 'other', state: reply.state, leftMs: reply.leftMs }
    case 'FORMAT':
      break
  }
  return { kind: 'format' }
}

/**
 * From when on (monotonic) a "not there" counts. After a forward jump of the server's clock its settle time means
 * nothing: the lease may have lapsed early under a living executor, which learns of it within a lease.
 */
function settledFrom(
  { receivedAtMs, jumpedAtMs }: Answer<ReconcileReply>,
  settleInMs: number,
  definition: Definition | undefined,
): number {
  const byServer = receivedAtMs + settleInMs
  if (jumpedAtMs === undefined || definition === undefined) return byServer
  return Math.max(byServer, jumpedAtMs + definition.leaseMs + definition.settleMs)
}

interface Hold {
  readonly reply: Taken
  readonly rtoken: string
  readonly keepMs: number
  /** Monotonic; when the reply came. */
  readonly receivedAtMs: number
  /** Monotonic; from then on a "not there" counts. */
  readonly settledAtMs: number
}

async function decide(engine: Engine, subject: Subject, options: ReconcileOptions, hold: Hold): Promise<Reconciled> {
  const { reply, settledAtMs } = hold
  const { definition } = options
  const { memo, askAtMs = 0 } = parsePayload(reply.payload)
  const mode = definition ? stricterMode(reply.mode, definition.mode) : reply.mode
  if (definition?.lookup === undefined || mode !== 'reconcile') return await leave(engine, subject, options, hold, {})
  const heldMs = askAtMs - reply.nowMs
  // A longer one was never asked for: the server's clock went back.
  if (options.patient === true && heldMs > 0 && heldMs <= MAX_RETRY_AFTER_MS) {
    return await leave(engine, subject, options, hold, { heldMs })
  }
  const startedAtMs = engine.clock.monotonic()
  const doubt = { fence: reply.fence, attempt: reply.attempt, memo }
  const found = await lookUp(engine, subject, { ...definition, lookup: definition.lookup }, doubt, options.signal)
  switch (found.kind) {
    case 'ran':
      return await close(engine, subject, options, hold, 'D', donePayload(found.body), found)
    case 'failed':
      return await close(engine, subject, options, hold, 'F', failedPayload(found.failure), found)
    case 'not-run':
      if (startedAtMs < settledAtMs) return await leave(engine, subject, options, hold, { early: true })
      return await close(engine, subject, options, hold, 'N', openPayload(memoTextOf(memo), 'lookup'), found)
    case 'unknown':
      break
  }
  return await leave(engine, subject, options, hold, { retryAfterMs: found.retryAfterMs })
}

async function close(
  engine: Engine,
  subject: Subject,
  options: ReconcileOptions,
  hold: Hold,
  to: EndLetter,
  payload: string,
  found: Exclude<Found, { kind: 'unknown' }>,
): Promise<Reconciled> {
  const resolved = await resolve(engine, subject, hold, to, payload, 0)
  if (!resolved.ok) return { kind: 'store', error: resolved.error }
  const { reply } = resolved.answer
  const attempt = attemptOf(hold.reply)
  switch (reply.tag) {
    case 'OK': {
      const verdict = found.kind
      tell(engine, subject, attempt, { type: 'reconciled', verdict, ageMs: reply.ageMs })
      if (found.kind === 'ran') return { kind: 'ran', attempt, found }
      if (found.kind === 'failed') return { kind: 'failed', attempt, failure: found.failure }
      return { kind: 'not-run', attempt }
    }
    case 'EARLY': {
      // The executor ended unclearly during the lookup: the settle time began anew.
      const settledAtMs = resolved.answer.receivedAtMs + reply.settleInMs
      return await leave(engine, subject, options, { ...hold, settledAtMs }, { early: true })
    }
    case 'STALE':
      return { kind: 'other', state: reply.state, leftMs: 0 }
    case 'FORMAT':
      break
  }
  return { kind: 'format' }
}

/** Gives the doubt back, undecided. */
async function leave(
  engine: Engine,
  subject: Subject,
  options: ReconcileOptions,
  hold: Hold,
  why: {
    readonly early?: boolean
    /** As the lookup answered. */
    readonly retryAfterMs?: number | undefined
    /** Left of what an earlier lookup answered. */
    readonly heldMs?: number
  },
): Promise<Reconciled> {
  const { reply, settledAtMs } = hold
  const mode = options.definition ? stricterMode(reply.mode, options.definition.mode) : reply.mode
  const settleInMs = why.early === true ? Math.max(1, Math.ceil(settledAtMs - engine.clock.monotonic())) : undefined
  const parsed = parsePayload(reply.payload)
  const reason = doubtReasonOf(parsed.reason)
  const retryAfterMs = why.retryAfterMs ?? why.heldMs
  const nextMs = options.nextMs({ mode, ageMs: reply.ageMs, wantedMs: settleInMs ?? retryAfterMs })
  // An empty one keeps what is there.
  let payload = ''
  if (why.retryAfterMs) payload = askLater(engine, hold, reason, why.retryAfterMs)
  // A newer answer, which names no time.
  else if (why.heldMs === undefined && parsed.askAtMs !== undefined)
    payload = openPayload(memoTextOf(parsed.memo), reason)
  const resolved = await resolve(engine, subject, hold, 'U', payload, Math.round(nextMs))
  if (!resolved.ok) return { kind: 'store', error: resolved.error }
  const answer = resolved.answer.reply
  switch (answer.tag) {
    case 'OK':
    case 'EARLY':
      return {
        kind: 'in-doubt',
        attempt: attemptOf(reply),
        mode,
        was: reply.was,
        ageMs: reply.ageMs,
        reason,
        retryAfterMs,
        settleInMs,
      }
    case 'STALE':
      return { kind: 'other', state: answer.state, leftMs: 0 }
    case 'FORMAT':
      break
  }
  return { kind: 'format' }
}

/** Notes with the doubt, for every process, when its lookup wants to be asked again. */
function askLater(engine: Engine, { reply, receivedAtMs }: Hold, reason: DoubtReason, retryAfterMs: number): string {
  const passedMs = engine.clock.monotonic() - receivedAtMs
  const { memo } = parsePayload(reply.payload)
  return waitingPayload(memoTextOf(memo), reason, Math.round(reply.nowMs + passedMs) + retryAfterMs)
}

async function resolve(
  engine: Engine,
  { place }: Subject,
  { reply, rtoken, keepMs }: Hold,
  to: EndLetter,
  payload: string,
  nextMs: number,
): ReturnType<typeof step<ResolveReply>> {
  const stop = failpoint('idempotency:before-resolve')
  if (stop) await stop
  const input = { rtoken, fence: reply.fence, to, payload, keepMs, nextMs }
  const resolved = await step(engine, storeBudget(engine), send => engine.store.resolve(place, input, send))
  const after = failpoint('idempotency:after-resolve')
  if (after) await after
  return resolved
}

function attemptOf({ token, fence, attempt }: Taken): AttemptFacts {
  return { token, fence, attempt }
}

function memoTextOf(memo: unknown): string {
  return memo === undefined ? '' : JSON.stringify(memo)
}
