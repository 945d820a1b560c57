import { IdempotencyError } from '../errors.ts'

export type ProblemCode =
  | 'missing-key'
  | 'malformed-key'
  | 'mismatch'
  | 'busy'
  | 'in-doubt'
  | 'failed'
  | 'response-not-kept'
  | 'body-too-large'
  | 'store'

/** An answer of this package, as RFC 9457 has it. */
export interface Problem {
  readonly status: number
  readonly code: ProblemCode
  /** Seconds, for `Retry-After`. */
  readonly retryAfterS?: number | undefined
}

const PROBLEMS: Readonly<Record<ProblemCode, { status: number; title: string; detail: string }>> = {
  'missing-key': {
    status: 400,
    title: 'Idempotency-Key is missing',
    detail: 'This operation needs an Idempotency-Key header: one new key per intent, the same on every retry.',
  },
  'malformed-key': {
    status: 400,
    title: 'Idempotency-Key is malformed',
    detail: 'Send one Idempotency-Key header: a quoted string, or 1 to 255 of A-Z a-z 0-9 _ . : / + = -.',
  },
  mismatch: {
    status: 422,
    title: 'Idempotency-Key is already used',
    detail: 'The key was sent with another request. A new intent needs a new key.',
  },
  busy: {
    status: 409,
    title: 'A request is outstanding for this Idempotency-Key',
    detail: 'The first request with this key is still being worked on. Retry later to get its answer.',
  },
  'in-doubt': {
    status: 409,
    title: 'The outcome is not known yet',
    detail:
      'An earlier request with this key ended without a clear outcome. It is not run again until that is cleared up.',
  },
  failed: {
    status: 409,
    title: 'The operation failed',
    detail: 'The request with this key failed for good. A new intent needs a new key.',
  },
  'response-not-kept': {
    status: 409,
    title: 'The response was not kept',
    detail: 'The request with this key was carried out; its response cannot be repeated. Read the resource instead.',
  },
  'body-too-large': {
    status: 413,
    title: 'The body is too large',
    detail: 'Requests with an Idempotency-Key are held in memory to be compared, up to 1 MiB.',
  },
  store: {
    status: 503,
    title: 'The operation is not available',
    detail: 'Nothing was carried out. Retry later with the same key.',
  },
}

export function problem(code: ProblemCode, retryAfterMs?: number): Problem {
  const { status } = PROBLEMS[code]
  return {
    status,
    code,
    ...(retryAfterMs === undefined ? {} : { retryAfterS: Math.max(1, Math.ceil(retryAfterMs / 1000)) }),
  }
}

/** The answer to a call that did not run. @returns undefined for errors that are the server's own business */
export function problemOf(error: unknown): Problem | undefined {
  if (!(error instanceof IdempotencyError)) return undefined
  const { code, outcome, retryable, retryAfterMs } = error
  switch (code) {
    case 'ERR_IDEMPOTENCY_MISMATCH':
      return problem('mismatch')
    case 'ERR_IDEMPOTENCY_BUSY':
      return problem('busy', retryAfterMs ?? 1000)
    case 'ERR_IDEMPOTENCY_IN_DOUBT':
      return problem('in-doubt', retryAfterMs)
    case 'ERR_IDEMPOTENCY_LEASE_LOST':
      return outcome === 'not-run' ? problem('store', 1000) : problem('in-doubt', retryAfterMs)
    case 'ERR_IDEMPOTENCY_STORE':
    case 'ERR_IDEMPOTENCY_NOT_DURABLE':
      return problem('store', retryable ? (retryAfterMs ?? 1000) : undefined)
    case 'ERR_IDEMPOTENCY_CLOSED':
    case 'ERR_IDEMPOTENCY_FORMAT':
      return problem('store')
    case 'ERR_IDEMPOTENCY_FAILED':
      return problem('failed')
    case 'ERR_IDEMPOTENCY_RESULT':
    case 'ERR_IDEMPOTENCY_RESULT_NOT_KEPT':
      return problem('response-not-kept')
    case 'ERR_IDEMPOTENCY_OPTIONS':
    case 'ERR_IDEMPOTENCY_KEY':
    case 'ERR_IDEMPOTENCY_FINGERPRINT':
    case 'ERR_IDEMPOTENCY_VERDICT':
      break
  }
  return undefined
}

export const PROBLEM_TYPE = 'application/problem+json'

export function problemHeaders({ retryAfterS }: Problem): [string, string][] {
  const type: [string, string] = ['content-type', PROBLEM_TYPE]
  return retryAfterS === undefined ? [type] : [type, ['retry-after', String(retryAfterS)]]
}

export function problemBody({ code }: Problem, base: string): Buffer {
  const { status, title, detail } = PROBLEMS[code]
  return Buffer.from(JSON.stringify({ type: `${base}${code}`, title, status, detail, code }))
}
