import { Readable } from 'node:stream'

import { BODY_HEADERS, bodyOf, replayHeaders } from './answer.ts'
import type { HeaderValue, HttpAnswer } from './answer.ts'
import { readUpTo } from './read-stream.ts'
import type { Turn } from './turn.ts'

/** What is used of a Fastify reply. */
export interface ReplyLike {
  readonly raw: { readonly statusCode: number }
  readonly sent: boolean
  statusCode: number
  getHeader(name: string): HeaderValue
  getHeaders(): Readonly<Record<string, HeaderValue>>
  header(name: string, value: unknown): unknown
  removeHeader(name: string): unknown
  send(payload?: unknown): unknown
}

/** Records the handler's answer, with status and headers as they are at this call. @returns what is sent */
export async function decideAnswer(turn: Turn, reply: ReplyLike, payload: unknown, limit: number): Promise<unknown> {
  const preparing = prepare(reply, payload, limit)
  const head = headOf(reply)
  let prepared: Prepared
  try {
    prepared = await preparing
  } catch (error) {
    await turn.threw(new Error('the handler did not finish its answer', { cause: error }))
    throw error
  }
  const { status, headers } = head
  const other = await turn.answered({ status, body: prepared.bytes, header: name => headers[name] })
  // A handler that throws after it has sent makes Fastify prepare an error answer on the same reply meanwhile.
  restoreHead(reply, head)
  if (!other) return prepared.payload()
  await prepared.discard()
  for (const name of BODY_HEADERS) reply.removeHeader(name)
  return prepareReplay(reply, other)
}

interface ReplyHead {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, HeaderValue>>
}

function headOf(reply: ReplyLike): ReplyHead {
  const headers: Record<string, HeaderValue> = {}
  // Cookies are added to the list that is there.
  for (const [name, value] of Object.entries(reply.getHeaders())) headers[name] = isList(value) ? [...value] : value
  return { status: reply.statusCode, headers }
}

function restoreHead(reply: ReplyLike, { status, headers }: ReplyHead): void {
  reply.statusCode = status
  const now = reply.getHeaders()
  for (const name of Object.keys(now)) if (now[name] !== headers[name]) reply.removeHeader(name)
  for (const [name, value] of Object.entries(headers)) if (now[name] !== value) reply.header(name, value)
}

function isList(value: HeaderValue): value is readonly string[] {
  return Array.isArray(value)
}

/** Puts a recorded answer on the reply. @returns its payload */
export function prepareReplay(reply: ReplyLike, answer: HttpAnswer): Buffer | undefined {
  reply.statusCode = answer.status
  for (const [name, value] of replayHeaders(answer)) reply.header(name, value)
  const body = bodyOf(answer)
  return body.length === 0 ? undefined : body
}

interface Prepared {
  readonly bytes: Buffer
  payload(): unknown
  discard(): Promise<void>
}

/** Reads what Fastify is about to send, up to the limit. A `Response` gives its status and headers to the reply. */
async function prepare(reply: ReplyLike, payload: unknown, limit: number): Promise<Prepared> {
  if (payload === undefined || payload === null) return whole(Buffer.alloc(0), payload)
  if (typeof payload === 'string' || payload instanceof Uint8Array) return whole(Buffer.from(payload), payload)
  if (payload instanceof Response) {
    reply.statusCode = payload.status
    for (const [name, value] of payload.headers) reply.header(name, value)
    return await prepareStream(payload.body, limit)
  }
  if (payload instanceof ReadableStream) return await prepareStream(payload as ReadableStream<Uint8Array>, limit)
  return await prepareStream(Readable.toWeb(payload as Readable) as ReadableStream<Uint8Array>, limit)
}

async function prepareStream(stream: ReadableStream<Uint8Array> | null, limit: number): Promise<Prepared> {
  const { bytes, rest } = await readUpTo(stream, limit)
  if (!rest) return whole(bytes, bytes)
  return { bytes, payload: () => Readable.fromWeb(rest.whole() as never), discard: () => rest.cancel() }
}

function whole(bytes: Buffer, payload: unknown): Prepared {
  return { bytes, payload: () => payload, discard: () => Promise.resolve() }
}
