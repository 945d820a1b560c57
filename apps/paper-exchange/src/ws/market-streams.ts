import type { WebSocket } from 'ws'
import type { ExchangeCore } from '../exchange-core.ts'
import { keepAlive } from './live-socket.ts'
import type { LiveSocket } from './live-socket.ts'
import { answerCommand } from './market-commands.ts'
import type { StreamSubscriptions } from './market-commands.ts'
import { createOutbox } from './outbox.ts'
import type { FaultySocket, StreamFaults } from './stream-faults.ts'

const KLINE_EVERY_MS = 2000

/** The market data streams: `/ws/<name>`, `/stream?streams=`, and subscriptions made later. */
export interface MarketStreams {
  accept(socket: WebSocket, options: { names: readonly string[]; combined: boolean }): void
}

interface Listener {
  socket: LiveSocket
  combined: boolean
}

interface Item {
  name: string
  event: string
  symbol: string
  payload: object
}

/** Stream name to listeners. */
type Audience = Map<string, Set<Listener>>

/** Creates the market streams. Only what somebody listens to is rendered. */
export function createMarketStreams(core: ExchangeCore, faults: StreamFaults): MarketStreams {
  const audience: Audience = new Map()
  broadcast(core, faults, audience)
  return {
    accept: (webSocket, { names, combined }) => {
      const socket = keepAlive(core, webSocket, {
        onMessage: text => socket.send(answerCommand(text, subscriptions)),
        onClose: () => {
          for (const name of subscriptions.names) subscriptions.remove(name)
          faults.closed(faulty)
        },
      })
      const subscriptions = subscriptionsOf(audience, { socket, combined })
      const faulty: FaultySocket = {
        channel: 'market-stream',
        accounts: () => new Set(),
        socket,
        shutdownNotice: () => JSON.stringify({ e: 'serverShutdown', E: core.engine.timeline.nowMs() }),
      }
      for (const name of names) subscriptions.add(name)
      faults.opened(faulty)
    },
  }
}

function subscriptionsOf(audience: Audience, listener: Listener): StreamSubscriptions {
  const names = new Set<string>()
  return {
    names,
    add: name => {
      names.add(name)
      audience.set(name, (audience.get(name) ?? new Set()).add(listener))
    },
    remove: name => {
      names.delete(name)
      const listeners = audience.get(name)
      listeners?.delete(listener)
      if (listeners?.size === 0) audience.delete(name)
    },
  }
}

/** Carries what the engine tells to the audience; a running bar every two seconds besides. */
function broadcast(core: ExchangeCore, faults: StreamFaults, audience: Audience): void {
  const { engine } = core
  const outbox = createOutbox<Item>({
    timeline: engine.timeline,
    lane: item => item.name,
    decide: ({ event, symbol }) => engine.decideFault({ channel: 'market-stream', event, symbol })?.fault.action,
    deliver: item => {
      const data = JSON.stringify(item.payload)
      for (const { socket, combined } of audience.get(item.name) ?? []) {
        socket.sendEvent(combined ? `{"stream":"${item.name}","data":${data}}` : data)
      }
    },
    act: (_item, action) => {
      faults.act('market-stream', undefined, action)
      return action.type === 'shutdown'
    },
  })
  const offer = (symbol: string, event: string, payload: object): void => {
    const name = streamName(symbol, event)
    if (audience.has(name)) outbox.push({ name, event, symbol, payload })
  }
  const pushKlines = (): void => {
    for (const symbol of engine.symbols) {
      const kline = audience.has(streamName(symbol, 'kline')) ? engine.klineEvent(symbol) : undefined
      if (kline !== undefined) offer(symbol, 'kline', kline)
    }
    engine.timeline.schedule(pushKlines, KLINE_EVERY_MS)
  }

  engine.onMarketEvent(notice => {
    if (notice.type === 'bar') return offer(notice.symbol, 'kline', notice.kline)
    offer(notice.symbol, 'bookTicker', notice.bookTicker)
    return offer(notice.symbol, 'trade', notice.trade)
  })
  engine.timeline.schedule(pushKlines, KLINE_EVERY_MS)
}

function streamName(symbol: string, event: string): string {
  return `${symbol.toLowerCase()}@${event === 'kline' ? 'kline_1m' : event}`
}
