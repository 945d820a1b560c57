import { channel as diagnosticsChannel } from 'node:diagnostics_channel'

import { inLaterTurn } from './clock.ts'
import { RedisCoreError } from './errors.ts'
import type { RedisCoreEvent } from './events.ts'

/** The events of one package: to the `onEvent` options of its objects, and to `node:diagnostics_channel`. */
export interface Channel<E extends { type: string }> {
  /** Whether anyone is subscribed to the diagnostics channel. */
  readonly active: boolean
  /** Adds a guarded listener; returns how to remove it. */
  subscribe(listener: (event: E) => void): () => void
  /** A function that queues one event for `onEvent` and the subscribers; `make` runs only if someone listens. */
  emitter(onEvent?: (event: E) => unknown): (make: () => E) => void
}

interface Queued<E> {
  readonly event: E
  readonly onEvent: ((event: E) => unknown) | undefined
}

const MAX_QUEUED = 10_000
/** Delivered per turn, so that a burst of events cannot hold back input and output. */
const MAX_PER_TURN = 500
const NAME = /^[a-z][a-z0-9-]*$/

const dropReports = diagnosticsChannel('safety:redis-core')
const warned = new Set<string>()

/**
 * A channel `safety:<name>`. Delivery is in order, in a later turn of the event loop, and never changes the call that
 * emitted: a throwing or rejecting listener is told once by `process.emitWarning`. At most 10 000 events wait; beyond
 * that the oldest are dropped and counted in `events-dropped`. A raw `diagnostics_channel` subscriber that throws meets
 * Node's `uncaughtException`, as always there; `subscribe` guards.
 *
 * @throws `ERR_REDIS_OPTIONS` (not retryable) if `name` is not lower case letters, digits and dashes.
 */
export function createChannel<E extends { type: string }>(name: string): Channel<E> {
  if (!NAME.test(name)) throw new RedisCoreError('ERR_REDIS_OPTIONS', 'channel name must match [a-z][a-z0-9-]*')
  const diagnostics = diagnosticsChannel(`safety:${name}`)
  const push = createQueue<E>(name, event => {
    if (diagnostics.hasSubscribers) diagnostics.publish(event)
  })
  return {
    get active() {
      return diagnostics.hasSubscribers
    },
    subscribe(listener) {
      const guarded = (event: unknown): void => deliver(name, listener, event as E)
      diagnostics.subscribe(guarded)
      return () => {
        diagnostics.unsubscribe(guarded)
      }
    },
    emitter: onEvent => make => {
      if (onEvent === undefined && !diagnostics.hasSubscribers) return
      push({ event: make(), onEvent })
    },
  }
}

function createQueue<E>(name: string, publish: (event: E) => void): (item: Queued<E>) => void {
  let waiting: Queued<E>[] = []
  let next = 0
  let dropped = 0
  let scheduled = false

  function drain(): void {
    const end = Math.min(waiting.length, next + MAX_PER_TURN)
    try {
      while (next < end) {
        const { event, onEvent } = waiting[next++] as Queued<E>
        if (onEvent !== undefined) deliver(name, onEvent, event)
        publish(event)
      }
    } finally {
      if (next >= waiting.length) {
        waiting = []
        next = 0
        scheduled = false
        if (dropped > 0) reportDropped(name, dropped)
        dropped = 0
      } else {
        inLaterTurn(drain)
      }
    }
  }

  return item => {
    waiting.push(item)
    if (waiting.length - next > MAX_QUEUED) {
      next += 1
      dropped += 1
    }
    if (next > MAX_QUEUED) {
      waiting = waiting.slice(next)
      next = 0
    }
    if (scheduled) return
    scheduled = true
    inLaterTurn(drain)
  }
}

function deliver<E>(name: string, listener: (event: E) => unknown, event: E): void {
  try {
    const result = listener(event)
    if (isThenable(result)) result.then(undefined, (error: unknown) => warn(name, error))
  } catch (error) {
    warn(name, error)
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}

function warn(name: string, error: unknown): void {
  if (warned.has(name)) return
  warned.add(name)
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.emitWarning(
    `a listener of safety:${name} failed; the call it listens to is not affected. ${text}`,
    'SafetyWarning',
  )
}

function reportDropped(name: string, count: number): void {
  const event: RedisCoreEvent = { type: 'events-dropped', channel: name, count }
  if (dropReports.hasSubscribers) dropReports.publish(event)
}
