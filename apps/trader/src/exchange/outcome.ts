/** What one call left behind. `classify` reads these facts and never the text of an error. */
export interface CallFacts {
  /** The transport's error code (`ECONNRESET`, `UND_ERR_SOCKET`), or `TIMEOUT` or `ABORT` when this side gave up. */
  readonly cause: string | undefined
  /** HTTP status, if the head of an answer arrived. */
  readonly status: number | undefined
  /** The exchange's own code in a JSON body, such as -1013. */
  readonly code: number | undefined
  /** The exchange's message. Read for `Duplicate order sent.` only, where one code stands for two things. */
  readonly message: string | undefined
  /** From the Retry-After header, in milliseconds. */
  readonly retryAfterMs: number | undefined
  /** From X-MBX-USED-WEIGHT-1M. */
  readonly usedWeight: number | undefined
  /** A whole body arrived and it is JSON. */
  readonly readable: boolean
}

/** What the call meant to do; the same signal means different things to an order, a cancel and a query. */
export type CallKind = 'order' | 'cancel' | 'query'

export type OutcomeClass =
  /** The exchange did it and said so. */
  | 'OK'
  /** Nothing left this machine: it did not run. */
  | 'NOT_SENT'
  /** It may or may not have run. */
  | 'UNKNOWN'
  /** A limit refused it: it did not run, and nobody may ask before `retryAfterMs`. */
  | 'REFUSED'
  /** The source is banned: it did not run, and every call stops. */
  | 'BANNED'
  /** The timestamp was outside the window: it did not run. */
  | 'CLOCK'
  /** Key, signature or permission: it did not run and will not until a person acts. */
  | 'CONFIGURATION'
  /** A final refusal of this request. */
  | 'REJECTED'
  /** An order with this id is open already. */
  | 'ALREADY_OPEN'
  /** The cancel found nothing to cancel: query the order. */
  | 'CANCEL_UNKNOWN'
  /** The query found nothing yet. It is no proof by itself. */
  | 'NOT_FOUND'

export interface Outcome {
  readonly class: OutcomeClass
  /** Short and from a closed set: a transport code, `HTTP 503`, or the exchange's code. Safe as a label. */
  readonly reason: string
  readonly retryAfterMs: number | undefined
  /** A person should hear about it. */
  readonly alert: boolean
}

/** Reason of a call that was held back here because the exchange asked everybody to wait. */
export const gateReason = 'GATE'
/** Reason of a call that was held back here because the exchange does not answer. */
export const breakerReason = 'BREAKER'

const notConnected = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  // The TLS handshake failed, so no byte of the request was written.
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REVOKED',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'ERR_TLS_HANDSHAKE_TIMEOUT',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_UNSUPPORTED_PROTOCOL',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
  'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
])

/** Codes that say "I do not know what became of it", whatever status carries them. */
const unsure = new Set([-1000, -1001, -1006, -1007, -1008])
const limited = new Set([-1003, -1015])
const configuration = new Set([-1022, -2014, -2015])

/** The exchange's documented text for the one case of -2010 in which an order exists. */
export const duplicateOrderMessage = 'Duplicate order sent.'

function outcome(kind: OutcomeClass, reason: string, more: { retryAfterMs?: number; alert?: boolean } = {}): Outcome {
  return { class: kind, reason, retryAfterMs: more.retryAfterMs, alert: more.alert ?? false }
}

function refusal(facts: CallFacts, call: CallKind, code: number): Outcome {
  const reason = String(code)
  if (unsure.has(code)) return outcome('UNKNOWN', reason)
  if (limited.has(code)) return outcome('REFUSED', reason, { retryAfterMs: facts.retryAfterMs ?? 1000 })
  if (code === -1021) return outcome('CLOCK', reason)
  if (configuration.has(code)) return outcome('CONFIGURATION', reason, { alert: true })
  if (code === -2010 && facts.message === duplicateOrderMessage) return outcome('ALREADY_OPEN', reason)
  if (code === -2011 && call === 'cancel') return outcome('CANCEL_UNKNOWN', reason)
  if (code === -2013 && call === 'query') return outcome('NOT_FOUND', reason)
  return outcome('REJECTED', reason)
}

/**
 * Reads the class of a call from its facts. The status wins over the body, and whatever is not documented as a refusal
 * is UNKNOWN: a wrong "it did not run" buys twice, a wrong "unknown" only costs a query.
 */
export function classify(facts: CallFacts, call: CallKind): Outcome {
  if (facts.cause !== undefined && notConnected.has(facts.cause)) return outcome('NOT_SENT', facts.cause)
  if (facts.status === undefined) return outcome('UNKNOWN', facts.cause ?? 'NO_ANSWER')
  const http = `HTTP ${facts.status}`
  if (facts.status === 418) return outcome('BANNED', http, { retryAfterMs: facts.retryAfterMs ?? 120_000, alert: true })
  if (facts.status === 429) return outcome('REFUSED', http, { retryAfterMs: facts.retryAfterMs ?? 1000 })
  if (facts.status >= 500) return outcome('UNKNOWN', facts.code === undefined ? http : `${http} ${facts.code}`)
  if (facts.cause !== undefined) return outcome('UNKNOWN', facts.cause)
  if (facts.status === 200)
    return facts.readable ? outcome('OK', http) : outcome('UNKNOWN', 'UNREADABLE', { alert: true })
  if (facts.status < 400 || facts.code === undefined) return outcome('UNKNOWN', http, { alert: true })
  return refusal(facts, call, facts.code)
}

/**
 * What a call says about the health of the exchange: whatever went unanswered, or never reached it, speaks against it; a
 * refusal is an answer. A call the own gate held back says nothing.
 */
export function verdictOn({ class: kind, reason }: Outcome): 'success' | 'failure' | 'ignored' {
  if (reason === gateReason) return 'ignored'
  return kind === 'UNKNOWN' || kind === 'NOT_SENT' ? 'failure' : 'success'
}
