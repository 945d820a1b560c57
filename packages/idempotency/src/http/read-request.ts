import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'

import { MAX_BODY_BYTES } from './read-stream.ts'
import { unseenBody } from './request-payload.ts'
import type { RequestBody } from './request-payload.ts'
import { overrideMethods } from './overrides.ts'
import { markUnread, takeArrived } from './request-flow.ts'

/** Whether the request announces a body at all; HTTP/2 does so by leaving its stream open. */
export function hasBody(request: IncomingMessage): boolean {
  // A stream that is gone no longer tells.
  if (isHttp2(request)) return streamOf(request)?.endAfterHeaders !== true
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
  if (!hasBody(request)) {
    // Of a stream that was stopped even the end of nothing must wait for the handler.
    if (request.isPaused() && isUnread(request)) await peek(request)
    return { kind: 'none' }
  }
  if (!isUnread(request)) throw isBrokenOff(request) ? clientLeft() : unseenBody()
  const bytes = await peek(request)
  if (bytes === undefined) return undefined
  return bytes.length === 0 ? { kind: 'none' } : { kind: 'bytes', bytes }
}

function isHttp2(request: IncomingMessage): boolean {
  return request.httpVersionMajor >= 2
}

function streamOf(request: IncomingMessage): Http2ServerRequest['stream'] | undefined {
  return isHttp2(request) ? (request as unknown as Http2ServerRequest).stream : undefined
}

/** Whether the whole message lies in the request's buffer. */
function isComplete(request: IncomingMessage): boolean {
  return streamOf(request)?.readableEnded ?? request.complete
}

/** Over HTTP/2 a message that its client breaks off ends like a whole one. */
function isBrokenOff(request: IncomingMessage): boolean {
  if (request.destroyed || request.aborted) return true
  const stream = streamOf(request)
  return stream !== undefined && (stream.aborted || stream.rstCode !== 0)
}

/**
 * Reads to the end of the message. Parts that come are taken before the stream sees them and given to it in one piece
 * with its end: a stream that was read to an end, an empty one above all, would say so before anybody behind listens.
 */
function peek(request: IncomingMessage): Promise<Buffer | undefined> {
  if (isBrokenOff(request)) return Promise.reject(clientLeft())
  if (isComplete(request)) return Promise.resolve(peekBuffer(request))
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    let left = false
    function leave(): void {
      left = true
      overrides.restore()
      request.off('error', onError)
      request.off('close', onClose)
    }
    function take(chunk: Buffer | string, encoding?: BufferEncoding): void {
      // Requests of no connection, as tests inject them, may push texts.
      const part = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk
      chunks.push(part)
      bytes += part.length
    }
    /** Gives back what was taken. @returns whether the stream wants more */
    function giveBack(): boolean {
      leave()
      const whole = Buffer.concat(chunks)
      resolve(bytes > MAX_BODY_BYTES ? undefined : whole)
      const wantsMore = whole.length === 0 || request.push(whole)
      if (whole.length > 0) markUnread(request)
      return wantsMore
    }
    function finish(): void {
      if (!left && isBrokenOff(request)) onClose()
      if (!left) giveBack()
      request.push(null)
    }
    function onError(error: Error): void {
      leave()
      reject(error)
    }
    function onClose(): void {
      onError(clientLeft())
    }
    const overrides = overrideMethods(request, {
      push(chunk: Buffer | string | null, encoding?: BufferEncoding): boolean {
        if (chunk === null) {
          // A stream that was stopped just now takes one more look, and would find its end.
          process.nextTick(finish)
          return false
        }
        take(chunk, encoding)
        return bytes <= MAX_BODY_BYTES || giveBack()
      },
    })
    request.on('error', onError)
    request.on('close', onClose)
    const arrived = takeArrived(request)
    if (arrived !== null) take(arrived)
  })
}

/** Reading the last byte makes the stream end with the next tick, unless it is back by then. */
function peekBuffer(request: IncomingMessage): Buffer | undefined {
  if (request.readableLength === 0) return Buffer.alloc(0)
  const whole = takeArrived(request) as Buffer
  request.unshift(whole)
  markUnread(request)
  return whole.length > MAX_BODY_BYTES ? undefined : whole
}

function clientLeft(): Error {
  return new Error('the client left before its request was whole')
}
