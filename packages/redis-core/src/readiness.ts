import { Command } from 'ioredis'
import type { Cluster, Redis } from 'ioredis'

import { isCluster } from './client.ts'
import type { RedisClient } from './client.ts'
import { systemClock } from './clock.ts'
import { forgetConnectionError, rememberConnectionError, stopRemembering } from './connection-errors.ts'
import type { Argv } from './script.ts'

/** `ready`: a command for this key is written to a socket now, neither queued nor refused. `ended`: it never will be. */
export type Readiness = 'ready' | 'waiting' | 'ended'

/** The state of single Cluster nodes has no event on the Cluster; it is looked at this often while someone waits. */
const CLUSTER_TICK_MS = 25
const CLUSTER_REFRESH_MS = 100

interface Gate {
  readonly waiters: Set<() => void>
  readonly close: () => void
}

const gates = new WeakMap<RedisClient, Gate>()

/** Whether a command with these keys (or none) can be sent right now. */
export function readiness(redis: RedisClient, argv?: Argv): Readiness {
  if (redis.status === 'end') return 'ended'
  if (redis.status !== 'ready') return 'waiting'
  if (!isCluster(redis)) return redis.stream?.writable ? 'ready' : 'waiting'
  const key = firstKey(argv)
  if (key === undefined) return 'ready'
  const node = nodeOf(redis, key)
  return node?.status === 'ready' && node.stream?.writable ? 'ready' : 'waiting'
}

/**
 * Calls `changed` whenever `readiness` may have changed, and gets the client to connect if it is lazy. Its listeners are
 * taken off the client with the last waiter. Returns how to stop waiting.
 */
export function awaitReadiness(redis: RedisClient, argv: Argv | undefined, changed: () => void): () => void {
  const key = firstKey(argv)
  const gate = gates.get(redis) ?? openGate(redis)
  const waiter = (): void => {
    changed()
    if (gate.waiters.has(waiter)) urge(redis, key)
  }
  gate.waiters.add(waiter)
  urge(redis, key)
  return () => {
    if (!gate.waiters.delete(waiter) || gate.waiters.size > 0) return
    gate.close()
    gates.delete(redis)
  }
}

function openGate(redis: RedisClient): Gate {
  const waiters = new Set<() => void>()
  const notify = (): void => {
    for (const waiter of waiters) waiter()
  }
  const onReady = (): void => {
    forgetConnectionError(redis)
    notify()
  }
  const onError = (error: Error): void => rememberConnectionError(redis, error)
  redis.on('ready', onReady)
  redis.on('end', notify)
  // ioredis prints connection errors only while nobody listens; joining silent clients would change that.
  const listening = redis.listenerCount('error') > 0
  if (listening) redis.on('error', onError)
  const stopTicking = isCluster(redis) ? every(CLUSTER_TICK_MS, notify) : undefined
  const gate: Gate = {
    waiters,
    close() {
      redis.off('ready', onReady)
      redis.off('end', notify)
      if (listening) redis.off('error', onError)
      stopTicking?.()
      stopRemembering(redis)
    },
  }
  gates.set(redis, gate)
  return gate
}

/** Gets a lazy client, or the lazy node of a Cluster, to connect; asks a Cluster for its map if the node is gone. */
function urge(redis: RedisClient, key: string | undefined): void {
  if (redis.status === 'wait') redis.connect().catch(ignoreReported)
  if (!isCluster(redis) || redis.status !== 'ready' || key === undefined) return
  const node = nodeOf(redis, key)
  if (node?.status === 'wait') node.connect().catch(ignoreReported)
  else if (node === undefined || node.status === 'end') refreshSlots(redis)
}

/** Connection errors reach their waiters as `lastConnectionError`, by the client's own 'error' event. */
function ignoreReported(): void {}

const refreshedAt = new WeakMap<Cluster, number>()

/** Asks for the slot map, at most every 100 ms per client. */
export function refreshSlots(cluster: Cluster): void {
  const now = systemClock.monotonic()
  if (now - (refreshedAt.get(cluster) ?? -CLUSTER_REFRESH_MS) < CLUSTER_REFRESH_MS) return
  refreshedAt.set(cluster, now)
  cluster.refreshSlotsCache()
}

function firstKey(argv: Argv | undefined): string | undefined {
  return argv === undefined || argv[0] === '0' ? undefined : argv[1]
}

function nodeOf(cluster: Cluster, key: string): Redis | undefined {
  const address = cluster.slots[new Command('get', [key]).getSlot()]?.[0]
  if (address === undefined) return undefined
  return cluster.nodes('master').find(({ options }) => `${options.host}:${options.port}` === address)
}

function every(delayMs: number, run: () => void): () => void {
  let timer = systemClock.setTimeout(tick, delayMs)
  function tick(): void {
    timer = systemClock.setTimeout(tick, delayMs)
    run()
  }
  return () => timer.cancel()
}
