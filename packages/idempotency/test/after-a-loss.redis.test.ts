import { connectRedis, whenReady } from '@safety/redis-core'
import { startFaultProxy, startRedis } from '@safety/redis-core/testing'
import type { FaultProxy, RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import type { LookupAnswer } from '../src/index.ts'
import { createKeyLayout } from '../src/redis/keys.ts'
import { eventually, gate, inBucketOf, instance, receiver, rejection, sleep } from './harness.ts'
import type { Instance, Receiver } from './harness.ts'

let server: RedisServer
let proxy: FaultProxy
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  proxy = await startFaultProxy(server)
  redis = server.client()
  await whenReady(redis)
})
afterAll(async () => {
  await proxy[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})
beforeEach(() => redis.flushall())

const KEYED = { name: 'buy', key: (input: string) => input } as const

function reconciling(here: Instance, at: Receiver, durability?: { replicas: number; timeoutMs: number }) {
  return here.idem.define({
    ...KEYED,
    leaseMs: 1000,
    durability,
    recovery: { mode: 'reconcile', settleMs: 0, lookup: async (ctx): Promise<LookupAnswer<string>> => at.lookup(ctx) },
    run: (_input: string, ctx) => at.take(ctx, 'receipt'),
  })
}

function manual(here: Instance, run: () => string | Promise<string> = () => 'receipt') {
  return here.idem.define({ ...KEYED, leaseMs: 60_000, recovery: { mode: 'manual' }, run })
}

/** The effect runs once under `a`; then the store forgets everything, and another key of the bucket notices. */
async function lose(here: Instance, at: Receiver): Promise<void> {
  await reconciling(here, at)('a')
  await redis.flushall()
  expect(await rejection(manual(here)(inBucketOf(here.namespace, 'buy', 'a')))).toMatchObject({ reason: 'store-loss' })
  await sleep(10)
}

describe('after a loss was noticed, a "not run" that proves nothing is no leave to run', () => {
  test.for(['drop-request', 'drop-reply'] as const)(
    'that of a claim whose fate nobody knew (%s)',
    async (kind, { expect: expected }) => {
      const through = connectRedis(proxy.url, { commandTimeoutMs: 200, maxReconnectDelayMs: 20 })
      await whenReady(through)
      await using here = instance(through, { storeTimeoutMs: 200, storeBudgetMs: 300 })
      const at = receiver()
      await lose(here, at)
      const rule = proxy.add({ match: { script: 'idempotency.claim' }, action: { kind, then: 'reset' } })
      expected(await rejection(reconciling(here, at)('a'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_STORE' })
      rule.remove()
      await whenReady(through)
      await eventually(async () => (await here.idem.inspect('buy', 'a'))?.state === 'not-run')
      expected(await reconciling(here, at)('a')).toMatchObject({ status: 'replayed', source: 'lookup' })
      expected(at.count()).toBe(1)
      through.disconnect()
    },
  )

  test('that of a claim too few replicas held', async () => {
    await using here = instance(redis)
    const at = receiver()
    await lose(here, at)
    const durable = reconciling(here, at, { replicas: 1, timeoutMs: 50 })
    expect(await durable('a')).toMatchObject({ status: 'replayed', source: 'lookup' })
    expect(at.count()).toBe(1)
  })

  test('a person is asked once by each process; then the verdict stands, also when the reply of the claim behind it is lost', async () => {
    const through = connectRedis(proxy.url, { commandTimeoutMs: 2000, maxReconnectDelayMs: 20 })
    await whenReady(through)
    await using here = instance(through)
    await manual(here)(inBucketOf(here.namespace, 'buy', 'a'))
    await redis.flushall()
    expect(await rejection(manual(here)('a'))).toMatchObject({ reason: 'store-loss', mode: 'manual' })
    await sleep(10)
    await here.idem.resolve('buy', 'a', { outcome: 'not-run', by: 'ann', why: 'asked the bank', force: true })
    await sleep(10)
    const lost = proxy.dropReply({ match: { script: 'idempotency.claim' }, then: 'reset' })
    expect(await manual(here)('a')).toMatchObject({ status: 'executed', attempt: 2 })
    expect(lost.fired).toBe(1)
    through.disconnect()
  })

  test.for(['a fresh', 'a released'] as const)(
    'a mark from the future of a server whose clock went back does not outlive its first verdict (%s key)',
    async which => {
      await using here = instance(redis)
      const effect = manual(here)
      if (which === 'a released') {
        await effect('a')
        await here.idem.release('buy', 'a', { by: 'ann', why: 'again', force: true })
      }
      const layout = createKeyLayout(here.namespace)
      await redis.zadd(layout.keysOf(layout.place('buy', 'a')).bucket, Date.now() + 3_600_000, '!')
      await sleep(10)
      expect(await rejection(effect('a'))).toMatchObject({ reason: 'store-loss' })
      await sleep(10)
      await here.idem.resolve('buy', 'a', { outcome: 'not-run', by: 'ann', why: 'asked the bank', force: true })
      await sleep(10)
      expect(await effect('a')).toMatchObject({ status: 'executed' })
    },
  )

  test('a lookup that says "not there" within the millisecond of the loss is believed', async () => {
    await using here = instance(redis)
    const at = receiver()
    const effect = here.idem.define({
      ...KEYED,
      recovery: { mode: 'reconcile', settleMs: 0, lookup: async () => ({ outcome: 'not-run' }) as const },
      run: (_input: string, ctx) => at.take(ctx, 'receipt'),
    })
    for (let round = 0; round < 60; round += 1) {
      await effect(`k${round}`)
      await redis.flushall()
      expect(await effect(`k${round}`)).toMatchObject({ status: 'executed' })
    }
  })
})

describe('a call that waited for a running attempt', () => {
  test('does not run when the record is lost, though the reply of its claim is lost as well', async () => {
    const through = connectRedis(proxy.url, { maxReconnectDelayMs: 20 })
    await whenReady(through)
    await using here = instance(redis)
    await using waiting = instance(through, { namespace: here.namespace })
    const end = gate<string>()
    let runs = 0
    const first = manual(here, () => {
      runs += 1
      return end.promise
    })('a')
    await eventually(() => here.of('started').length === 1)
    const second = rejection(
      manual(waiting, () => {
        runs += 1
        return 'second'
      })('a'),
    )
    const held = proxy.hold({ script: 'idempotency.claim' })
    await eventually(() => held.fired > 0)
    // It has met the running one before; now its next claim is on the way.
    proxy.release()
    const next = proxy.hold({ script: 'idempotency.claim' })
    await eventually(() => next.fired > 0)
    await redis.flushall()
    proxy.dropReply({ match: { script: 'idempotency.claim' }, then: 'reset' })
    proxy.release()
    expect(await second).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT', reason: 'store-loss' })
    expect(runs).toBe(1)
    end.open('first')
    await first
    through.disconnect()
  })
})
