import type { UserNotice } from '../engine/exchange-engine.ts'
import type { ExchangeCore } from '../exchange-core.ts'
import type { LiveSocket } from './live-socket.ts'
import { createOutbox } from './outbox.ts'
import type { FaultySocket, StreamFaults } from './stream-faults.ts'

/** The user streams of one WebSocket API connection. */
export interface UserStreamConnection {
  /** Subscribes to an account; `undefined` when this connection already is. */
  subscribe(account: string): number | undefined
  /** Ends one subscription, or all of them; false when there is none. */
  unsubscribe(subscriptionId: number | undefined): boolean
  subscriptions(): readonly number[]
  close(): void
}

/** Carries every event of an account to all of its subscriptions. */
export interface UserStreams {
  connect(socket: LiveSocket): UserStreamConnection
}

interface Subscriber {
  socket: LiveSocket
  /** Account to subscription id. */
  ids: Map<string, number>
}

/** Creates the user streams. Faults of an event are decided once, before it goes to the sockets. */
export function createUserStreams(core: ExchangeCore, faults: StreamFaults): UserStreams {
  const { engine } = core
  const subscribers = new Set<Subscriber>()
  const outbox = createOutbox<UserNotice>({
    timeline: engine.timeline,
    lane: notice => notice.account,
    decide: ({ account, symbol, side, clientOrderId, event }) =>
      engine.decideFault({
        channel: 'user-stream',
        account,
        event: event.e,
        ...(symbol === undefined ? {} : { symbol }),
        ...(side === undefined ? {} : { side }),
        ...(clientOrderId === undefined ? {} : { clientOrderId }),
      })?.fault.action,
    deliver: notice => {
      const event = JSON.stringify(notice.event)
      for (const { socket, ids } of subscribers) {
        const id = ids.get(notice.account)
        if (id !== undefined) socket.sendEvent(`{"subscriptionId":${id},"event":${event}}`)
      }
    },
    act: (notice, action) => {
      faults.act('user-stream', notice.account, action)
      return action.type === 'shutdown'
    },
  })
  engine.onUserEvent(notice => outbox.push(notice))
  return { connect: socket => connect(core, faults, subscribers, socket) }
}

function connect(
  core: ExchangeCore,
  faults: StreamFaults,
  subscribers: Set<Subscriber>,
  socket: LiveSocket,
): UserStreamConnection {
  const { timeline } = core.engine
  const ids = new Map<string, number>()
  const subscriber: Subscriber = { socket, ids }
  const faulty: FaultySocket = {
    channel: 'user-stream',
    accounts: () => new Set(ids.keys()),
    socket,
    shutdownNotice: () => JSON.stringify({ event: { e: 'serverShutdown', E: timeline.nowMs() } }),
  }
  let nextId = 0
  subscribers.add(subscriber)
  return {
    subscribe: account => {
      if (ids.has(account)) return undefined
      const id = nextId++
      ids.set(account, id)
      faults.opened(faulty)
      return id
    },
    unsubscribe: wanted => {
      const ending = [...ids].filter(([, id]) => wanted === undefined || id === wanted)
      for (const [account, id] of ending) {
        ids.delete(account)
        const event = { e: 'eventStreamTerminated', E: timeline.nowMs() }
        socket.send(JSON.stringify({ subscriptionId: id, event }))
      }
      return ending.length > 0
    },
    subscriptions: () => [...ids.values()],
    close: () => {
      subscribers.delete(subscriber)
      faults.closed(faulty)
    },
  }
}
