import { connectRedis, whenReady } from '@safety/redis-core'
import { startFaultProxy, startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { LookupAnswer } from '../src/index.ts'
import { eventually, gate, instance, lapse, recordKeys, rejection, sleep } from './harness.ts'

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
  await whenReady(redis)
})
afterAll(() => server[Symbol.asyncDispose]())

const KEYED = { name: 'pay', key: (input: string) => input } as const

describe('a worker that comes late', () => {
  test('after takeover changes nothing: conflicts 1, the new outcome stays and is what both get [claim 9]', async () => {
    await using slow = instance(redis)
    await using fast = instance(redis, { namespace: slow.namespace })
    const running = gate<string>()
    const recovery = { mode: 'repeat' } as const
    const zombie = slow.idem.define({ ...KEYED, recovery, run: () => running.promise })('a')
    await eventually(() => slow.of('started').length === 1)
    await lapse(redis, slow.namespace, 'pay', 'a')
    const taken = await fast.idem.define({ ...KEYED, recovery, run: () => 'new' })('a')
    expect(taken).toMatchObject({ status: 'executed', value: 'new', attempt: 2 })
    expect(fast.of('lapsed')).toHaveLength(1)
    const [key] = await recordKeys(redis, slow.namespace)
    const payload = (await redis.get(key as string))?.split('|').at(-1)
    running.open('old')
    expect(await zombie).toMatchObject({ status: 'replayed', value: 'new', source: 'executor', fence: taken.fence })
    expect(await fast.idem.inspect('pay', 'a')).toMatchObject({ state: 'done', conflicts: 1, value: 'new', attempt: 2 })
    expect((await redis.get(key as string))?.split('|').at(-1)).toBe(payload)
    expect(slow.of('superseded')).toHaveLength(1)
    expect(slow.of('finished')).toMatchObject([{ outcome: 'ran', recorded: false, superseded: true, accepted: false }])
  })

  test('while the new one still runs it keeps its own value, flagged superseded', async () => {
    await using slow = instance(redis)
    await using fast = instance(redis, { namespace: slow.namespace })
    const [first, second] = [gate<string>(), gate<string>()]
    const recovery = { mode: 'repeat' } as const
    const zombie = slow.idem.define({ ...KEYED, recovery, run: () => first.promise })('a')
    await eventually(() => slow.of('started').length === 1)
    await lapse(redis, slow.namespace, 'pay', 'a')
    const taken = fast.idem.define({ ...KEYED, recovery, run: () => second.promise })('a')
    await eventually(() => fast.of('started').length === 1)
    first.open('old')
    expect(await zombie).toMatchObject({ status: 'executed', value: 'old', superseded: true, recorded: false })
    second.open('new')
    expect(await taken).toMatchObject({ status: 'executed', value: 'new', superseded: false })
    expect(await fast.idem.inspect('pay', 'a')).toMatchObject({ conflicts: 1, value: 'new' })
  })

  test('without takeover closes the doubt its lapse became [claim 9]', async () => {
    await using slow = instance(redis)
    await using other = instance(redis, { namespace: slow.namespace })
    const running = gate<string>()
    const recovery = { mode: 'manual' } as const
    const late = slow.idem.define({ ...KEYED, recovery, run: () => running.promise })('a')
    await eventually(() => slow.of('started').length === 1)
    await lapse(redis, slow.namespace, 'pay', 'a')
    const call = other.idem.define({ ...KEYED, recovery, run: () => 'never' })
    expect(await rejection(call('a'))).toMatchObject({
      code: 'ERR_IDEMPOTENCY_IN_DOUBT',
      reason: 'lapsed',
      mode: 'manual',
    })
    running.open('done')
    expect(await late).toMatchObject({ status: 'executed', value: 'done', recorded: true, superseded: false })
    expect(await call('a')).toMatchObject({ status: 'replayed', value: 'done' })
    expect(await other.idem.inspect('pay', 'a')).toMatchObject({ conflicts: 0 })
  })

  test('learns of the takeover by its heartbeat: its signal aborts, and an unclear end is LEASE_LOST', async () => {
    await using slow = instance(redis)
    await using fast = instance(redis, { namespace: slow.namespace })
    const recovery = { mode: 'manual' } as const
    const aborted = gate<unknown>()
    const effect = slow.idem.define({
      ...KEYED,
      recovery,
      leaseMs: 1500,
      run: (_input, ctx) =>
        new Promise<string>((_resolve, reject) => {
          ctx.signal.addEventListener('abort', () => {
            aborted.open(ctx.signal.reason)
            reject(ctx.signal.reason as Error)
          })
        }),
    })
    const call = effect('a')
    await eventually(() => slow.of('started').length === 1)
    await lapse(redis, slow.namespace, 'pay', 'a')
    await fast.idem.resolve('pay', 'a', { outcome: 'not-run', by: 'ann', why: 'test', force: true })
    const retaken = fast.idem.define({ ...KEYED, recovery, leaseMs: 60_000, run: () => sleep(3000).then(() => 'new') })(
      'a',
    )
    expect(await aborted.promise).toMatchObject({ code: 'ERR_IDEMPOTENCY_LEASE_LOST', outcome: 'unknown' })
    expect(await rejection(call)).toMatchObject({
      code: 'ERR_IDEMPOTENCY_LEASE_LOST',
      outcome: 'unknown',
      retryable: false,
    })
    expect(slow.of('lease-lost')).toHaveLength(1)
    expect(await retaken).toMatchObject({ status: 'executed', value: 'new' })
  })

  test('beats a running reconciler, whose verdict is stale [claim 10]', async () => {
    await using slow = instance(redis)
    await using asking = instance(redis, { namespace: slow.namespace })
    const running = gate<string>()
    const looking = gate<LookupAnswer<string>>()
    const lookups: number[] = []
    const recovery = {
      mode: 'reconcile',
      settleMs: 0,
      lookup: () => {
        lookups.push(1)
        return looking.promise
      },
    } as const
    const executor = slow.idem.define({ ...KEYED, recovery, run: () => running.promise })('a')
    await eventually(() => slow.of('started').length === 1)
    await lapse(redis, slow.namespace, 'pay', 'a')
    const reconciler = asking.idem.define({ ...KEYED, recovery, run: () => 'twice' })('a')
    await eventually(() => lookups.length === 1)
    expect((await asking.idem.inspect('pay', 'a'))?.state).toBe('reconciling')
    running.open('real')
    expect(await executor).toMatchObject({ status: 'executed', value: 'real', recorded: true, superseded: false })
    looking.open({ outcome: 'not-run' })
    expect(await reconciler).toMatchObject({ status: 'replayed', value: 'real', source: 'executor' })
    expect(await asking.idem.inspect('pay', 'a')).toMatchObject({ state: 'done', conflicts: 0, source: 'executor' })
  })

  test('overturns a "not run" verdict that was wrong', async () => {
    await using slow = instance(redis)
    const running = gate<string>()
    const late = slow.idem.define({ ...KEYED, recovery: { mode: 'manual' }, run: () => running.promise })('a')
    await eventually(() => slow.of('started').length === 1)
    await slow.idem.resolve('pay', 'a', { outcome: 'not-run', by: 'ann', why: 'a mistake', force: true })
    running.open('it ran')
    expect(await late).toMatchObject({ status: 'executed', value: 'it ran', recorded: true })
    await eventually(() => slow.of('overturned').length === 1)
    expect(slow.of('overturned')).toMatchObject([{ verdict: 'ran' }])
    expect(await slow.idem.inspect('pay', 'a')).toMatchObject({ state: 'done', value: 'it ran' })
  })

  test('whose claim took longer than half its lease renews before dispatch', async () => {
    await using proxy = await startFaultProxy(server)
    const through = connectRedis(proxy.url)
    await using here = instance(through, { storeTimeoutMs: 10_000, storeBudgetMs: 10_000 })
    proxy.add({ match: { script: 'idempotency.claim' }, action: { kind: 'delay', ms: 700 } })
    const effect = here.idem.define({ ...KEYED, recovery: { mode: 'manual' }, leaseMs: 1200, run: () => 'ok' })
    expect(await effect('a')).toMatchObject({ status: 'executed', recorded: true })
    await eventually(() => here.of('finished').length === 1)
    expect(here.events.map(event => event.type)).toEqual(['renewed', 'started', 'finished'])
    through.disconnect()
  })

  test('whose lease is over right before dispatch sends nothing: LEASE_LOST, not run, and the key is free', async () => {
    await using proxy = await startFaultProxy(server)
    const through = connectRedis(proxy.url)
    await using here = instance(through)
    let runs = 0
    const options = { ...KEYED, recovery: { mode: 'manual' }, run: () => (runs += 1) } as const
    const effect = here.idem.define({ ...options, leaseMs: 500 })
    const slowClaim = proxy.add({ match: { script: 'idempotency.claim' }, action: { kind: 'delay', ms: 600 } })
    const noRenewal = proxy.add({
      match: { script: 'idempotency.renew' },
      action: { kind: 'error', message: 'LOADING Redis is loading the dataset in memory' },
    })
    expect(await rejection(effect('a'))).toMatchObject({
      code: 'ERR_IDEMPOTENCY_LEASE_LOST',
      outcome: 'not-run',
      retryable: true,
    })
    expect(runs).toBe(0)
    expect(await here.idem.inspect('pay', 'a')).toMatchObject({ state: 'not-run', reason: 'lease-lost' })
    slowClaim.remove()
    noRenewal.remove()
    const patient = here.idem.define({ ...options, leaseMs: 60_000 })
    expect(await patient('a')).toMatchObject({ status: 'executed', value: 1, attempt: 2 })
    through.disconnect()
  })
})
