// One process of a fleet, told by its parent what to do. Times are `process.hrtime`, one clock for all processes of a machine.
import { connectRedis, keyspace, systemClock } from '@safety/redis-core'
import type { Clock, ConnectOptions, RedisClient } from '@safety/redis-core'
import { armFailpoints } from '@safety/redis-core/testing'

import { createBreaker, isBreakerOpenError } from '../../src/index.ts'
import type { Breaker, BreakerEvent, BreakerOptions } from '../../src/index.ts'

export interface MemberSetup {
  readonly url: string
  readonly prefix: string
  readonly options: Omit<Partial<BreakerOptions>, 'redis' | 'keyspace' | 'onEvent'>
  readonly connect?: ConnectOptions
  readonly failpoints?: { readonly secret: string; readonly stopAt: string }
}

/** What the dependency does with a call. */
export type Health = 'ok' | 'down' | 'hang'

export interface CallResults {
  ok: number
  failed: number
  rejected: number
  /** Errors that are neither the dependency's nor a rejection. */
  foreign: string[]
  probes: { readonly startMs: number; readonly endMs: number }[]
  latenciesMs: number[]
}

export interface StampedEvent {
  readonly atMs: number
  readonly event: BreakerEvent
}

export interface MemberOperations {
  setup(setup: MemberSetup): Promise<'fleet' | 'local'>
  /** Disposes of the breaker and forgets everything. */
  leave(): Promise<void>
  /** Some calls one after the other, `everyMs` apart. */
  calls(count: number, health: Health, everyMs: number): Promise<CallResults>
  /** Calls at a rate until `halt`; the dependency is as `health` last said. */
  drive(everyMs: number, health: Health, workMs: number): Promise<void>
  health(health: Health): Promise<void>
  halt(): Promise<CallResults>
  snapshot(): Promise<ReturnType<Breaker['snapshot']>>
  events(): Promise<StampedEvent[]>
  force(target: 'open' | 'disabled' | 'closed', order: { by: string; reason: string; forMs?: number }): Promise<unknown>
  release(order: { by: string; reason: string; holder?: string }): Promise<unknown>
  history(): Promise<unknown>
  dispose(): Promise<void>
  /** Moves this process's wall clock, and nothing else. */
  shiftWallClock(byMs: number): Promise<void>
}

class ServiceError extends Error {
  override readonly name = 'ServiceError'
}

const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6
const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
const events: StampedEvent[] = []
let breaker: Breaker
let redis: RedisClient
let current: Health = 'ok'
const driver = { halted: true }
let wallShiftMs = 0
const clock: Clock = { ...systemClock, now: () => Date.now() + wallShiftMs }
let driving: Promise<CallResults> = Promise.resolve(empty())

function empty(): CallResults {
  return { ok: 0, failed: 0, rejected: 0, foreign: [], probes: [], latenciesMs: [] }
}

async function depend(workMs: number): Promise<string> {
  if (current === 'hang') return new Promise(() => {})
  if (workMs > 0) await pause(workMs)
  if (current === 'down') throw new ServiceError('down')
  return 'answer'
}

async function one(results: CallResults, workMs: number): Promise<void> {
  const startMs = nowMs()
  try {
    await breaker.run(async ({ probe }) => {
      const workStartMs = nowMs()
      try {
        return await depend(workMs)
      } finally {
        if (probe) results.probes.push({ startMs: workStartMs, endMs: nowMs() })
      }
    })
    results.ok += 1
  } catch (error) {
    if (isBreakerOpenError(error)) results.rejected += 1
    else if (error instanceof ServiceError || (error as { code?: string }).code === 'ERR_BREAKER_TIMEOUT')
      results.failed += 1
    else results.foreign.push(String(error))
  }
  results.latenciesMs.push(nowMs() - startMs)
}

async function loop(everyMs: number, workMs: number): Promise<CallResults> {
  const results = empty()
  const running = new Set<Promise<void>>()
  await pause(Math.random() * everyMs)
  while (!driver.halted) {
    const call = one(results, workMs)
    running.add(call)
    void call.finally(() => running.delete(call))
    await pause(everyMs)
  }
  await Promise.race([Promise.all(running), pause(2_000)])
  return results
}

const operations: MemberOperations = {
  async setup({ url, prefix, options, connect, failpoints }) {
    if (failpoints !== undefined) {
      armFailpoints({
        secret: failpoints.secret,
        hook: name => {
          if (name === failpoints.stopAt) process.kill(process.pid, 'SIGKILL')
        },
      })
    }
    redis = connectRedis(url, connect)
    breaker = createBreaker({
      name: 'orders',
      clock,
      ...options,
      redis,
      keyspace: keyspace(prefix),
      onEvent: event => void events.push({ atMs: nowMs(), event }),
    })
    return breaker.ready()
  },
  async leave() {
    driver.halted = true
    await driving
    await breaker[Symbol.asyncDispose]()
    redis.disconnect()
    events.length = 0
    wallShiftMs = 0
    current = 'ok'
  },
  async calls(count, health, everyMs) {
    current = health
    const results = empty()
    for (let n = 0; n < count; n += 1) {
      await one(results, 0)
      if (everyMs > 0) await pause(everyMs)
    }
    return results
  },
  async drive(everyMs, health, workMs) {
    current = health
    driver.halted = false
    driving = loop(everyMs, workMs)
  },
  async health(health) {
    current = health
  },
  async halt() {
    driver.halted = true
    return driving
  },
  snapshot: async () => breaker.snapshot(),
  events: async () => {
    await pause(0)
    return events
  },
  force: (target, order) => breaker.force(target as 'open', order as { by: string; reason: string; forMs: number }),
  release: order => breaker.release(order),
  history: () => breaker.history(),
  dispose: async () => breaker[Symbol.asyncDispose](),
  async shiftWallClock(byMs) {
    wallShiftMs += byMs
  },
}

process.on('message', (message: { id: number; operation: keyof MemberOperations; args: unknown[] }) => {
  const run = operations[message.operation] as (...args: unknown[]) => Promise<unknown>
  run(...message.args).then(
    value => process.send?.({ id: message.id, value }),
    (error: unknown) => process.send?.({ id: message.id, error: { message: String(error), ...(error as object) } }),
  )
})
process.on('disconnect', () => process.exit(0))
