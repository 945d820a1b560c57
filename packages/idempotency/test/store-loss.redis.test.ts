import { connectRedis, whenReady } from '@safety/redis-core'
import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import type { LookupAnswer, Recovery } from '../src/index.ts'
import { eventually, gate, inBucketOf, instance, receiver, rejection, sleep } from './harness.ts'
import type { Instance, Receiver } from './harness.ts'

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
  await whenReady(redis)
})
afterAll(() => server[Symbol.asyncDispose]())
beforeEach(() => redis.flushall())

function buying(here: Instance, at: Receiver, recovery: (at: Receiver) => Recovery<string>) {
  return here.idem.define({
    name: 'buy',
    key: (input: string) => input,
    recovery: recovery(at),
    leaseMs: 1000,
    run: (_input, ctx) => at.take(ctx, 'receipt'),
  })
}

async function dump(): Promise<[string, Buffer][]> {
  const keys = await redis.keys('*')
  return await Promise.all(keys.map(async (key): Promise<[string, Buffer]> => [key, await redis.dumpBuffer(key)]))
}

const reconciling = (at: Receiver): Recovery<string> => ({
  mode: 'reconcile',
  settleMs: 0,
  lookup: async (ctx): Promise<LookupAnswer<string>> => at.lookup(ctx),
})

describe('the store loses acknowledged writes [claim 26]', () => {
  test('FLUSHALL under load: store-loss names the buckets, and no key runs twice: the next fresh call looks up first', async () => {
    await using here = instance(redis)
    await using there = instance(redis, { namespace: here.namespace })
    const at = receiver()
    const [mine, theirs] = [buying(here, at, reconciling), buying(there, at, reconciling)]
    const keys = Array.from({ length: 300 }, (_, index) => `order-${index}`)
    const call = (index: number) => (index % 2 === 0 ? mine : theirs)(keys[index] as string)
    await Promise.all(keys.map((_, index) => call(index)))
    let flushed = false
    const load = Promise.all(
      keys.map(async (_, index) => {
        if (index === 150) {
          await redis.flushall()
          flushed = true
        }
        return await call(index)
      }),
    )
    await load
    expect(flushed).toBe(true)
    const again = await Promise.all(keys.map((_, index) => call(index)))
    expect(again.every(one => one.status === 'replayed' && one.value === 'receipt')).toBe(true)
    expect(at.count()).toBe(300)
    await eventually(() => here.of('store-loss').length > 0 && there.of('store-loss').length > 0)
    const loss = here.of('store-loss')[0] as { bucket: string; fromMs: number; toMs: number }
    expect(loss.bucket).toMatch(/^[0-7][0-9a-f]$/)
    expect(loss.toMs).toBeGreaterThanOrEqual(loss.fromMs)
  })

  test('a process that just started is warned by the mark that another one set', async () => {
    await using here = instance(redis)
    const at = receiver()
    const first = buying(here, at, reconciling)
    await first('a')
    await redis.flushall()
    expect(await first('a')).toMatchObject({ status: 'replayed', source: 'lookup' })
    const [record] = await redis.keys(`${here.namespace}:*:buy:a`)
    await redis.del(record as string)
    await using fresh = instance(redis, { namespace: here.namespace })
    expect(await buying(fresh, at, reconciling)('a')).toMatchObject({ status: 'replayed', source: 'lookup' })
    expect(at.count()).toBe(1)
    expect(fresh.of('store-loss')).toEqual([])
  })

  test('a manual effect is in doubt then; a repeat effect, and onStoreLoss run, run', async () => {
    await using here = instance(redis)
    await using running = instance(redis, { onStoreLoss: 'run' })
    const [manual, repeat, bold] = [receiver(), receiver(), receiver()]
    const effects = [
      { here, at: manual, mode: 'manual' },
      { here: running, at: bold, mode: 'manual' },
    ] as const
    for (const { here: on, at, mode } of effects) await buying(on, at, () => ({ mode }))('a')
    await redis.flushall()
    const call = buying(here, manual, () => ({ mode: 'manual' }))
    expect(await rejection(call('a'))).toMatchObject({
      code: 'ERR_IDEMPOTENCY_IN_DOUBT',
      reason: 'store-loss',
      retryable: false,
    })
    expect(await here.idem.inspect('buy', 'a')).toMatchObject({ state: 'in-doubt', reason: 'store-loss' })
    expect(manual.count()).toBe(1)
    expect(await buying(running, bold, () => ({ mode: 'manual' }))('a')).toMatchObject({ status: 'executed' })
    expect(bold.count()).toBe(2)
    await using other = instance(redis)
    const repeating = buying(other, repeat, () => ({ mode: 'repeat' }))
    await repeating('a')
    await redis.flushall()
    expect(await repeating('a')).toMatchObject({ status: 'executed' })
    expect(repeat.count()).toBe(2)
  })

  test.for(['manual', 'reconcile'] as const)(
    'a %s call that waited for an attempt whose record is gone does not run: the attempt may be running still',
    async mode => {
      await using here = instance(redis)
      await using waiting = instance(redis, { namespace: here.namespace })
      const at = receiver()
      const running = gate<string>()
      const lookup = async (): Promise<LookupAnswer<string>> => ({ outcome: 'unknown' })
      const recovery = mode === 'manual' ? { mode } : { mode, settleMs: 0, lookup }
      let claims = 0
      const options = {
        name: 'buy',
        key: (input: string) => input,
        recovery,
        leaseMs: 60_000,
        fingerprint: () => {
          claims += 1
          return 'same'
        },
      }
      const first = here.idem.define({ ...options, run: (_input, ctx) => running.promise.then(v => at.take(ctx, v)) })(
        'a',
      )
      await eventually(() => here.of('started').length === 1)
      const second = rejection(waiting.idem.define({ ...options, run: (_input, ctx) => at.take(ctx, 'twice') })('a'))
      await eventually(() => claims === 2)
      await sleep(200)
      await redis.flushall()
      expect(await second).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT', reason: 'store-loss', mode })
      running.open('once')
      expect(await first).toMatchObject({ value: 'once' })
      expect(at.count()).toBe(1)
    },
  )

  test('a "not run" from before the loss is no leave to run; one found since then is', async () => {
    await using here = instance(redis)
    const at = receiver()
    let refused = true
    const effect = here.idem.define({
      name: 'buy',
      key: (input: string) => input,
      recovery: reconciling(at),
      run: (_input, ctx) => {
        if (refused) throw Object.assign(new Error('not connected'), { code: 'ECONNREFUSED' })
        return at.take(ctx, 'receipt')
      },
    })
    const other = inBucketOf(here.namespace, 'buy', 'a')
    for (const key of ['a', other]) expect(await rejection(effect(key))).toMatchObject({ code: 'ECONNREFUSED' })
    const before = await dump()
    refused = false
    expect(await effect('a')).toMatchObject({ status: 'executed', attempt: 2 })
    // As a failover to a replica that had not heard of the second attempt leaves it.
    await redis.flushall()
    for (const [key, value] of before) await redis.restore(key, 0, value)
    expect(await effect('a')).toMatchObject({ status: 'replayed', source: 'lookup', value: 'receipt' })
    // Never sent: the lookup says so, once, and then it runs.
    expect(await effect(other)).toMatchObject({ status: 'executed', value: 'receipt' })
    expect(here.of('reconciled').map(event => event.verdict)).toEqual(['ran', 'not-run'])
    expect(at.count()).toBe(2)
    await here.idem.release('buy', 'a', { by: 'ann', why: 'test', force: true })
    expect(await effect('a')).toMatchObject({ status: 'executed' })
  })

  test('after lossWindowMs fresh keys run again', async () => {
    await using here = instance(redis, { lossWindowMs: 100 })
    const at = receiver()
    const effect = buying(here, at, () => ({ mode: 'manual' }))
    await effect('a')
    await redis.flushall()
    await rejection(effect('a'))
    const [record] = await redis.keys(`${here.namespace}:*:buy:a`)
    await redis.del(record as string)
    await eventually(async () => {
      const [status] = await effect('a').then(
        one => [one.status],
        () => [undefined],
      )
      if (status === undefined) await redis.del(record as string)
      return status === 'executed'
    })
  })

  test('a loss that another process marks counts anew after the own one was forgotten', async () => {
    await using here = instance(redis, { lossWindowMs: 1500 })
    const effect = buying(here, receiver(), () => ({ mode: 'manual' }))
    await effect('a')
    await redis.flushall()
    expect(await rejection(effect('a'))).toMatchObject({ reason: 'store-loss' })
    const [record] = await redis.keys(`${here.namespace}:*:buy:a`)
    const [bucket] = await redis.keys(`${here.namespace}:*:open`)
    await sleep(1600)
    await redis.del(record as string)
    expect(await effect('a')).toMatchObject({ status: 'executed' })
    await redis.del(record as string)
    await redis.zadd(bucket as string, Date.now(), '!')
    expect(await rejection(effect('a'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT', reason: 'store-loss' })
  })

  test('a key the loss hit while its lookup says "not there" runs after the settle time, counted from the mark', async () => {
    await using here = instance(redis)
    const at = receiver()
    const effect = buying(here, at, () => ({
      mode: 'reconcile',
      settleMs: 200,
      lookup: async () => ({ outcome: 'not-run' }),
    }))
    await effect('a')
    await redis.flushall()
    expect(await effect('a')).toMatchObject({ status: 'executed', attempt: 2 })
    await eventually(() => here.of('reconciled').length === 1)
    expect(here.of('reconciled')).toMatchObject([{ verdict: 'not-run' }])
  })

  test('a restart with an empty disk is noticed like a flush', async () => {
    await using own = await startRedis()
    const client = connectRedis(own.url)
    await whenReady(client)
    await using here = instance(client)
    const at = receiver()
    const effect = buying(here, at, reconciling)
    await effect('a')
    await own.restart({ data: 'drop' })
    await whenReady(client, { timeoutMs: 20_000 })
    expect(await effect('a')).toMatchObject({ status: 'replayed', source: 'lookup' })
    await eventually(() => here.of('store-loss').length === 1)
    client.disconnect()
  })
})
