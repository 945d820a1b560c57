import { connectRedis, systemClock, whenReady } from '@safety/redis-core'
import type { Clock } from '@safety/redis-core'
import { startFaultProxy, startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { LookupAnswer } from '../src/index.ts'
import { createDurableClients } from '../src/redis/durable-clients.ts'
import { eventually, freshNamespace, gate, instance, rejection, sleep } from './harness.ts'

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
  await whenReady(redis)
})
afterAll(() => server[Symbol.asyncDispose]())

const KEYED = { name: 'pay', key: (input: string) => input, recovery: { mode: 'manual' } } as const

/** An attempt of `pay` in another instance that holds the key `k` until its gate says how it ended. */
async function running(namespace: string) {
  const here = instance(redis, { namespace })
  const end = gate<string>()
  const call = here.idem.define({ ...KEYED, run: () => end.promise })('k')
  await eventually(() => here.of('started').length === 1)
  return {
    end,
    call,
    notRun: () => end.fail(Object.assign(new Error('refused'), { outcome: 'not-run' })),
    [Symbol.asyncDispose]: here[Symbol.asyncDispose],
  }
}

/** How many connections the server has, as it says. */
async function connections(): Promise<number> {
  return String(await redis.client('LIST'))
    .trim()
    .split('\n').length
}

describe('disposal ends a call that has not dispatched its effect', () => {
  test('one that waits for a busy key is CLOSED at once, and never runs', async () => {
    const namespace = freshNamespace()
    await using other = await running(namespace)
    const here = instance(redis, { namespace })
    let runs = 0
    const waiting = rejection(here.idem.define({ ...KEYED, run: () => (runs += 1) })('k'))
    await sleep(100)
    // The other attempt goes on all the while: nobody waits for it.
    await here.idem[Symbol.asyncDispose]()
    expect(await waiting).toMatchObject({
      code: 'ERR_IDEMPOTENCY_CLOSED',
      outcome: 'unknown',
      retryable: false,
      effect: 'pay',
    })
    other.notRun()
    await rejection(other.call)
    await sleep(500)
    expect(runs).toBe(0)
  })

  test('a durable one leaves no connection behind', async () => {
    const namespace = freshNamespace()
    await using other = await running(namespace)
    const before = await connections()
    const here = instance(redis, { namespace })
    const durability = { replicas: 1, timeoutMs: 100 } as const
    const waiting = rejection(here.idem.define({ ...KEYED, durability, run: () => 1 })('k'))
    await eventually(async () => (await connections()) > before)
    await here.idem[Symbol.asyncDispose]()
    expect(await waiting).toMatchObject({ code: 'ERR_IDEMPOTENCY_CLOSED' })
    await eventually(async () => (await connections()) === before)
    await sleep(500)
    expect(await connections()).toBe(before)
    other.end.open('done')
    await other.call
  })

  test('connections for WAIT are not made again after they were closed', () => {
    const durable = createDurableClients(redis, 1000)
    durable.close()
    expect(durable.for('idempotency.claim', { replicas: 1, timeoutMs: 100 })).toBeUndefined()
  })

  test('one whose claim is granted only now runs nothing, and its key is free again', async () => {
    await using proxy = await startFaultProxy(server)
    const slow = connectRedis(proxy.url, { commandTimeoutMs: 30_000 })
    await whenReady(slow)
    const here = instance(slow, { storeTimeoutMs: 30_000, storeBudgetMs: 60_000 })
    const calls: string[] = []
    const effect = here.idem.define({ ...KEYED, run: input => void calls.push(input) })
    // So that the script is known when the claim is held.
    await effect('warm')
    const held = proxy.hold({ script: 'idempotency.claim' })
    const call = rejection(effect('k'))
    await eventually(() => held.fired === 1)
    const closing = here.idem[Symbol.asyncDispose]()
    proxy.release()
    expect(await call).toMatchObject({ code: 'ERR_IDEMPOTENCY_CLOSED', outcome: 'not-run', effect: 'pay' })
    await closing
    expect(calls).toEqual(['warm'])
    await using after = instance(redis, { namespace: here.namespace })
    expect(await after.idem.inspect('pay', 'k')).toMatchObject({ state: 'not-run' })
    slow.disconnect()
  })

  test('one that would run because the store is away runs nothing', async () => {
    await using proxy = await startFaultProxy(server)
    const away = connectRedis(proxy.url)
    await whenReady(away)
    const here = instance(away, { storeTimeoutMs: 200, storeBudgetMs: 400 })
    proxy.add({ match: { script: 'idempotency.claim' }, action: { kind: 'error', message: 'LOADING' } })
    let runs = 0
    const once = { recovery: { mode: 'repeat' }, onStoreDown: 'run' } as const
    const call = rejection(here.idem.executeOnce('k', () => (runs += 1), once))
    await here.idem[Symbol.asyncDispose]()
    expect(await call).toMatchObject({ code: 'ERR_IDEMPOTENCY_STORE', outcome: 'not-run' })
    expect(runs).toBe(0)
    away.disconnect()
  })
})

describe('disposal ends a call that waits for a verdict', () => {
  test('for the settle time: IN_DOUBT, and when a lookup can decide', async () => {
    const here = instance(redis)
    let looks = 0
    const lookup = async (): Promise<LookupAnswer<never>> => {
      looks += 1
      return { outcome: 'not-run' }
    }
    const effect = here.idem.define({
      ...KEYED,
      recovery: { mode: 'reconcile', settleMs: 25_000, lookup },
      run: (): never => {
        throw new Error('socket hang up')
      },
    })
    const call = rejection(effect('k'))
    await eventually(() => looks === 1)
    await sleep(50)
    await here.idem[Symbol.asyncDispose]()
    const doubt = await call
    expect(doubt).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT', outcome: 'unknown', retryable: true })
    expect(doubt['retryAfterMs']).toBeGreaterThan(20_000)
    expect(looks).toBe(1)
    await eventually(() => here.of('doubt').length === 1)
  })

  test("for another instance's lookup: IN_DOUBT", async () => {
    await using other = instance(redis)
    const here = instance(redis, { namespace: other.namespace })
    const looking = gate<LookupAnswer<string>>()
    let looks = 0
    const lookup = (): Promise<LookupAnswer<string>> => {
      looks += 1
      return looking.promise
    }
    const recovery = { mode: 'reconcile', settleMs: 0, lookup } as const
    const run = (): never => {
      throw new Error('socket hang up')
    }
    const first = other.idem.define({ ...KEYED, recovery, run })('k')
    await eventually(() => looks === 1)
    const waiting = rejection(here.idem.define({ ...KEYED, recovery, run })('k'))
    await sleep(100)
    await here.idem[Symbol.asyncDispose]()
    expect(await waiting).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT', outcome: 'unknown' })
    looking.open({ outcome: 'ran', value: 'found' })
    expect(await first).toMatchObject({ status: 'replayed', value: 'found' })
    expect(looks).toBe(1)
  })
})

describe('disposal and what goes on behind', () => {
  test('ends a sweep that somebody asked for: it rejects with CLOSED, and nothing is looked up afterwards', async () => {
    const here = instance(redis)
    let looks = 0
    let looking: (() => Promise<LookupAnswer<number>>) | undefined
    const effect = here.idem.define({
      ...KEYED,
      onBusy: 'reject',
      recovery: {
        mode: 'reconcile',
        settleMs: 0,
        lookup: async () => (looking ? await looking() : { outcome: 'unknown', retryAfterMs: 0 }),
      },
      run: (): never => {
        throw new Error('socket hang up')
      },
    })
    for (let index = 0; index < 12; index += 1) await rejection(effect(`k${index}`))
    looking = async () => {
      looks += 1
      await sleep(100)
      return { outcome: 'ran', value: 1 }
    }
    const sweeper = here.idem.startSweeper({ intervalMs: 3_600_000, concurrency: 1 })
    const signal = new AbortController().signal
    const sweeps = [rejection(sweeper.sweepOnce()), rejection(sweeper.sweepOnce({ signal }))]
    await eventually(() => looks > 1)
    await here.idem[Symbol.asyncDispose]()
    const before = looks
    expect(before).toBeLessThan(12)
    for (const sweep of sweeps) expect(await sweep).toMatchObject({ code: 'ERR_IDEMPOTENCY_CLOSED' })
    await sleep(500)
    expect(looks).toBe(before)
  })

  test('a second disposal ends with the first, not before it', async () => {
    const here = instance(redis)
    const end = gate<string>()
    const call = here.idem.executeOnce('k', () => end.promise)
    await eventually(() => here.of('started').length === 1)
    const order: string[] = []
    const dispose = async (name: string): Promise<void> => {
      await here.idem[Symbol.asyncDispose]()
      order.push(name)
    }
    const both = [dispose('first'), dispose('second')]
    await sleep(100)
    order.push('effect')
    end.open('done')
    await Promise.all(both)
    expect(order[0]).toBe('effect')
    expect((await call).value).toBe('done')
  })

  test('ends a lookup that outlives the 10 s: its signal aborts, and its call is IN_DOUBT', async () => {
    // Thirty times as fast, so that the wait of 10 s is short.
    const clock: Clock = {
      now: () => systemClock.now(),
      monotonic: () => systemClock.monotonic() * 30,
      sleep: (delayMs, options) => systemClock.sleep(delayMs / 30, options),
      setTimeout: (run, delayMs, options) => systemClock.setTimeout(run, delayMs / 30, options),
    }
    const here = instance(redis, { clock, storeTimeoutMs: 60_000, storeBudgetMs: 60_000 })
    let lookupSignal: AbortSignal | undefined
    const effect = here.idem.define({
      ...KEYED,
      leaseMs: 600_000,
      recovery: {
        mode: 'reconcile',
        settleMs: 0,
        lookupTimeoutMs: 3_600_000,
        lookup: ({ signal }) => {
          lookupSignal = signal
          return new Promise(() => {})
        },
      },
      run: (): never => {
        throw new Error('socket hang up')
      },
    })
    const call = rejection(effect('k'))
    await eventually(() => lookupSignal !== undefined)
    await here.idem[Symbol.asyncDispose]()
    expect(await call).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT' })
    expect(lookupSignal?.aborted).toBe(true)
  })
})
