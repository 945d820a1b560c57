import type { WebSocket } from 'ws'
import type { ExchangeCore } from '../exchange-core.ts'
import type { Timeline } from '../engine/timeline.ts'

const PING_EVERY_MS = 20_000
const PONG_WITHIN_MS = 60_000
const LIFE_MS = 86_400_000
const MESSAGES_PER_SECOND = 5
/** Between the announcement and the end; the real one gives ten minutes. */
const SHUTDOWN_NOTICE_MS = 1000
/** A peer that does not read is cut off before it can fill the memory. */
const MAX_BUFFERED_BYTES = 16 * 1024 * 1024

/** One WebSocket connection under the house rules: pings, 24 hours, at most 5 messages a second. */
export interface LiveSocket {
  /** An answer; not held back by `silence`. */
  send(text: string): void
  /** An event; lost while the socket is silenced. */
  sendEvent(text: string): void
  /** The connection ends at once, without a close frame. */
  drop(): void
  /** TCP reset. */
  reset(): void
  /** Pings go on, events do not. */
  silence(ms: number): void
  /** Announces the end, then ends. */
  shutdown(notice: string): void
  readonly open: boolean
  readonly connectedAtMs: number
}

/** Puts a socket under the rules. `onMessage` gets text frames only. */
export function keepAlive(
  core: ExchangeCore,
  socket: WebSocket,
  handlers: { onMessage(text: string): void; onClose(): void },
): LiveSocket {
  const { timeline } = core.engine
  const timers = createTimerSet(timeline)
  let silentUntilMs = 0
  const isOpen = (): boolean => socket.readyState === socket.OPEN
  const write = (text: string): void => {
    if (!isOpen()) return
    if (socket.bufferedAmount > MAX_BUFFERED_BYTES) return socket.terminate()
    socket.send(text)
  }

  watchPeer(core, socket, timers, text => handlers.onMessage(text))
  // A broken frame or connection: `close` follows and is all there is to do.
  socket.on('error', () => socket.terminate())
  socket.on('close', () => {
    timers.clear()
    handlers.onClose()
  })
  timers.add(() => socket.close(1001, 'Connections end after 24 hours'), LIFE_MS)

  return {
    send: write,
    sendEvent: text => {
      if (timeline.steadyMs() >= silentUntilMs) write(text)
    },
    drop: () => socket.terminate(),
    reset: () => resetUnder(socket),
    silence: ms => {
      silentUntilMs = Math.max(silentUntilMs, timeline.steadyMs() + ms)
    },
    shutdown: notice => {
      write(notice)
      timers.add(() => socket.close(1001, 'Server shutdown'), SHUTDOWN_NOTICE_MS)
    },
    get open() {
      return isOpen()
    },
    connectedAtMs: timeline.nowMs(),
  }
}

/** Pings the peer, drops it when it does not answer, and counts what it sends. */
function watchPeer(core: ExchangeCore, socket: WebSocket, timers: TimerSet, onMessage: (text: string) => void): void {
  const { timeline } = core.engine
  const mayStillSend = createMessageLimit(timeline)
  let waitingSinceMs: number | undefined
  let unanswered = 0

  const ping = (): void => {
    timers.add(ping, PING_EVERY_MS)
    const nowMs = timeline.steadyMs()
    // One ping a jump of a manual clock is enough: nobody could answer the first before the last.
    if (waitingSinceMs !== undefined && waitingSinceMs > nowMs) return
    if (waitingSinceMs !== undefined && nowMs - waitingSinceMs >= PONG_WITHIN_MS) return socket.terminate()
    waitingSinceMs ??= core.horizonMs()
    unanswered++
    if (socket.readyState === socket.OPEN) socket.ping(String(timeline.nowMs()))
  }
  const count = (): boolean => {
    if (mayStillSend()) return true
    socket.close(1008, 'Too many messages')
    return false
  }

  timers.add(ping, PING_EVERY_MS)
  socket.on('ping', () => void count())
  socket.on('pong', () => {
    // A pong that answers nothing is a message like any other.
    if (unanswered === 0) count()
    else unanswered--
    waitingSinceMs = undefined
  })
  socket.on('message', (data, isBinary) => {
    if (socket.readyState !== socket.OPEN || !count()) return
    if (isBinary) return socket.close(1003, 'Text only')
    onMessage((data as Buffer).toString('utf8'))
  })
}

function createMessageLimit(timeline: Timeline): () => boolean {
  const arrivals: number[] = []
  return () => {
    const nowMs = timeline.steadyMs()
    arrivals.push(nowMs)
    if (arrivals.length <= MESSAGES_PER_SECOND) return true
    return nowMs - (arrivals.shift() ?? 0) >= 1000
  }
}

interface TimerSet {
  add(run: () => void, delayMs: number): void
  clear(): void
}

function createTimerSet(timeline: Timeline): TimerSet {
  const timers = new Set<{ cancel(): void }>()
  return {
    add: (run, delayMs) => {
      const timer = timeline.schedule(() => {
        timers.delete(timer)
        run()
      }, delayMs)
      timers.add(timer)
    },
    clear: () => {
      for (const timer of timers) timer.cancel()
      timers.clear()
    },
  }
}

/** ws keeps its TCP socket to itself; it is the only way to send a reset. */
function resetUnder(socket: WebSocket): void {
  const tcp = (socket as unknown as { _socket?: { resetAndDestroy(): void } | null })._socket
  if (tcp) tcp.resetAndDestroy()
  else socket.terminate()
}
