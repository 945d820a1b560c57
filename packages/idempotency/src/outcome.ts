import type { Execution } from './effect.ts'
import { errorAbout, grantOf, tell } from './engine.ts'
import type { Engine, Subject } from './engine.ts'
import { toFailure } from './errors.ts'
import type { IdempotencyError, IdempotencyErrorFields } from './errors.ts'
import type { Intent } from './intent.ts'
import { parsePayload } from './payload.ts'
import type { ResultSource } from './record.ts'
import { decodeBody } from './result.ts'
import type { Issue } from './result.ts'

/** How a call ended with a value, and the text other callers of this process read it from again. */
export interface Settled {
  readonly execution: Execution<unknown>
  /** Of a done record, with the value even if that is too large for the store; undefined: there is nothing to read. */
  readonly payload: string | undefined
}

/** A final record, as any reply of the store gives it. */
export interface Stored {
  readonly tag: 'D' | 'F'
  readonly fence: number
  readonly attempt: number
  readonly by: ResultSource
  readonly payload: string
}

/** What a final record answers every later caller. @throws FAILED, RESULT, RESULT_NOT_KEPT */
export async function replay(engine: Engine, intent: Intent, stored: Stored): Promise<Settled> {
  const facts = { token: '', fence: stored.fence, attempt: stored.attempt }
  tell(engine, intent, facts, { type: 'replayed', source: stored.by })
  if (stored.tag === 'D') return replayDone(intent, stored, stored.payload)
  throw failedError(intent, stored, { failure: toFailure(parsePayload(stored.payload).failure) })
}

/** Reads a done record's payload for one more caller. @throws RESULT, RESULT_NOT_KEPT */
export async function replayDone(
  intent: Intent,
  { fence, attempt, by }: Pick<Stored, 'fence' | 'attempt' | 'by'>,
  payload: string,
): Promise<Settled> {
  const { body } = parsePayload(payload)
  const decoding = decodeBody(intent.definition, body)
  const decoded = decoding instanceof Promise ? await decoding : decoding
  if (decoded.ok) {
    const grant = grantOf(intent, { fence, attempt })
    return { execution: { ...grant, value: decoded.value, status: 'replayed', recorded: true, source: by }, payload }
  }
  if ('notKept' in decoded) {
    const what =
      'it ran; its value was larger than maxResultBytes and was not kept. Read it from where the effect left it'
    throw errorAbout(intent, 'ERR_IDEMPOTENCY_RESULT_NOT_KEPT', what, { fence, attempt, phase: 'read', issues: [] })
  }
  if ('notEncodable' in decoded) {
    const what = 'it ran; its value could not be stored. Read it from where the effect left it'
    throw errorAbout(intent, 'ERR_IDEMPOTENCY_RESULT', what, { fence, attempt, phase: 'read', issues: [] })
  }
  const value = body.kind === 'value' ? body.value : undefined
  throw resultError(intent, 'read', decoded.issues, value, { fence, attempt })
}

/** The effect ran, but its value is not what the schema, or JSON, allows. */
export function resultError(
  subject: Subject,
  phase: 'write' | 'read',
  issues: readonly Issue[],
  value: unknown,
  fields: IdempotencyErrorFields,
): IdempotencyError {
  const what =
    phase === 'write'
      ? 'it ran; its value cannot be stored (see issues), so replays will not have it. The value is on this error'
      : 'it ran; the stored value does not pass the schema (see issues). The value is on this error'
  return errorAbout(subject, 'ERR_IDEMPOTENCY_RESULT', what, { ...fields, phase, issues, value })
}

/** An earlier attempt failed for good. */
export function failedError(
  subject: Subject,
  { fence, attempt }: { fence: number; attempt: number },
  fields: IdempotencyErrorFields,
): IdempotencyError {
  const what = 'an earlier attempt failed for good. Use a new key for a new intent, or release this one'
  return errorAbout(subject, 'ERR_IDEMPOTENCY_FAILED', what, { fence, attempt, ...fields })
}
