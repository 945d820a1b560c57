import type { RedisClient } from '@safety/redis-core'
import type { Cluster } from 'ioredis'

import type { StoreListener } from '../store.ts'
import { decodeMessage } from './record.ts'

/** All breakers of one client: one more connection, one subscription per channel. */
export interface Subscriber {
  /** Messages of the breaker on the channel, and every connection, until the result is called. */
  join(channel: string, breaker: string, listener: StoreListener): () => void
}

const subscribers = new WeakMap<RedisClient, Subscriber>()
const MAX_RECONNECT_MS = 2_000
const FIRST_RECONNECT_MS = 50

/** The subscriber of this client; its connection exists while a breaker has joined. */
export function subscriberOf(redis: RedisClient): Subscriber {
  let subscriber = subscribers.get(redis)
  if (subscriber === undefined) {
    subscriber = createSubscriber(redis)
    subscribers.set(redis, subscriber)
  }
  return subscriber
}

type Rooms = Map<string, Map<string, Set<StoreListener>>>

function createSubscriber(redis: RedisClient): Subscriber {
  const rooms: Rooms = new Map()
  let connection: RedisClient | null = null

  const everyone = (): StoreListener[] =>
    [...rooms.values()].flatMap(room => [...room.values()].flatMap(listeners => [...listeners]))

  function tellConnected(): void {
    for (const listener of everyone()) listener.connected()
  }

  function onMessage(channel: string, json: string): void {
    const decoded = decodeMessage(json)
    if (decoded === null) return
    for (const listener of rooms.get(channel)?.get(decoded.breaker) ?? []) listener.message(decoded.message)
  }

  function subscribe(channels: readonly string[]): void {
    if (connection === null || channels.length === 0) return
    // A lost subscription is no error: the next connection makes it again, and the heartbeats poll meanwhile.
    connection.subscribe(...channels).then(tellConnected, () => undefined)
  }

  function open(): RedisClient {
    redis.on('ready', tellConnected)
    const opened = duplicateFor(redis)
    opened.on('error', () => undefined)
    opened.on('ready', () => subscribe([...rooms.keys()]))
    opened.on('message', onMessage)
    return opened
  }

  function close(): void {
    redis.off('ready', tellConnected)
    connection?.disconnect()
    connection = null
  }

  return {
    join(channel, breaker, listener) {
      const known = rooms.has(channel)
      const room = rooms.get(channel) ?? new Map<string, Set<StoreListener>>()
      rooms.set(channel, room)
      const listeners = room.get(breaker) ?? new Set()
      room.set(breaker, listeners)
      listeners.add(listener)
      connection ??= open()
      if (!known && connection.status === 'ready') subscribe([channel])
      return () => {
        listeners.delete(listener)
        if (listeners.size === 0) room.delete(breaker)
        if (room.size === 0) rooms.delete(channel)
        if (rooms.size === 0) close()
      }
    },
  }
}

function isCluster(redis: RedisClient): redis is Cluster {
  return (redis as { isCluster?: boolean }).isCluster === true
}

// A subscription waits for as long as it takes: no time-outs, reconnecting for ever. Nothing it sends can do harm twice.
function duplicateFor(redis: RedisClient): RedisClient {
  const retry = (attempt: number): number => Math.min(FIRST_RECONNECT_MS * 2 ** Math.min(attempt, 10), MAX_RECONNECT_MS)
  const node = {
    maxRetriesPerRequest: null,
    commandTimeout: undefined,
    socketTimeout: undefined,
    autoResubscribe: false,
  }
  const always = { lazyConnect: false, enableOfflineQueue: true }
  if (!isCluster(redis)) return redis.duplicate({ ...node, ...always, retryStrategy: retry })
  const redisOptions = { ...redis.options.redisOptions, ...node }
  return redis.duplicate([], { ...always, clusterRetryStrategy: retry, redisOptions } as Parameters<
    Cluster['duplicate']
  >[1])
}
