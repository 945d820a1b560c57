import { validateHeaderValue } from 'node:http'
import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** Status line of a response, as it was when its handler sent it. */
export interface ResponseHead {
  readonly statusCode: number
  /** undefined over HTTP/2, which has none and warns of each use. */
  readonly statusMessage: string | undefined
}

/** Takes over the arguments of a `writeHead`. @throws what Node throws for a status line it cannot send */
export function prepareHead(response: ServerResponse, status: number, rest: readonly unknown[]): ResponseHead {
  if (!(status >= 100 && status < 1000)) {
    throw nodeError(new RangeError(`Invalid status code: ${status}`), 'ERR_HTTP_INVALID_STATUS_CODE')
  }
  response.statusCode = Math.trunc(status)
  const [first, second] = rest
  if (typeof first === 'string') response.statusMessage = first
  setHeaders(response, (typeof first === 'string' ? second : first) as HeadersArgument)
  const { statusCode } = response
  if (response.req.httpVersionMajor >= 2) return { statusCode, statusMessage: undefined }
  // Empty as long as nobody has set one: Node finds the usual one by the status.
  const statusMessage = response.statusMessage ?? ''
  if (statusMessage !== '') validateHeaderValue('statusMessage', statusMessage)
  return { statusCode, statusMessage }
}

/** The error of Node for a head that is touched too late. */
export function headersSent(verb: 'set' | 'append' | 'remove' | 'write'): Error {
  return nodeError(new Error(`Cannot ${verb} headers after they are sent to the client`), 'ERR_HTTP_HEADERS_SENT')
}

function nodeError(error: Error, code: string): Error {
  return Object.assign(error, { code })
}

type HeadersArgument = OutgoingHttpHeaders | readonly unknown[] | null | undefined

/** Headers of `writeHead`: an object, pairs, or a flat list of names and values. */
function setHeaders(response: ServerResponse, headers: HeadersArgument): void {
  if (headers === undefined || headers === null) return
  if (!isList(headers)) {
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value)
    return
  }
  const flat = Array.isArray(headers[0]) ? headers.flat() : headers
  if (flat.length % 2 !== 0) {
    throw nodeError(new TypeError("The argument 'headers' is invalid: a name has no value"), 'ERR_INVALID_ARG_VALUE')
  }
  const seen = new Set<string>()
  for (let at = 0; at < flat.length; at += 2) {
    const name = String(flat[at])
    if (seen.has(name.toLowerCase())) response.appendHeader(name, flat[at + 1] as string)
    else response.setHeader(name, flat[at + 1] as OutgoingHttpHeader)
    seen.add(name.toLowerCase())
  }
}

function isList(headers: OutgoingHttpHeaders | readonly unknown[]): headers is readonly unknown[] {
  return Array.isArray(headers)
}
