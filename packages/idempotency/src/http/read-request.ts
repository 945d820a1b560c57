import type { IncomingMessage } from 'node:http'

import { MAX_BODY_BYTES } from './read-stream.ts'
import { unseenBody } from './request-payload.ts'
import type { RequestBody } from './request-payload.ts'

/** Whether the request announces a body at all. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/**
 * The body of a request nobody has read yet. It is put back, so that body parsers and handlers behind read it as usual.
 *
 * @returns undefined above 1 MiB
 * @throws `ERR_IDEMPOTENCY_FINGERPRINT` if it was read before; the stream's own error
 */
export async function readRequest(request: IncomingMessage): Promise<RequestBody | undefined> {
  if (!hasBody(request)) return { kind: 'none' }
  if (request.readableDidRead || request.readableEnded) throw unseenBody()
  const bytes = await peek(request)
  if (bytes === undefined) return undefined
  return bytes.length === 0 ? { kind: 'none' } : { kind: 'bytes', bytes }
}

/** Reads to the end of the message and puts all of it back before the stream has said that it ended. */
function peek(request: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const leave = (): void => {
      request.off('readable', onReadable)
      request.off('error', onError)
      request.off('close', onClose)
    }
    const putBack = (): Buffer => {
      const whole = Buffer.concat(chunks)
      if (whole.length > 0) request.unshift(whole)
      leave()
      return whole
    }
    function onReadable(): void {
      for (let chunk = request.read() as Buffer | null; chunk !== null; chunk = request.read() as Buffer | null) {
        chunks.push(chunk)
        bytes += chunk.length
      }
      if (bytes > MAX_BODY_BYTES) {
        putBack()
        resolve(undefined)
      } else if (request.complete) resolve(putBack())
    }
    function onError(error: Error): void {
      leave()
      reject(error)
    }
    function onClose(): void {
      onError(new Error('the client left before its request was whole'))
    }
    request.on('readable', onReadable)
    request.on('error', onError)
    request.on('close', onClose)
  })
}
