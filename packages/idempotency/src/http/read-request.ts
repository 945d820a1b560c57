import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'

import { MAX_BODY_BYTES } from './read-stream.ts'
import { unseenBody } from './request-payload.ts'
import type { RequestBody } from './request-payload.ts'
import { overrideMethods } from './overrides.ts'

/** Whether the request announces a body at all; HTTP/2 does so by leaving its stream open. */
export function hasBody(request: IncomingMessage): boolean {
  const stream = streamOf(request)
  if (stream) return !stream.endAfterHeaders
  const { headers } = request
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** Whether nobody has taken anything of the body yet. */
export function isUnread(request: IncomingMessage): boolean {
  return !request.readableDidRead && !request.readableEnded && request.readableEncoding === null
}

/**
 * The body of a request nobody has read yet. It is put back, so that body parsers and handlers behind read it as usual.
 *
 * @returns undefined above 1 MiB
 * @throws `ERR_IDEMPOTENCY_FINGERPRINT` if it was read before; the stream's own error
 */
export async function readRequest(request: IncomingMessage): Promise<RequestBody | undefined> {
  if (!hasBody(request)) return { kind: 'none' }
  if (!isUnread(request)) throw unseenBody()
  const bytes = await peek(request)
  if (bytes === undefined) return undefined
  return bytes.length === 0 ? { kind: 'none' } : { kind: 'bytes', bytes }
}

function streamOf(request: IncomingMessage): Http2ServerRequest['stream'] | undefined {
  return request.httpVersionMajor >= 2 ? (request as unknown as Http2ServerRequest).stream : undefined
}

/** Whether the whole message lies in the request's buffer. */
function isComplete(request: IncomingMessage): boolean {
  return streamOf(request)?.readableEnded ?? request.complete
}

/**
 * Reads to the end of the message. Parts that come are taken before the stream sees them and given to it in one piece
 * with its end: a stream that was read to an end, an empty one above all, would say so before anybody behind listens.
 */
function peek(request: IncomingMessage): Promise<Buffer | undefined> {
  if (request.destroyed) return Promise.reject(clientLeft())
  if (isComplete(request)) return Promise.resolve(peekBuffer(request))
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    function leave(): void {
      overrides.restore()
      request.off('error', onError)
      request.off('close', onClose)
    }
    function take(chunk: Buffer): void {
      chunks.push(chunk)
      bytes += chunk.length
    }
    /** Gives back what was taken. @returns whether the stream wants more */
    function giveBack(): boolean {
      leave()
      const whole = Buffer.concat(chunks)
      resolve(bytes > MAX_BODY_BYTES ? undefined : whole)
      return whole.length === 0 || request.push(whole)
    }
    function onError(error: Error): void {
      leave()
      reject(error)
    }
    function onClose(): void {
      onError(clientLeft())
    }
    const overrides = overrideMethods(request, {
      push(chunk: Buffer | null): boolean {
        if (chunk === null) {
          giveBack()
          return request.push(null)
        }
        take(chunk)
        return bytes <= MAX_BODY_BYTES || giveBack()
      },
    })
    request.on('error', onError)
    request.on('close', onClose)
    // Takes what has come already, or asks for the first part.
    const buffered = request.read(request.readableLength) as Buffer | null
    if (buffered !== null) take(buffered)
  })
}

/** Reading the last byte makes the stream end with the next tick, unless it is back by then. */
function peekBuffer(request: IncomingMessage): Buffer | undefined {
  if (request.readableLength === 0) return Buffer.alloc(0)
  const whole = request.read() as Buffer
  request.unshift(whole)
  return whole.length > MAX_BODY_BYTES ? undefined : whole
}

function clientLeft(): Error {
  return new Error('the client left before its request was whole')
}
