import type { IncomingMessage } from 'node:http'

import { overrideMethods } from './overrides.ts'

/**
 * Stops a body that flows already because somebody in front listens to its data (to count bytes, say): it would run out
 * before the handler listens.
 *
 * @returns lets it flow again
 */
export function stopFlow(request: IncomingMessage): () => void {
  if (request.readableFlowing !== true) return () => undefined
  request.pause()
  return () => void request.resume()
}

/** Takes what has come, or asks for the first part. Who listens in front does not hear of it, as it comes once more. */
export function takeArrived(request: IncomingMessage): Buffer | null {
  const { under, restore } = overrideMethods(request, {
    emit: (event: string, ...args: unknown[]) => event === 'data' || under('emit', event, ...args),
  })
  try {
    return request.read(request.readableLength) as Buffer | null
  } finally {
    restore()
  }
}

/** A body that was put back counts as read for good, by which `fetch` and other guards go. Until it is read it is not. */
export function markUnread(request: IncomingMessage): void {
  const { readableLength: length } = request
  Object.defineProperty(request, 'readableDidRead', {
    configurable: true,
    get: () => request.readableLength !== length || request.readableEnded,
  })
}
