import type { Clock } from '@safety/redis-core'
import { WebSocket, type RawData } from 'ws'

export interface SocketOptions {
  readonly url: string
  readonly clock: Clock
  /** Without any frame, a ping included, for this long the connection counts as dead. */
  readonly silentAfterMs: number
  readonly onOpen: (send: (message: object) => void) => void
  readonly onMessage: (message: unknown) => void
  /** Once, when it ended or could not be opened; not after `close`. */
  readonly onDown: (reason: string) => void
}

/** One WebSocket connection that speaks JSON and notices when it is dead. It does not reconnect. */
export interface Socket {
  /** Since the last frame of any kind, in milliseconds. */
  silentMs(): number
  close(): void
}

const handshakeTimeoutMs = 10_000

function parse(data: RawData): unknown {
  try {
    // Frames arrive as one Buffer: fragments are joined by the library.
    return JSON.parse((data as Buffer).toString('utf8'))
  } catch {
    // A frame that is not JSON says nothing the trader reads.
    return undefined
  }
}

export function openSocket(options: SocketOptions): Socket {
  const { clock } = options
  const socket = new WebSocket(options.url, { handshakeTimeout: handshakeTimeoutMs })
  let lastFrameMs = clock.monotonic()
  let reason: string | undefined
  let ended = false
  let timer: { cancel(): void } | undefined

  const alive = (): void => {
    lastFrameMs = clock.monotonic()
  }
  function watch(): void {
    const leftMs = options.silentAfterMs - (clock.monotonic() - lastFrameMs)
    if (leftMs <= 0) {
      reason = 'silent'
      socket.terminate()
      return
    }
    timer = clock.setTimeout(watch, leftMs, { ref: false })
  }
  socket.on('open', () => {
    alive()
    options.onOpen(message => {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message))
    })
  })
  socket.on('message', data => {
    alive()
    if (!ended) options.onMessage(parse(data))
  })
  socket.on('ping', alive)
  socket.on('error', error => {
    reason ??= 'code' in error && typeof error.code === 'string' ? error.code : 'error'
  })
  socket.on('close', code => {
    timer?.cancel()
    if (ended) return
    ended = true
    options.onDown(reason ?? `closed ${code}`)
  })
  watch()
  return {
    silentMs: () => clock.monotonic() - lastFrameMs,
    close() {
      if (ended) return
      ended = true
      timer?.cancel()
      // `terminate` on a socket that is still connecting reports an error, which nobody needs to hear any more.
      socket.terminate()
    },
  }
}
