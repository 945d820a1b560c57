import type { Socket } from 'node:net'
import { createLane, type Lane } from './lane.ts'
import type { Ending } from './rule.ts'

/** A client's socket and the server's socket behind it, the two lanes between them, and how they end. */
export interface Wire {
  readonly requests: Lane
  readonly replies: Lane
  /** The client gets an RST. What was sent to the server before stays sent and is executed. */
  reset(): void
  /** The client gets a FIN after what was written to it. */
  finish(): void
  /** Nothing passes any more, in either direction, and nobody is told, not even that the other side closed. */
  silence(): void
  /** The server's side closes; the client is not told. */
  halfOpen(): void
  /** Ends the connection the given way; silence stops this one lane only. */
  end(lane: Lane, ending: Ending): void
  /** Both sides at once, whatever waits. */
  destroy(): void
}

// Beyond this much unsent data the other side is no longer read.
const HIGH_WATER_BYTES = 4 * 1024 * 1024

function send(to: Socket, from: Socket, bytes: Buffer): void {
  if (to.destroyed || !to.writable || bytes.length === 0) return
  to.write(bytes)
  if (to.writableLength < HIGH_WATER_BYTES || from.isPaused()) return
  from.pause()
  to.once('drain', () => from.resume())
  to.once('close', () => from.resume())
}

// A peer that finds data and an RST together may lose the data, or take the RST for an orderly end; it gets this long to read.
const READ_TIME_MS = 20

/** Resets once everything written before has left and could be read, so that earlier replies still arrive. */
function createReset(socket: Socket): { wrote(): void; run(): void } {
  let wroteMs = -Infinity
  const reset = (): void => {
    if (!socket.destroyed) socket.resetAndDestroy()
  }
  const afterFlush = (): void => {
    const leftMs = wroteMs + READ_TIME_MS - performance.now()
    if (leftMs > 0) setTimeout(reset, leftMs)
    else reset()
  }
  return {
    wrote() {
      wroteMs = performance.now()
    },
    run() {
      if (socket.destroyed) return
      if (socket.writableLength === 0) afterFlush()
      else socket.write(Buffer.alloc(0), afterFlush)
    },
  }
}

/** Makes what one side does reach the other, in its turn. */
function propagateEndings(client: Socket, server: Socket, requests: Lane, replies: Lane, reset: () => void): void {
  const endServer = (): void => requests.after(() => void server.end())
  // What a client sent before it left has left with it, and is executed.
  client.on('end', () => {
    endServer()
    // A client that has said goodbye over a silent line is let go; nobody else would ever close its socket.
    if (replies.muted) client.end()
  })
  client.on('close', () => {
    endServer()
    replies.mute()
    server.resume()
  })
  client.on('error', () => {}) // 'close' follows and says all there is to say
  server.on('end', () => {
    replies.after(() => void client.end())
    server.end()
  })
  server.on('error', () => replies.after(reset))
}

/**
 * @param onClosed called once both sockets have closed
 */
export function createWire(client: Socket, server: Socket, onClosed: () => void): Wire {
  const requests = createLane(bytes => send(server, client, bytes))
  const replies = createLane(bytes => {
    clientReset.wrote()
    send(client, server, bytes)
  })
  const clientReset = createReset(client)
  propagateEndings(client, server, requests, replies, () => clientReset.run())
  let open = 2
  const closed = (): void => {
    if (--open === 0) onClosed()
  }
  client.once('close', closed)
  server.once('close', closed)

  const leaveServer = (): void => {
    requests.mute()
    replies.mute()
    server.end()
  }
  const wire: Wire = {
    requests,
    replies,
    reset() {
      leaveServer()
      clientReset.run()
    },
    finish() {
      leaveServer()
      client.end()
    },
    silence() {
      requests.mute()
      replies.mute()
    },
    halfOpen() {
      leaveServer()
    },
    end(lane, ending) {
      if (ending === 'reset') wire.reset()
      else if (ending === 'fin') wire.finish()
      else lane.mute()
    },
    destroy() {
      requests.mute()
      replies.mute()
      if (!client.destroyed) client.resetAndDestroy()
      server.destroy()
    },
  }
  return wire
}
