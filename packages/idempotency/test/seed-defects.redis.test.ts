import { connectRedis, whenReady } from '@safety/redis-core'
import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { eventually, gate, instance, receiver, rejection, sleep } from './harness.ts'

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
  await whenReady(redis)
})
afterAll(() => server[Symbol.asyncDispose]())

const ORDER = { name: 'order_placement', key: (order: { id: string }) => order.id } as const

describe('the defects this package grew from [claim 30]', () => {
  test('an effect that took place and then threw is never run again without a verdict', async () => {
    await using here = instance(redis)
    const at = receiver()
    const buy = here.idem.define({
      ...ORDER,
      recovery: { mode: 'manual' },
      run: (_order, ctx) => {
        at.take(ctx, 'accepted')
        throw new Error('HTTP 502 after the exchange accepted')
      },
    })
    await using sweeper = here.idem.startSweeper({ intervalMs: 3_600_000 })
    for (let round = 0; round < 5; round += 1) {
      expect(await rejection(buy({ id: '7' }))).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT', outcome: 'unknown' })
      await sweeper.sweepOnce()
    }
    expect(at.count()).toBe(1)
    await here.idem.resolve('order_placement', '7', { outcome: 'not-run', by: 'ann', why: 'the venue has no order 7' })
    await rejection(buy({ id: '7' }))
    expect(at.count()).toBe(2)
  })

  test('with Redis away a guarded call says not-run; it never answers like a duplicate', async () => {
    await using own = await startRedis()
    const client = connectRedis(own.url)
    await whenReady(client)
    await using here = instance(client, { storeTimeoutMs: 500, storeBudgetMs: 1000 })
    let runs = 0
    const buy = here.idem.define({ ...ORDER, recovery: { mode: 'manual' }, run: () => (runs += 1) })
    await buy({ id: 'before' })
    await own.stop()
    for (const id of ['new', 'before']) {
      expect(await rejection(buy({ id }))).toMatchObject({
        code: 'ERR_IDEMPOTENCY_STORE',
        outcome: 'not-run',
        retryable: true,
      })
    }
    expect(runs).toBe(1)
    client.disconnect()
  })

  test('two intents with equal parameters and different ids both run', async () => {
    await using here = instance(redis)
    const at = receiver()
    const buy = here.idem.define({
      name: 'order_placement',
      key: (order: { id: string; symbol: string; side: string; quantity: string }) => order.id,
      fingerprint: ({ symbol, side, quantity }) => ({ symbol, side, quantity }),
      recovery: { mode: 'manual' },
      run: (order, ctx) => at.take(ctx, `filled ${order.id}`),
    })
    const order = { symbol: 'BTCUSDT', side: 'BUY', quantity: '0.01' }
    expect(await buy({ id: 'today', ...order })).toMatchObject({ status: 'executed', value: 'filled today' })
    expect(await buy({ id: 'tomorrow', ...order })).toMatchObject({ status: 'executed', value: 'filled tomorrow' })
    expect(at.count()).toBe(2)
  })

  test('replayed, in flight and in doubt are three different answers', async () => {
    await using here = instance(redis)
    await using there = instance(redis, { namespace: here.namespace })
    const running = gate<null>()
    const options = { ...ORDER, recovery: { mode: 'manual' }, onBusy: 'reject' } as const
    const first = here.idem.define({ ...options, run: () => running.promise })
    const twin = there.idem.define({ ...options, run: () => null })
    const call = first({ id: 'a' })
    await eventually(() => here.of('started').length === 1)
    const inFlight = await rejection(twin({ id: 'a' }))
    running.open(null)
    await call
    const replayed = await twin({ id: 'a' })
    const failing = here.idem.define({
      ...options,
      run: (): null => {
        throw new Error('unclear')
      },
    })
    await rejection(failing({ id: 'b' }))
    const inDoubt = await rejection(twin({ id: 'b' }))
    expect(replayed).toMatchObject({ status: 'replayed', value: null })
    expect(inFlight).toMatchObject({ code: 'ERR_IDEMPOTENCY_BUSY', retryable: true })
    expect(inDoubt).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT', retryable: false })
  })

  test('a result that could not be recorded is returned with recorded:false, and later recorded without a second run', async () => {
    await using own = await startRedis({ aof: 'always' })
    const client = connectRedis(own.url)
    await whenReady(client)
    await using here = instance(client, { storeTimeoutMs: 500, storeBudgetMs: 1000 })
    const at = receiver()
    const buy = here.idem.define({
      ...ORDER,
      recovery: { mode: 'manual' },
      run: async (_order, ctx) => {
        await own.kill()
        return at.take(ctx, { orderId: 99 })
      },
    })
    expect(await buy({ id: 'a' })).toMatchObject({ status: 'executed', recorded: false, value: { orderId: 99 } })
    await own.restart()
    await eventually(() => here.of('recorded-late').length === 1)
    expect(await buy({ id: 'a' })).toMatchObject({ status: 'replayed', value: { orderId: 99 } })
    expect(at.count()).toBe(1)
    client.disconnect()
  })

  test('a result that cannot be stored still counts as done', async () => {
    await using here = instance(redis)
    const at = receiver()
    const buy = here.idem.define({
      ...ORDER,
      recovery: { mode: 'manual' },
      run: (_order, ctx) => at.take(ctx, { filledAt: new Date(0) }),
    })
    expect(await rejection(buy({ id: 'a' }))).toMatchObject({
      code: 'ERR_IDEMPOTENCY_RESULT',
      outcome: 'ran',
      phase: 'write',
      value: { filledAt: new Date(0) },
    })
    expect(await rejection(buy({ id: 'a' }))).toMatchObject({
      code: 'ERR_IDEMPOTENCY_RESULT',
      outcome: 'ran',
      phase: 'read',
    })
    expect(await here.idem.inspect('order_placement', 'a')).toMatchObject({ state: 'done' })
    expect(at.count()).toBe(1)
  })

  test('a worker whose claim was taken over can change nothing and gets the recorded outcome', async () => {
    await using slow = instance(redis)
    await using fast = instance(redis, { namespace: slow.namespace })
    const running = gate<string>()
    const options = { ...ORDER, recovery: { mode: 'repeat' } } as const
    const first = slow.idem.define({ ...options, leaseMs: 1000, run: () => running.promise })
    // The heartbeat of a frozen process does not beat.
    const evalsha = redis.evalsha.bind(redis)
    const call = first({ id: 'a' })
    await eventually(() => slow.of('started').length === 1)
    redis.evalsha = async () => {
      throw new Error('frozen')
    }
    await sleep(1100)
    redis.evalsha = evalsha
    const taken = await fast.idem.define({ ...options, run: () => 'second' })({ id: 'a' })
    expect(taken).toMatchObject({ status: 'executed', attempt: 2 })
    running.open('first')
    expect(await call).toMatchObject({ status: 'replayed', value: 'second', fence: taken.fence })
    expect(await fast.idem.inspect('order_placement', 'a')).toMatchObject({
      value: 'second',
      fence: taken.fence,
      conflicts: 1,
    })
  })
})
