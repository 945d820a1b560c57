import { doubtError, effectiveMode } from './doubt.ts'
import type { Doubt, Executed } from './doubt.ts'
import { grantOf, tell } from './engine.ts'
import type { Engine } from './engine.ts'
import { attachStoreError, failureOf, toFailure } from './errors.ts'
import type { DoubtReason } from './errors.ts'
import type { Intent } from './intent.ts'
import { leaseLostError } from './lease.ts'
import { failedError, replayDone, resultError } from './outcome.ts'
import type { Settled } from './outcome.ts'
import { donePayload, failedPayload, openPayload, parsePayload, sharedPayload } from './payload.ts'
import { record, recordLate, storeErrorOf } from './recording.ts'
import type { Attempt, End, Recorded, Superseded } from './recording.ts'
import { encodeResult } from './result.ts'
import type { Ran } from './running.ts'

type Class = 'ran' | 'failed' | 'not-run' | 'unknown'

/**
 * Records how the effect ended and says what its caller gets. After a value that is always a value: the own one, or the
 * one that is recorded.
 */
export function settleEnd(engine: Engine, intent: Intent, attempt: Attempt, ran: Ran): Promise<Executed> {
  switch (ran.kind) {
    case 'value':
      return settleValue(engine, intent, attempt, ran.value, ran.durationMs)
    case 'error':
      return settleError(engine, intent, attempt, ran)
    case 'timeout':
      break
  }
  return settleTimeout(engine, intent, attempt, ran)
}

async function settleValue(
  engine: Engine,
  intent: Intent,
  attempt: Attempt,
  value: unknown,
  durationMs: number,
): Promise<Executed> {
  const { definition } = intent
  const encoding = encodeResult(definition, value)
  const encoded = encoding instanceof Promise ? await encoding : encoding
  const payload = donePayload(encoded.body)
  const recording = record(engine, intent, attempt, { to: 'D', payload, settledMs: 0 })
  // While the record is on its way.
  const given = encoded.ok ? encoded.read() : value
  const recorded = await recording
  tellFinished(engine, intent, attempt, 'ran', recorded, durationMs)
  if (recorded.kind === 'superseded' && !engine.options.observe) {
    const adopted = await adopt(intent, recorded.reply, { value })
    if (adopted) return { kind: 'settled', settled: adopted }
  }
  if (!encoded.ok && !engine.options.observe) {
    const about = { fence: attempt.fence, attempt: attempt.attempt, ...storeErrorOf(recorded) }
    throw resultError(intent, 'write', encoded.issues, value, about)
  }
  const { durability } = definition
  const replicas = recorded.kind === 'recorded' ? recorded.replicas : 0
  const settled: Settled = {
    execution: {
      ...grantOf(intent, attempt),
      value: given,
      status: 'executed',
      recorded: recorded.kind === 'recorded',
      durable: durability === undefined || replicas === undefined ? undefined : replicas >= durability.replicas,
      superseded: recorded.kind === 'superseded',
      unprotected: false,
    },
    payload: encoded.ok ? (encoded.body.kind === 'too-large' ? sharedPayload(encoded.body) : payload) : undefined,
  }
  return { kind: 'settled', settled }
}

async function settleError(
  engine: Engine,
  intent: Intent,
  attempt: Attempt,
  ran: Extract<Ran, { kind: 'error' }>,
): Promise<Executed> {
  const { error, durationMs } = ran
  const mode = effectiveMode(attempt.mode, intent)
  const found = intent.definition.classifyError(error)
  const doubtful = found === 'unknown' && mode !== 'repeat'
  const reason: DoubtReason = ran.timedOut ? 'timeout' : 'unclear'
  const recorded = await record(engine, intent, attempt, endOf(intent, found, doubtful, reason, error))
  tellFinished(engine, intent, attempt, found, recorded, durationMs)
  if (recorded.kind === 'superseded' && !engine.options.observe) {
    const adopted = await adopt(intent, recorded.reply, { cause: error })
    if (adopted) return { kind: 'settled', settled: adopted }
  }
  const carriesStoreError = recorded.kind === 'delayed' && attachStoreError(error, recorded.error)
  if (!doubtful) throw error
  const doubt: Doubt = { ...attempt, mode, reason, cause: error }
  if (engine.options.observe) {
    tell(engine, intent, attempt, { type: 'doubt', reason }, true)
    throw error
  }
  // The key is somebody else's, or a verdict stands: whoever calls next goes by that.
  if (recorded.kind === 'superseded') throw leaseLostError(intent, attempt, 'unknown', { cause: error })
  if (carriesStoreError) {
    tell(engine, intent, attempt, { type: 'doubt', reason })
    throw error
  }
  if (recorded.kind === 'delayed' || mode === 'manual') throw doubtError(engine, intent, doubt, storeErrorOf(recorded))
  return { kind: 'doubt', doubt }
}

function endOf(intent: Intent, found: Class, doubtful: boolean, reason: DoubtReason, error: unknown): End {
  if (found === 'failed') return { to: 'F', payload: failedPayload(failureOf(error)), settledMs: 0 }
  if (doubtful) return { to: 'U', payload: openPayload(intent.memoText, reason), settledMs: 0 }
  return { to: 'N', payload: openPayload(intent.memoText, found === 'unknown' ? 'unclear' : 'not-run'), settledMs: 0 }
}

/** The effect does not end. Its claim is left to lapse (`repeat`) or put in doubt; whatever comes later is still recorded. */
async function settleTimeout(
  engine: Engine,
  intent: Intent,
  attempt: Attempt,
  ran: Extract<Ran, { kind: 'timeout' }>,
): Promise<Executed> {
  const mode = effectiveMode(attempt.mode, intent)
  engine.background.track(recordWhenEnded(engine, intent, attempt, ran.late))
  const recorded: Recorded | undefined =
    mode === 'repeat'
      ? undefined
      : await record(engine, intent, attempt, {
          to: 'U',
          payload: openPayload(intent.memoText, 'timeout'),
          settledMs: -1,
        })
  tellFinished(engine, intent, attempt, 'unknown', recorded, ran.durationMs)
  const doubt: Doubt = { ...attempt, mode, reason: 'timeout' }
  if (engine.options.observe) {
    tell(engine, intent, attempt, { type: 'doubt', reason: 'timeout' }, true)
    return { kind: 'settled', settled: await observedLate(intent, attempt, ran.late) }
  }
  if (recorded?.kind === 'superseded') {
    const adopted = await adopt(intent, recorded.reply, {})
    if (adopted) return { kind: 'settled', settled: adopted }
  }
  throw doubtError(engine, intent, doubt, recorded === undefined ? {} : storeErrorOf(recorded))
}

async function observedLate(intent: Intent, attempt: Attempt, late: Promise<unknown>): Promise<Settled> {
  const value = await late
  const status = {
    status: 'executed',
    recorded: false,
    durable: undefined,
    superseded: false,
    unprotected: false,
  } as const
  return { execution: { ...grantOf(intent, attempt), value, ...status }, payload: undefined }
}

async function recordWhenEnded(
  engine: Engine,
  intent: Intent,
  attempt: Attempt,
  late: Promise<unknown>,
): Promise<void> {
  const sinceMs = engine.clock.monotonic()
  let end: End
  try {
    const { body } = await encodeResult(intent.definition, await late)
    end = { to: 'D', payload: donePayload(body), settledMs: 0 }
  } catch (error) {
    const found = intent.definition.classifyError(error)
    if (found === 'unknown') return
    end = endOf(intent, found, false, 'timeout', error)
  }
  await recordLate(engine, intent, attempt, end, sinceMs)
}

/** A recorded final outcome holds for everyone, also for an executor that comes too late. */
async function adopt(
  intent: Intent,
  reply: Superseded,
  own: { readonly value?: unknown; readonly cause?: unknown },
): Promise<Settled | undefined> {
  const { body, failure } = parsePayload(reply.payload)
  if (reply.state === 'failed') {
    throw failedError(intent, reply, { failure: toFailure(failure), ...own })
  }
  // A body that was not kept says less than the own value.
  if (reply.state !== 'done' || ((body.kind === 'too-large' || body.kind === 'not-encodable') && 'value' in own))
    return undefined
  return await replayDone(intent, reply, reply.payload)
}

function tellFinished(
  engine: Engine,
  intent: Intent,
  attempt: Attempt,
  outcome: Class,
  recorded: Recorded | undefined,
  durationMs: number,
): void {
  const accepted = recorded?.kind === 'recorded'
  tell(engine, intent, attempt, () => ({
    type: 'finished',
    outcome,
    durationMs,
    recorded: accepted,
    superseded: recorded?.kind === 'superseded',
    accepted,
  }))
}
