import { isUtf8 } from 'node:buffer'

import { z } from 'zod'

import { MAX_RESULT_BYTES } from '../definition.ts'

/** An answer as it is kept: an object in the record, and what a lookup or an operator gives. */
export interface HttpAnswer {
  /** 200..599. */
  readonly status: number
  /** Names in lower case. Those that belong to one message, such as `content-length`, are not repeated. */
  readonly headers?: { readonly [name: string]: string | readonly string[] } | undefined
  /** @default '' */
  readonly body?: string | undefined
  /** How `body` is written; `base64` for what is no UTF-8, or much longer as JSON. @default 'utf8' */
  readonly encoding?: 'utf8' | 'base64' | undefined
}

export const HEADER_NAME: RegExp = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** What Node sends: anything else would break the replay, or the message. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

const VALUE = z.string().regex(HEADER_VALUE, 'has characters no header can carry')

/** Records may have been written by a person: what is read is checked. */
export const ANSWER: z.ZodType<HttpAnswer> = z.object({
  status: z.int().min(200).max(599),
  headers: z.record(z.string().regex(HEADER_NAME, 'is no header name'), z.union([VALUE, z.array(VALUE)])).optional(),
  body: z.string().optional(),
  encoding: z.enum(['utf8', 'base64']).optional(),
})

export type HeaderValue = number | string | readonly string[] | undefined

/** What a handler has answered. */
export interface GivenAnswer {
  readonly status: number
  readonly body: Buffer
  header(name: string): HeaderValue
}

/** What is left for the headers that are kept. */
const HEADERS_BYTES = 65_536

/** A body in base64. */
function encodedBytes(bodyBytes: number): number {
  return Math.ceil((bodyBytes * 4) / 3) + 4
}

/** What a record needs so that every body up to `maxBodyBytes` can be kept, as far as records reach. */
export function recordBytesFor(maxBodyBytes: number): number {
  return Math.min(MAX_RESULT_BYTES, encodedBytes(maxBodyBytes) + HEADERS_BYTES)
}

/**
 * @param headers names in lower case that are kept, as far as the answer has them
 * @param maxBodyBytes the longest body that is kept
 */
export function answerOf(given: GivenAnswer, headers: readonly string[], maxBodyBytes: number): HttpAnswer {
  const { status, body } = given
  const kept: Record<string, string | readonly string[]> = {}
  for (const name of headers) {
    const value = given.header(name)
    if (value !== undefined) kept[name] = typeof value === 'number' ? String(value) : value
  }
  const text = textOf(body, encodedBytes(maxBodyBytes))
  return {
    status,
    headers: kept,
    body: text ?? body.toString('base64'),
    ...(text === undefined ? { encoding: 'base64' } : {}),
  }
}

/** A character of one byte takes six in JSON at most. */
const MAX_ESCAPE = 6

/** The body as text, unless it is none or its escapes make it longer than base64 can be. */
function textOf(body: Buffer, maxEscapedBytes: number): string | undefined {
  if (!isUtf8(body)) return undefined
  const text = body.toString('utf8')
  if (body.length * MAX_ESCAPE <= maxEscapedBytes) return text
  return Buffer.byteLength(JSON.stringify(text)) <= maxEscapedBytes ? text : undefined
}

export function bodyOf({ body = '', encoding = 'utf8' }: HttpAnswer): Buffer {
  return Buffer.from(body, encoding)
}

/** These belong to one message on one connection; a replay has its own. */
const NEVER_REPEATED: ReadonlySet<string> = new Set(
  'connection content-length date idempotency-replayed keep-alive proxy-connection te trailer transfer-encoding upgrade'.split(
    ' ',
  ),
)

export function isRepeatable(name: string): boolean {
  return !NEVER_REPEATED.has(name.toLowerCase())
}

/** What makes a replay one: the kept headers, and the mark. */
export function replayHeaders({ headers = {} }: HttpAnswer): [string, string | readonly string[]][] {
  return [...Object.entries(headers).filter(([name]) => isRepeatable(name)), ['idempotency-replayed', 'true']]
}

/** Headers that describe one body: where another is sent in its place, they go. */
export const BODY_HEADERS: readonly string[] =
  'content-type content-length content-encoding content-language content-location content-range content-disposition content-digest content-md5 etag transfer-encoding'.split(
    ' ',
  )
