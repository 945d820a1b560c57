import type { Clock, Random } from '@safety/redis-core'
import type { Bar } from '../strategy/strategy.ts'
import { createBackoff, createDelayed } from './reconnect.ts'
import { openSocket, type Socket } from './socket.ts'
import { readKlineEvent } from './wire.ts'

export interface MarketStreamOptions {
  /** The combined-stream URL, ending in `/stream`. */
  readonly streamsUrl: string
  readonly symbols: readonly string[]
  readonly clock: Clock
  readonly random: Random
  /** @default 30000 */
  readonly silentAfterMs?: number
  readonly onBar: (symbol: string, bar: Bar, closed: boolean) => void
  /** Bars may have been missed; called when the stream is up again. */
  readonly onGap: (reason: string) => void
  readonly onDown: (reason: string) => void
}

/** One-minute bars as they form and close. */
export interface MarketStream {
  /** Resolves when the connection is open. */
  start(options: { signal: AbortSignal }): Promise<void>
  close(): void
}

export function createMarketStream(options: MarketStreamOptions): MarketStream {
  const { clock } = options
  const backoff = createBackoff(options.random)
  const again = createDelayed(clock)
  const streams = options.symbols.map(symbol => `${symbol.toLowerCase()}@kline_1m`).join('/')
  let socket: Socket | undefined
  let closed = false
  let gapReason: string | undefined
  const first = Promise.withResolvers<void>()

  function onMessage(message: unknown): void {
    if (typeof message !== 'object' || message === null || !('data' in message)) return
    const event = readKlineEvent(message.data)
    if (event !== undefined) options.onBar(event.symbol, event.bar, event.closed)
  }

  function connect(): void {
    if (closed) return
    socket = openSocket({
      url: `${options.streamsUrl}?streams=${streams}`,
      clock,
      silentAfterMs: options.silentAfterMs ?? 30_000,
      onOpen() {
        backoff.reset()
        first.resolve()
        if (gapReason !== undefined) options.onGap(gapReason)
        gapReason = undefined
      },
      onMessage,
      onDown(reason) {
        gapReason ??= reason
        options.onDown(reason)
        again.in(backoff.next(), connect)
      },
    })
  }

  return {
    async start({ signal }) {
      signal.throwIfAborted()
      const onAbort = (): void => first.reject(signal.reason)
      signal.addEventListener('abort', onAbort, { once: true })
      connect()
      try {
        await first.promise
      } finally {
        signal.removeEventListener('abort', onAbort)
      }
    },
    close() {
      closed = true
      again.cancel()
      socket?.close()
    },
  }
}
