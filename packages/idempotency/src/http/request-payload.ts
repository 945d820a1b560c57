import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'

import { IdempotencyError } from '../errors.ts'
import { canonicalForm, NotCanonicalError } from '../fingerprint.ts'
import { deepJsonText } from './deep-json.ts'

/** A body as an adapter has it: the bytes, or what the framework made of them. */
export type RequestBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'parsed'; readonly value: unknown }

const JSON_TYPE = /^application\/(?:[\w.!#$&^+-]+\+)?json\s*(?:;|$)/i

/** What of a request is compared when its key is met again: method, URL, and the body, as JSON where it is that. */
export function requestPayload(
  method: string,
  url: string,
  body: RequestBody,
  contentType: string | undefined,
): string {
  switch (body.kind) {
    case 'none':
      return canonicalForm([method, url])
    case 'parsed':
      return parsedPayload(method, url, body.value)
    case 'bytes':
      break
  }
  const json = contentType !== undefined && JSON_TYPE.test(contentType) ? parse(body.bytes) : undefined
  const canonical = json && jsonPayload(method, url, json.value)
  return canonical === undefined || canonical instanceof NotCanonicalError
    ? bytesPayload(method, url, body.bytes)
    : canonical
}

function parsedPayload(method: string, url: string, value: unknown): string {
  if (typeof value === 'string') return bytesPayload(method, url, Buffer.from(value, 'utf8'))
  if (value instanceof Uint8Array) return bytesPayload(method, url, value)
  const canonical = jsonPayload(method, url, value)
  if (!(canonical instanceof NotCanonicalError)) return canonical
  // JSON that has no canonical form (lone surrogates, 1e999, deep nesting): its own text, in place of the bytes.
  const text = deepJsonText(value)
  if (text !== undefined) return bytesPayload(method, url, Buffer.from(text, 'utf8'))
  const what = `the parsed body cannot be compared: ${canonical.message}`
  throw new IdempotencyError('ERR_IDEMPOTENCY_FINGERPRINT', what, { cause: canonical })
}

/** Also canonical in that equal JSON gives equal texts; what has no such form has the reason. */
function jsonPayload(method: string, url: string, value: unknown): string | NotCanonicalError {
  try {
    return canonicalForm([method, url, 'json', value])
  } catch (error) {
    if (error instanceof NotCanonicalError) return error
    throw error
  }
}

function bytesPayload(method: string, url: string, bytes: Uint8Array): string {
  const digest = createHash('sha256').update(bytes).digest()
  return canonicalForm([method, url, 'bytes', digest])
}

function parse(bytes: Uint8Array): { readonly value: unknown } | undefined {
  if (!isUtf8(bytes)) return undefined
  try {
    return { value: JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')) }
  } catch {
    return undefined
  }
}

/** A body someone else consumed, or will: it cannot be compared before the handler runs. */
export function unseenBody(): IdempotencyError {
  const what =
    'the body of the request cannot be seen here. Parse it before this middleware, or do not guard this route'
  return new IdempotencyError('ERR_IDEMPOTENCY_FINGERPRINT', what)
}

/** Files a parser took out of a body: nobody can tell here what was in them. */
export function unseenFiles(): IdempotencyError {
  const what = 'the files of the request cannot be seen here. Put their parser behind this middleware'
  return new IdempotencyError('ERR_IDEMPOTENCY_FINGERPRINT', what)
}
