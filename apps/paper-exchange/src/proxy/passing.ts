import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { looksLikeKey } from '../http/credentials.ts'
import { splitParameters } from '../http/parameters.ts'
import type { SentParameters } from '../http/parameters.ts'
import { takeOver } from '../http/raw-answer.ts'
import type { RawAnswer } from '../http/raw-answer.ts'
import type { TruthFact } from '../truth/entry.ts'
import type { ForwardedRequest, UpstreamAnswer } from './upstream.ts'

/** A request on its way through the proxy. */
export interface Passing {
  readonly forwarded: ForwardedRequest
  readonly path: string
  readonly account: string | null
  readonly clientOrderId: string | undefined
  readonly sent: SentParameters['values']
  readonly answer: RawAnswer
  requestSeq: number
  faultId: string | null
}

/** Reads a request without changing a byte of it. */
export function readPassing(request: FastifyRequest, reply: FastifyReply): Passing {
  const target = request.raw.url ?? '/'
  const mark = target.indexOf('?')
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
  const sent = splitParameters(mark < 0 ? '' : target.slice(mark + 1), body.toString('utf8')).values
  const apiKey = request.headers['x-mbx-apikey']
  return {
    forwarded: { method: request.method, target, rawHeaders: request.raw.rawHeaders, body },
    path: mark < 0 ? target : target.slice(0, mark),
    account: typeof apiKey === 'string' && looksLikeKey(apiKey) ? nameOf(apiKey) : null,
    clientOrderId: sent.get(request.method === 'POST' ? 'newClientOrderId' : 'origClientOrderId'),
    sent,
    answer: takeOver(reply),
    requestSeq: 0,
    faultId: null,
  }
}

/** When the request says it was signed. */
export function signedAt(passing: Passing): number | null {
  const timestamp = passing.sent.get('timestamp')
  return timestamp !== undefined && /^\d{1,16}$/.test(timestamp) ? Number(timestamp) : null
}

/** The order an answer tells of. */
export function orderOf(answer: UpstreamAnswer): { orderId: number; clientOrderId: string } | undefined {
  const body = readJson(answer.body) as { orderId?: unknown; clientOrderId?: unknown } | undefined | null
  if (typeof body?.orderId !== 'number' || typeof body.clientOrderId !== 'string') return undefined
  return { orderId: body.orderId, clientOrderId: body.clientOrderId }
}

/** The code and message of a refusal. */
export function refusalIn(answer: UpstreamAnswer): { code: number; msg: string } | undefined {
  const body = readJson(answer.body) as { code?: unknown; msg?: unknown } | undefined | null
  return typeof body?.code === 'number' ? { code: body.code, msg: String(body.msg) } : undefined
}

/** What an answer to POST order says has happened at the upstream; nothing when it leaves that open. */
export function placementFact(passing: Passing, answer: UpstreamAnswer): TruthFact | undefined {
  const { sent, forwarded, path, clientOrderId } = passing
  if (forwarded.method !== 'POST' || path !== '/api/v3/order') return undefined
  const facts = {
    account: passing.account ?? 'unknown',
    symbol: sent.get('symbol') ?? '',
    kind: sent.get('type') ?? '',
    signedAtMs: signedAt(passing),
  }
  const side = sent.get('side') ?? ''
  const order = orderOf(answer)
  if (answer.status === 200 && order !== undefined) {
    const amounts = { qty: sent.get('quantity') ?? '0', price: sent.get('price') ?? '0' }
    return { type: 'accepted', ...facts, ...order, ...amounts, side: side === 'SELL' ? 'SELL' : 'BUY' }
  }
  const refusal = refusalIn(answer)
  if (refusal === undefined || answer.status < 400 || answer.status >= 500) return undefined
  return { type: 'rejected', ...facts, side, clientOrderId: clientOrderId ?? null, ...refusal }
}

/** A body as JSON, or `undefined`. */
export function readJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}

/** Tells keys apart in the log without showing them. */
function nameOf(apiKey: string): string {
  return `key-${createHash('sha256').update(apiKey).digest('hex').slice(0, 12)}`
}
