import { errorAbout, tell } from './engine.ts'
import type { AttemptFacts, Engine, Subject } from './engine.ts'
import type { DoubtReason, IdempotencyError } from './errors.ts'
import type { Intent } from './intent.ts'
import type { Settled } from './outcome.ts'
import { stricterMode } from './record.ts'
import type { Mode } from './record.ts'

/** A key in doubt, as a call met it or made it. */
export interface Doubt {
  readonly mode: Mode
  readonly reason: DoubtReason
  readonly token: string
  readonly fence: number
  readonly attempt: number
  /** The effect's own error, if this call ran it. */
  readonly cause?: unknown
}

/** How the use of a grant ended: with a value, or with doubt that a lookup is to settle. */
export type Executed =
  | { readonly kind: 'settled'; readonly settled: Settled }
  | { readonly kind: 'doubt'; readonly doubt: Doubt }

/** What holds for an effect after a lapse: the stricter of the stored and the given mode; without a lookup a person decides. */
export function effectiveMode(stored: Mode, { definition }: Pick<Intent, 'definition'>): Mode {
  const mode = stricterMode(stored, definition.mode)
  return mode === 'reconcile' && definition.lookup === undefined ? 'manual' : mode
}

const WHAT: Readonly<Record<DoubtReason, string>> = {
  lapsed: 'an earlier attempt went silent',
  unclear: 'the effect ended with an error that does not say whether it took place',
  timeout: 'the effect outlived its timeout',
  'store-loss': 'the store lost writes, and this key may have run before',
}

const THEN: Readonly<Record<Mode, string>> = {
  repeat: 'Retry after its lease',
  reconcile: 'Retry; the lookup decides',
  manual: 'A person decides: resolve it, or confirm it by evidence',
}

/** Tells of the doubt and makes its error; `retryAfterMs` is when a lookup can decide. */
export function doubtError(
  engine: Engine,
  subject: Subject,
  doubt: Doubt,
  fields: { retryAfterMs?: number; storeError?: unknown } = {},
): IdempotencyError {
  const { mode, reason, fence, attempt, cause } = doubt
  const wait = fields.retryAfterMs === undefined ? {} : { retryAfterMs: Math.ceil(fields.retryAfterMs) }
  tellDoubt(engine, subject, doubt, fields.retryAfterMs)
  const what = `nobody knows whether it ran: ${WHAT[reason]}. ${THEN[mode]}`
  return errorAbout(subject, 'ERR_IDEMPOTENCY_IN_DOUBT', what, {
    mode,
    reason,
    fence,
    attempt,
    cause,
    retryable: mode !== 'manual',
    ...fields,
    ...wait,
  })
}

/** A key is in doubt, and someone should know. */
export function tellDoubt(
  engine: Engine,
  subject: Subject,
  doubt: AttemptFacts & { reason: DoubtReason },
  retryAfterMs?: number,
): void {
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs: Math.ceil(retryAfterMs) }
  tell(engine, subject, doubt, { type: 'doubt', reason: doubt.reason, ...wait })
}
