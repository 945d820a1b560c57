import { z } from 'zod'

import { formatError } from './claiming.ts'
import { DEFAULT_RETENTION_MS, MAX_RESULT_BYTES } from './definition.ts'
import { errorAbout, tell } from './engine.ts'
import type { Engine, Subject } from './engine.ts'
import { failureOf, optionError } from './errors.ts'
import type { Verdict } from './events.ts'
import { toJsonText } from './json.ts'
import type { JsonValue } from './json.ts'
import { locate } from './locating.ts'
import { check } from './options.ts'
import { donePayload, failedPayload, openPayload } from './payload.ts'
import type { Author } from './payload.ts'
import { parseRecord } from './record.ts'
import type { ParsedRecord, RecordView } from './record.ts'
import { readableView, storeError } from './reading.ts'
import { shortDigest } from './sha256.ts'
import { step, storeBudget } from './step.ts'
import type { DecideReply, FinalLetter } from './store.ts'

/** What is known about an effect that ran: its value, or its final failure. */
export type Known =
  | { outcome: 'ran'; value: JsonValue }
  | { outcome: 'failed'; error: { name: string; message: string; code?: string | undefined } }

/** Who decides, and why; both are kept with the record. `force` overrides a live lease, the settle time, a done record. */
export type Order = { by: string; why: string; force?: boolean | undefined }

export interface CallOptions {
  /** Ends waiting and store repeats; a command already sent may still run. */
  signal?: AbortSignal | undefined
}

type Decision = Extract<DecideReply, { tag: 'OK' }> & {
  readonly id: string
  /** An earlier command of this call may have run. */
  readonly resent: boolean
}

const ORDER = {
  by: z.string().trim().min(1).max(256),
  why: z.string().trim().min(1).max(1024),
  force: z.boolean().optional(),
}
const ERROR = z.object({ name: z.string(), message: z.string(), code: z.string().optional() })
const RAN = z.object({ outcome: z.literal('ran'), value: z.unknown() })
const FAILED = z.object({ outcome: z.literal('failed'), error: ERROR })
const VERDICT = z.discriminatedUnion('outcome', [
  RAN.extend(ORDER),
  FAILED.extend(ORDER),
  z.object({ outcome: z.literal('not-run'), ...ORDER }),
])
const ID = z.string().min(1).max(1024)
const EVIDENCE = z.discriminatedUnion('outcome', [RAN.extend({ evidenceId: ID }), FAILED.extend({ evidenceId: ID })])
const RELEASE = z.object(ORDER)

/** An operator's verdict on an open record. */
export async function resolveRecord(
  engine: Engine,
  effect: string,
  key: string,
  verdict: (Known | { outcome: 'not-run' }) & Order,
  options: CallOptions = {},
): Promise<RecordView> {
  const given = check(VERDICT, verdict)
  const author: Author = { by: given.by, why: given.why }
  const { to, payload } =
    given.outcome === 'not-run'
      ? ({ to: 'N', payload: openPayload('', 'operator', author) } as const)
      : knownEnd(engine, effect, given as Known, author)
  const subject = await locate(engine, effect, key, options.signal)
  const decided = await decide(
    engine,
    subject,
    { kind: 'resolve', id: engine.newToken(), to, payload, force: given.force ?? false },
    options,
  )
  return announce(engine, subject, decided, 'resolved', given.outcome)
}

/** Evidence of a machine: closes whatever is not final yet. */
export async function confirmRecord(
  engine: Engine,
  effect: string,
  key: string,
  evidence: Known & { evidenceId: string },
  options: CallOptions = {},
): Promise<RecordView> {
  const given = check(EVIDENCE, evidence)
  const { to, payload } = knownEnd(engine, effect, given as Known)
  const subject = await locate(engine, effect, key, options.signal)
  const id = shortDigest(given.evidenceId)
  const decided = await decide(engine, subject, { kind: 'confirm', id, to, payload, force: false }, options)
  return announce(engine, subject, decided, 'confirmed', given.outcome)
}

/** Makes a final record claimable again. */
export async function releaseRecord(
  engine: Engine,
  effect: string,
  key: string,
  order: Order,
  options: CallOptions = {},
): Promise<RecordView> {
  const given = check(RELEASE, order)
  const payload = openPayload('', 'released', { by: given.by, why: given.why })
  const subject = await locate(engine, effect, key, options.signal)
  const input = { kind: 'release', id: engine.newToken(), to: 'N', payload, force: given.force ?? false } as const
  return announce(engine, subject, await decide(engine, subject, input, options), 'released', 'not-run')
}

function knownEnd(engine: Engine, effect: string, known: Known, author?: Author): { to: FinalLetter; payload: string } {
  if (known.outcome === 'failed') return { to: 'F', payload: failedPayload(failureOf(known.error), author) }
  if (known.value === undefined) return { to: 'D', payload: donePayload({ kind: 'undefined' }, author) }
  const json = toJsonText(known.value)
  if ('notPlain' in json) throw optionError('value', `is not JSON: ${json.notPlain.path} is ${json.notPlain.what}`)
  const bytes = Buffer.byteLength(json.text, 'utf8')
  const own = engine.definitions.get(effect)?.maxResultBytes
  // Of an effect defined elsewhere nobody here knows what it keeps, so that nothing is left out without a word.
  if (own === undefined && bytes > MAX_RESULT_BYTES)
    throw optionError('value', `has ${bytes} bytes of JSON, above ${MAX_RESULT_BYTES}`)
  const fits = bytes <= (own ?? MAX_RESULT_BYTES)
  return { to: 'D', payload: donePayload({ kind: fits ? 'value' : 'too-large', text: json.text }, author) }
}

async function decide(
  engine: Engine,
  subject: Subject,
  input: { kind: 'confirm' | 'resolve' | 'release'; id: string; to: FinalLetter; payload: string; force: boolean },
  { signal }: CallOptions,
): Promise<Decision> {
  signal?.throwIfAborted()
  const keepMs = engine.definitions.get(subject.place.effect)?.retentionMs ?? DEFAULT_RETENTION_MS
  const decided = await step(engine, storeBudget(engine, signal), send =>
    engine.store.decide(subject.place, { ...input, keepMs }, send),
  )
  if (!decided.ok) {
    signal?.throwIfAborted()
    throw storeError(subject, decided)
  }
  const { reply, sentAtMs } = decided.answer
  switch (reply.tag) {
    case 'OK':
      return { ...reply, id: input.id, resent: decided.firstSentAtMs < sentAtMs }
    case 'REFUSED':
      throw refusedError(subject, input.kind, reply)
    case 'NONE':
      throw errorAbout(subject, 'ERR_IDEMPOTENCY_VERDICT', 'there is no record to decide on', { state: 'absent' })
    case 'FORMAT':
      break
  }
  throw formatError(subject)
}

function refusedError(
  subject: Subject,
  kind: string,
  { state, leftMs }: Extract<DecideReply, { tag: 'REFUSED' }>,
): Error {
  const why =
    leftMs > 0
      ? `its record is ${state}, for ${leftMs} ms more not open to this verdict. Wait, or use force`
      : kind === 'release'
        ? `its record is ${state}: only a failed record is released, a done one with force`
        : `its record is ${state}: an outcome, once recorded, does not change`
  return errorAbout(subject, 'ERR_IDEMPOTENCY_VERDICT', why, { state, ...(leftMs > 0 ? { retryAfterMs: leftMs } : {}) })
}

function announce(
  engine: Engine,
  subject: Subject,
  decision: Decision,
  type: 'resolved' | 'confirmed' | 'released',
  verdict: Verdict,
): RecordView {
  const { how, record, nowMs } = decision
  const view = readableView(subject, record)
  const parsed = parseRecord(record)
  if (!view || !parsed) throw formatError(subject)
  if (how !== 'again' || decidedBefore(decision, parsed, type)) {
    const ageMs = how === 'again' ? Math.max(0, nowMs - parsed.leaseEndsAtMs) : decision.ageMs
    tell(engine, subject, parsed, type === 'released' ? { type, ageMs } : { type, verdict, ageMs })
    if (how === 'overturned') tell(engine, subject, parsed, { type: 'overturned', verdict })
  }
  return view
}

/**
 * Whether it was this call that decided, by a command whose reply was lost: nobody has been told then. A person's verdict
 * has an id of its own; evidence has the same id wherever it is seen, so it counts only if this call did send twice.
 */
function decidedBefore({ id, resent }: Decision, { verdict }: ParsedRecord, type: string): boolean {
  return verdict === id && (type !== 'confirmed' || resent)
}
