import { connectRedis, whenReady } from '@safety/redis-core'
import type { RedisClient } from '@safety/redis-core'
import { startFaultProxy, startRedis } from '@safety/redis-core/testing'
import type { FaultProxy, RedisServer } from '@safety/redis-core/testing'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { eventually, gate, instance, receiver, rejection, sleep } from './harness.ts'
import { speaksResp3 } from './resp3.ts'

let server: RedisServer

beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server[Symbol.asyncDispose]())

/** Every kind of client the package takes: ours on both protocols, and applications' own, which re-send by themselves. */
const CLIENTS: readonly { readonly name: string; readonly connect: (proxy: FaultProxy) => RedisClient }[] = [
  { name: 'connectRedis, RESP2', connect: proxy => connectRedis(proxy.url, { protocol: 2 }) },
  ...(speaksResp3
    ? [{ name: 'connectRedis, RESP3', connect: (proxy: FaultProxy) => connectRedis(proxy.url, { protocol: 3 }) }]
    : []),
  { name: 'ioredis with its defaults', connect: proxy => own(new Redis(proxy.port, proxy.host)) },
  {
    name: 'ioredis 5 with its defaults',
    connect: proxy => own(new Redis5(proxy.port, proxy.host) as unknown as Redis),
  },
]

function own(client: Redis): Redis {
  // As an application would: without a listener ioredis prints connection errors.
  return client.on('error', () => undefined)
}

describe.concurrent.for(CLIENTS)('a lost reply with $name', ({ connect }) => {
  test('of a claim or a finish is asked for again with the same token: one effect, one fence [claim 7]', async () => {
    await using proxy = await startFaultProxy(server)
    const redis = connect(proxy)
    await using here = instance(redis)
    const at = receiver()
    const effect = here.idem.define({
      name: 'pay',
      key: (input: string) => input,
      recovery: { mode: 'repeat' },
      run: (_input, ctx) => at.take(ctx, 'ok'),
    })
    await effect('warm')
    for (const script of ['idempotency.claim', 'idempotency.finish']) {
      const lost = proxy.dropReply({ match: { script } })
      const first = await effect(script)
      expect(lost.fired).toBe(1)
      expect(first).toMatchObject({ status: 'executed', recorded: true, attempt: 1, superseded: false })
      expect(at.count(first.effectId)).toBe(1)
      expect(await here.idem.inspect('pay', script)).toMatchObject({
        state: 'done',
        fence: first.fence,
        conflicts: 0,
        attempt: 1,
      })
      expect(await effect(script)).toMatchObject({ status: 'replayed', fence: first.fence })
    }
    redis.disconnect()
  })

  test('of a renewal, a reconcile, a resolve or a verdict changes nothing but the time it takes [claim 7]', async () => {
    await using proxy = await startFaultProxy(server)
    const redis = connect(proxy)
    await using here = instance(redis)
    const running = gate<string>()
    const slow = here.idem.define({
      name: 'slow',
      key: (input: string) => input,
      recovery: { mode: 'manual' },
      leaseMs: 1500,
      run: () => running.promise,
    })
    const renewal = proxy.dropReply({ match: { script: 'idempotency.renew' } })
    const call = slow('a')
    await eventually(() => renewal.fired === 1)
    await eventually(() => here.of('renewed').length >= 1)
    running.open('ok')
    expect(await call).toMatchObject({ status: 'executed', recorded: true })
    expect(here.of('lease-lost')).toEqual([])

    const doubtful = here.idem.define({
      name: 'doubtful',
      key: (input: string) => input,
      recovery: { mode: 'reconcile', settleMs: 0, lookup: async () => ({ outcome: 'ran', value: 'found' }) },
      run: (): string => {
        throw new Error('reset')
      },
    })
    for (const script of ['idempotency.reconcile', 'idempotency.resolve']) {
      const lost = proxy.dropReply({ match: { script } })
      expect(await doubtful(script)).toMatchObject({ status: 'replayed', source: 'lookup', value: 'found' })
      expect(lost.fired).toBe(1)
    }
    const person = { by: 'ann', why: 'seen at the venue' }
    const verdicts = [
      [
        { state: 'done', source: 'confirmed', value: 'seen' },
        () => here.idem.confirm('doubtful', 'seen', { outcome: 'ran', value: 'seen', evidenceId: 'e' }),
      ],
      [
        { state: 'not-run', reason: 'released' },
        () => here.idem.release('doubtful', 'seen', { ...person, force: true }),
      ],
      [
        { state: 'done', source: 'operator' },
        () => here.idem.resolve('unclear', 'a', { outcome: 'ran', value: 1, ...person }),
      ],
    ] as const
    await here.idem
      .executeOnce('a', () => Promise.reject(new Error('reset')), { name: 'unclear' })
      .catch(() => undefined)
    for (const [expected, decide] of verdicts) {
      const lost = proxy.dropReply({ match: { script: 'idempotency.decide' } })
      expect(await decide()).toMatchObject(expected)
      expect(lost.fired).toBe(1)
    }
    // The answer came at the second asking; that it was this call's own verdict is told all the same.
    await eventually(() => here.of('resolved').length > 0)
    expect([here.of('released').length, here.of('resolved').length]).toEqual([1, 1])
    redis.disconnect()
  })
})

test('a lease whose grant got lost on the way counts from before the first sending', async () => {
  await using proxy = await startFaultProxy(server)
  const redis = connectRedis(proxy.url)
  await whenReady(redis)
  await using here = instance(redis, { storeTimeoutMs: 700, storeBudgetMs: 5000 })
  proxy.dropReply({ match: { script: 'idempotency.claim' }, then: 'silence' })
  const effect = here.idem.define({
    name: 'pay',
    key: (input: string) => input,
    recovery: { mode: 'manual' },
    leaseMs: 1300,
    run: () => 'ok',
  })
  expect(await effect('a')).toMatchObject({ status: 'executed', attempt: 1 })
  // More than half of it was gone when the second answer came, so it was renewed before dispatch.
  await eventually(() => here.of('finished').length === 1)
  expect(here.events.map(event => event.type).slice(0, 2)).toEqual(['renewed', 'started'])
  redis.disconnect()
})

describe('a claim its caller has given up', () => {
  test('and that the server executes late, is refused or ended: the next call runs at once [section 6]', async () => {
    await using proxy = await startFaultProxy(server)
    const redis = connectRedis(proxy.url)
    await using here = instance(redis, { storeTimeoutMs: 400, storeBudgetMs: 800 })
    await using there = instance(server.client(), { namespace: here.namespace })
    const at = receiver()
    const options = {
      name: 'ghost',
      key: (input: string) => input,
      recovery: { mode: 'manual' },
      onBusy: 'reject',
      leaseMs: 60_000,
    } as const
    const effect = here.idem.define({ ...options, run: (_input: string, ctx) => at.take(ctx, 'ghost') })
    proxy.hold({ script: 'idempotency.claim' })
    const gaveUp = await rejection(effect('a'))
    expect(gaveUp).toMatchObject({ code: 'ERR_IDEMPOTENCY_STORE', outcome: 'not-run', retryable: true })
    proxy.release()
    await eventually(async () => (await there.idem.inspect('ghost', 'a'))?.state === 'not-run')
    await sleep(100)
    const next = there.idem.define({ ...options, run: (_input: string, ctx) => at.take(ctx, 'next') })
    expect(await next('a')).toMatchObject({ status: 'executed', value: 'next' })
    expect(at.effects.map(effect => effect.value)).toEqual(['next'])
    redis.disconnect()
  })

  test("is LATE by the server's clock once that clock is known, and leaves no key", async () => {
    await using proxy = await startFaultProxy(server)
    const redis = connectRedis(proxy.url)
    await using here = instance(redis, { storeTimeoutMs: 500, storeBudgetMs: 500 })
    const effect = here.idem.define({
      name: 'late',
      key: (input: string) => input,
      recovery: { mode: 'manual' },
      run: () => 'ok',
    })
    // The clock is known per bucket, so the same key teaches it.
    await effect('a')
    const direct = server.client()
    await whenReady(direct)
    const keys = await direct.keys(`${here.namespace}:*:late:a`)
    await direct.del(...keys)
    proxy.hold({ script: 'idempotency.claim' })
    proxy.hold({ script: 'idempotency.abandon' })
    expect(await rejection(effect('a'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_STORE' })
    await sleep(1200)
    const before = await direct.keys(`${here.namespace}:*:late:a`)
    expect(before).toEqual([])
    proxy.release()
    const held = await eventually(async () => {
      const found = await direct.keys(`${here.namespace}:*:late:a`)
      return found.length === 1 && found
    })
    // Only abandon wrote: a claim that had run would have been granted first.
    expect(await direct.get(held[0] as string)).toMatch(/^1\|N\|[^|]+\|0\|/)
    redis.disconnect()
  })
})
