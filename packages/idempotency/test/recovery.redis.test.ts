import { connectRedis, whenReady } from '@safety/redis-core'
import { startFaultProxy, startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { LookupAnswer, LookupContext, Recovery } from '../src/index.ts'
import { collect, eventually, gate, instance, receiver, rejection, sleep } from './harness.ts'
import type { Instance } from './harness.ts'

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
  await whenReady(redis)
})
afterAll(() => server[Symbol.asyncDispose]())

const KEYED = { name: 'pay', key: (input: string) => input } as const

/** An effect that fails unclearly the first time, with or without having taken place. */
function unclearOnce(
  here: Instance,
  lookup: (ctx: LookupContext) => Promise<LookupAnswer<string>>,
  over: { settleMs?: number; onBusy?: 'wait' | 'reject'; tookPlace?: boolean; lookupTimeoutMs?: number } = {},
) {
  const at = receiver()
  let fail = true
  const effect = here.idem.define({
    ...KEYED,
    recovery: {
      mode: 'reconcile',
      lookup: ctx => lookup(ctx),
      settleMs: over.settleMs ?? 150,
      lookupTimeoutMs: over.lookupTimeoutMs,
    },
    onBusy: over.onBusy,
    memo: input => ({ symbol: input }),
    run: (_input, ctx) => {
      const first = fail
      fail = false
      if (!first || over.tookPlace === true) at.take(ctx, 'receipt')
      if (first) throw new Error('socket hang up')
      return 'receipt'
    },
  })
  return { effect, at }
}

describe('reconcile [claim 16]', () => {
  test('an effect the lookup finds is replayed from it, at once, and never run again', async () => {
    await using here = instance(redis)
    const asked: LookupContext[] = []
    const { effect, at } = unclearOnce(
      here,
      async ctx => {
        asked.push(ctx)
        return { outcome: 'ran', value: 'found' }
      },
      { tookPlace: true, settleMs: 3_600_000 },
    )
    const found = await effect('a')
    expect(found).toMatchObject({ status: 'replayed', recorded: true, source: 'lookup', value: 'found', attempt: 1 })
    expect(asked).toMatchObject([
      { key: 'a', effectId: effect.effectIdOf('a'), fence: found.fence, attempt: 1, memo: { symbol: 'a' } },
    ])
    expect(at.count()).toBe(1)
    expect(await effect('a')).toMatchObject({ status: 'replayed', source: 'lookup', value: 'found' })
    expect(here.of('reconciled')).toMatchObject([{ verdict: 'ran' }])
  })

  test('an effect the lookup does not find after the settle time runs once more, in the same call', async () => {
    await using here = instance(redis)
    const starts: number[] = []
    const { effect, at } = unclearOnce(here, async () => {
      starts.push(performance.now())
      return { outcome: 'not-run' }
    })
    const done = await effect('a')
    expect(done).toMatchObject({ status: 'executed', value: 'receipt', attempt: 2 })
    expect(at.count()).toBe(1)
    expect(starts.length).toBeGreaterThanOrEqual(2)
    expect(here.of('reconciled')).toMatchObject([{ verdict: 'not-run' }])
  })

  test('"not there" before the settle time is no verdict: with onBusy reject it is IN_DOUBT with the time left', async () => {
    await using here = instance(redis)
    const { effect, at } = unclearOnce(here, async () => ({ outcome: 'not-run' }), {
      settleMs: 60_000,
      onBusy: 'reject',
    })
    const error = await rejection(effect('a'))
    expect(error).toMatchObject({
      code: 'ERR_IDEMPOTENCY_IN_DOUBT',
      retryable: true,
      mode: 'reconcile',
      reason: 'unclear',
    })
    expect(error['retryAfterMs']).toBeGreaterThan(50_000)
    expect(error['retryAfterMs']).toBeLessThanOrEqual(60_000)
    expect(error['cause']).toMatchObject({ message: 'socket hang up' })
    const again = await rejection(effect('a'))
    expect(again).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT' })
    expect(at.count()).toBe(0)
    expect(await here.idem.inspect('pay', 'a')).toMatchObject({ state: 'in-doubt', memo: { symbol: 'a' } })
  })

  test('a lookup that started before the settle time does not count, even if it ends after it', async () => {
    await using here = instance(redis)
    let lookups = 0
    const { effect } = unclearOnce(
      here,
      async () => {
        lookups += 1
        if (lookups === 1) await sleep(200)
        return lookups === 1 ? { outcome: 'not-run' } : { outcome: 'ran', value: 'arrived late' }
      },
      { settleMs: 100 },
    )
    expect(await effect('a')).toMatchObject({ status: 'replayed', source: 'lookup', value: 'arrived late' })
    expect(lookups).toBe(2)
  })

  test('unknown, a throw and a mute lookup leave the doubt as it is', async () => {
    await using here = instance(redis)
    const answers: (() => Promise<LookupAnswer<string>>)[] = [
      async () => ({ outcome: 'unknown', retryAfterMs: 1234 }),
      async () => {
        throw new Error('503')
      },
      () => new Promise(() => undefined),
      async () => 'nonsense' as never,
    ]
    const { effect, at } = unclearOnce(here, () => (answers.shift() as () => Promise<LookupAnswer<string>>)(), {
      settleMs: 0,
      lookupTimeoutMs: 50,
    })
    expect(await rejection(effect('a'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT', retryAfterMs: 1234 })
    for (let round = 0; round < 3; round += 1) {
      expect(await rejection(effect('a'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT' })
      expect((await here.idem.inspect('pay', 'a'))?.state).toBe('in-doubt')
    }
    expect(answers).toEqual([])
    expect(at.count()).toBe(0)
  })

  test('an effect that stays unclear and is never found runs at most twice in one call', async () => {
    await using here = instance(redis)
    let runs = 0
    const effect = here.idem.define({
      ...KEYED,
      recovery: { mode: 'reconcile', settleMs: 0, lookup: async () => ({ outcome: 'not-run' }) },
      run: (): string => {
        runs += 1
        throw new Error(`unclear ${runs}`)
      },
    })
    expect(await rejection(effect('a'))).toMatchObject({
      code: 'ERR_IDEMPOTENCY_IN_DOUBT',
      reason: 'unclear',
      attempt: 2,
      cause: { message: 'unclear 2' },
    })
    expect(runs).toBe(2)
  })

  test('a final failure the lookup reports is recorded and replayed as FAILED', async () => {
    await using here = instance(redis)
    const { effect } = unclearOnce(here, async () => ({
      outcome: 'failed',
      error: Object.assign(new Error('insufficient balance'), { code: '-2010' }),
    }))
    for (let round = 0; round < 2; round += 1) {
      expect(await rejection(effect('a'))).toMatchObject({
        code: 'ERR_IDEMPOTENCY_FAILED',
        failure: { message: 'insufficient balance', code: '-2010' },
      })
    }
    expect(await here.idem.inspect('pay', 'a')).toMatchObject({ state: 'failed', source: 'lookup' })
  })

  test('one lookup at a time per key, over all processes', async () => {
    await using here = instance(redis)
    await using there = instance(redis, { namespace: here.namespace })
    const answer = gate<LookupAnswer<string>>()
    let running = 0
    let most = 0
    const lookup = async (): Promise<LookupAnswer<string>> => {
      running += 1
      most = Math.max(most, running)
      const found = await answer.promise
      running -= 1
      return found
    }
    const first = unclearOnce(here, lookup, { tookPlace: true }).effect('a')
    await eventually(() => running === 1)
    const others = Array.from({ length: 4 }, () => unclearOnce(there, lookup).effect('a'))
    await sleep(100)
    answer.open({ outcome: 'ran', value: 'found' })
    const all = await Promise.all([first, ...others])
    expect(all.every(one => one.value === 'found')).toBe(true)
    expect(most).toBe(1)
  })

  test('a caller that leaves while the receiver is asked leaves a doubt that is told, and its twin asks anew', async () => {
    await using here = instance(redis)
    let lookups = 0
    const { effect, at } = unclearOnce(
      here,
      () => {
        lookups += 1
        return lookups === 1 ? new Promise(() => undefined) : Promise.resolve({ outcome: 'ran', value: 'found' })
      },
      { tookPlace: true, settleMs: 0, lookupTimeoutMs: 3_600_000 },
    )
    const controller = new AbortController()
    const leader = rejection(effect('a', { signal: controller.signal }))
    const twin = effect('a')
    await eventually(() => lookups === 1)
    const reason = new Error('left')
    controller.abort(reason)
    expect(await leader).toBe(reason)
    expect(await twin).toMatchObject({ status: 'replayed', source: 'lookup', value: 'found' })
    expect(at.count()).toBe(1)
    await eventually(() => here.of('reconciled').length === 1)
    expect(here.of('doubt')).toMatchObject([{ reason: 'unclear', attempt: 1 }])
  })

  test.for(['while the effect runs', 'while the call waits for the settle time'] as const)(
    'a caller that leaves %s leaves no doubt untold',
    async when => {
      await using here = instance(redis)
      const running = gate()
      let lookups = 0
      const effect = here.idem.define({
        ...KEYED,
        waitMs: 3_600_000,
        recovery: {
          mode: 'reconcile',
          settleMs: 1_800_000,
          lookup: async () => {
            lookups += 1
            return { outcome: 'not-run' }
          },
        },
        run: async (): Promise<string> => {
          await running.promise
          throw new Error('socket hang up')
        },
      })
      const controller = new AbortController()
      const call = rejection(effect('a', { signal: controller.signal }))
      await eventually(() => here.of('started').length === 1)
      if (when === 'while the effect runs') controller.abort(new Error('left'))
      running.open()
      await eventually(async () => (await here.idem.inspect('pay', 'a'))?.state === 'in-doubt')
      if (when !== 'while the effect runs') {
        await eventually(async () => lookups === 1 && (await here.idem.inspect('pay', 'a'))?.state === 'in-doubt')
        expect(here.of('doubt')).toEqual([])
        controller.abort(new Error('left'))
      }
      expect(await call).toMatchObject({ message: 'left' })
      await eventually(() => here.of('doubt').length > 0)
      expect(here.of('doubt')).toMatchObject([{ reason: 'unclear', attempt: 1, token: here.of('started')[0]?.token }])
    },
  )

  test('under a stricter stored mode, or without a lookup, a person decides', async () => {
    await using here = instance(redis)
    await using there = instance(redis, { namespace: here.namespace })
    const fail = (): string => {
      throw new Error('unclear')
    }
    const manual = here.idem.define({ ...KEYED, recovery: { mode: 'manual' }, run: fail })
    expect(await rejection(manual('a'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT', mode: 'manual' })
    let lookups = 0
    const lookup = async (): Promise<LookupAnswer<string>> => {
      lookups += 1
      return { outcome: 'not-run' }
    }
    const looking = there.idem.define({
      ...KEYED,
      recovery: { mode: 'reconcile', settleMs: 0, lookup },
      run: () => 'ran',
    })
    expect(await rejection(looking('a'))).toMatchObject({
      code: 'ERR_IDEMPOTENCY_IN_DOUBT',
      mode: 'manual',
      retryable: false,
    })
    const repeating = there.idem.define({ ...KEYED, recovery: { mode: 'repeat' }, run: () => 'ran' })
    expect(await rejection(repeating('a'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT', mode: 'manual' })
    expect(lookups).toBe(0)
  })
})

describe('sweeper, confirm, resolve, release', () => {
  test('the sweeper looks up doubts nobody asks for, sets lapsed repeat claims free, and counts what it did', async () => {
    await using dead = instance(redis)
    await using here = instance(redis, { namespace: dead.namespace })
    const never = gate<string>()
    const forever = never.promise
    const times = { leaseMs: 2000, effectTimeoutMs: 1 } as const
    const mute = async (): Promise<LookupAnswer<string>> => ({ outcome: 'unknown' })
    const recoveries: Readonly<Record<string, Recovery<string>>> = {
      found: { mode: 'reconcile', settleMs: 0, lookup: mute },
      again: { mode: 'repeat' },
      person: { mode: 'manual' },
    }
    for (const [name, recovery] of Object.entries(recoveries)) {
      const effect = dead.idem.define({ name, key: (input: string) => input, recovery, ...times, run: () => forever })
      expect(await rejection(effect('a'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT', reason: 'timeout' })
    }
    here.idem.define({
      name: 'found',
      key: (input: string) => input,
      recovery: { mode: 'reconcile', settleMs: 0, lookup: async () => ({ outcome: 'ran', value: 'found' }) },
      run: () => forever,
    })
    await using sweeper = here.idem.startSweeper({ intervalMs: 3_600_000 })
    // The repeat claim is left to lapse.
    await eventually(async () => Number((await here.idem.inspect('again', 'a'))?.leaseEndsAtMs) < Date.now())
    expect(await sweeper.sweepOnce()).toEqual({ looked: 3, resolved: 1, lapsed: 1, left: 1 })
    expect(await here.idem.inspect('found', 'a')).toMatchObject({ state: 'done', source: 'lookup', value: 'found' })
    expect(await here.idem.inspect('again', 'a')).toMatchObject({ state: 'not-run', reason: 'lapsed' })
    expect(await here.idem.inspect('person', 'a')).toMatchObject({ state: 'in-doubt', reason: 'timeout' })
    expect(await sweeper.sweepOnce()).toMatchObject({ resolved: 0, lapsed: 0 })
    await eventually(() => here.of('lapsed').length === 1)
    expect(here.of('reconciled')).toMatchObject([{ effect: 'found', verdict: 'ran' }])
    never.fail(new Error('end of the test'))
  })

  test('a doubt older than stuckAfterMs is reported, once a minute', async () => {
    await using here = instance(redis)
    const effect = here.idem.define({
      ...KEYED,
      recovery: { mode: 'manual' },
      run: (): string => {
        throw new Error('unclear')
      },
    })
    await rejection(effect('young'))
    await using patient = here.idem.startSweeper({ intervalMs: 3_600_000, stuckAfterMs: 604_800_000 })
    expect(await patient.sweepOnce()).toMatchObject({ left: 1 })
    await rejection(effect('old'))
    await sleep(5)
    await using sweeper = here.idem.startSweeper({ intervalMs: 3_600_000, stuckAfterMs: 1 })
    expect(await sweeper.sweepOnce()).toMatchObject({ left: 1 })
    await sweeper.sweepOnce()
    await eventually(() => here.of('doubt-stuck').length > 0)
    expect(here.of('doubt-stuck')).toMatchObject([
      { effect: 'pay', effectId: effect.effectIdOf('old'), reason: 'unclear' },
    ])
  })

  test('a stuck doubt that is looked up again and again is reported no more often', async () => {
    await using here = instance(redis)
    let lookups = 0
    const { effect } = unclearOnce(here, async () => {
      lookups += 1
      return { outcome: 'unknown', retryAfterMs: 0 }
    })
    await rejection(effect('a'))
    await sleep(5)
    await using sweeper = here.idem.startSweeper({ intervalMs: 1000, stuckAfterMs: 1 })
    for (let round = 0; round < 3; round += 1) {
      expect(await sweeper.sweepOnce()).toMatchObject({ left: 1 })
      await sleep(5)
    }
    await sweeper[Symbol.asyncDispose]()
    await eventually(() => here.of('doubt-stuck').length > 0)
    expect(here.of('doubt-stuck')).toHaveLength(1)
    expect(lookups).toBe(4)
    expect(await rejection(sweeper.sweepOnce())).toMatchObject({ code: 'ERR_IDEMPOTENCY_CLOSED' })
  })

  test('a lapse that a sweep is first to notice is told as doubt', async () => {
    await using proxy = await startFaultProxy(server)
    const cutOff = connectRedis(proxy.url)
    await using dead = instance(cutOff)
    await using here = instance(redis, { namespace: dead.namespace })
    proxy.add({ match: { script: 'idempotency.renew' }, action: { kind: 'error', message: 'LOADING' } })
    const running = gate<string>()
    const recovery = { mode: 'manual' } as const
    const call = dead.idem.define({ ...KEYED, recovery, leaseMs: 1000, run: () => running.promise })('a')
    await using sweeper = here.idem.startSweeper({ intervalMs: 3_600_000 })
    await eventually(() => dead.of('lease-lost').length === 1)
    await eventually(async () => (await sweeper.sweepOnce()).left === 1)
    await eventually(() => here.of('doubt').length === 1)
    expect(here.of('doubt')).toMatchObject([{ reason: 'lapsed', attempt: 1 }])
    running.open('late')
    expect(await call).toMatchObject({ status: 'executed', value: 'late', recorded: true })
    cutOff.disconnect()
  })

  test('confirm closes a doubtful record; the same evidence, or other evidence, leaves it as it is [claim 20]', async () => {
    await using here = instance(redis)
    const effect = here.idem.define({
      ...KEYED,
      recovery: { mode: 'manual' },
      run: (): string => {
        throw new Error('unclear')
      },
    })
    await rejection(effect('a'))
    const first = await here.idem.confirm('pay', 'a', {
      outcome: 'ran',
      value: 'seen on the stream',
      evidenceId: 'trade-7',
    })
    expect(first).toMatchObject({ state: 'done', source: 'confirmed', value: 'seen on the stream' })
    expect(await here.idem.confirm('pay', 'a', { outcome: 'ran', value: 'x', evidenceId: 'trade-7' })).toEqual(first)
    expect(await here.idem.confirm('pay', 'a', { outcome: 'ran', value: 'y', evidenceId: 'trade-8' })).toEqual(first)
    expect(await effect('a')).toMatchObject({ status: 'replayed', source: 'confirmed', value: 'seen on the stream' })
    await eventually(() => here.of('confirmed').length === 1)
    expect(here.of('confirmed')).toMatchObject([{ verdict: 'ran' }])
  })

  test('confirm closes a running record, and its executor adopts the evidence without a conflict', async () => {
    await using here = instance(redis)
    const running = gate<string>()
    const call = here.idem.define({ ...KEYED, recovery: { mode: 'manual' }, run: () => running.promise })('a')
    await eventually(() => here.of('started').length === 1)
    await here.idem.confirm('pay', 'a', { outcome: 'ran', value: 'filled', evidenceId: 'e' })
    running.open('answer')
    expect(await call).toMatchObject({ status: 'replayed', source: 'confirmed', value: 'filled' })
    expect(await here.idem.inspect('pay', 'a')).toMatchObject({ conflicts: 0, value: 'filled' })
  })

  test('confirm of an absent key creates its record, and a failure confirmed is FAILED', async () => {
    await using here = instance(redis)
    const effect = here.idem.define({ ...KEYED, recovery: { mode: 'manual' }, run: () => 'ran' })
    await here.idem.confirm('pay', 'a', { outcome: 'ran', value: 1, evidenceId: 'e' })
    expect(await effect('a')).toMatchObject({ status: 'replayed', value: 1 })
    await here.idem.confirm('pay', 'b', {
      outcome: 'failed',
      error: { name: 'Rejected', message: 'no' },
      evidenceId: 'e',
    })
    expect(await rejection(effect('b'))).toMatchObject({
      code: 'ERR_IDEMPOTENCY_FAILED',
      failure: { name: 'Rejected', message: 'no' },
    })
  })

  test('resolve: a live lease, or not-run before the settle time, needs force; what is closed stays', async () => {
    await using here = instance(redis)
    const order = { by: 'ann', why: 'asked the venue' } as const
    const running = gate<string>()
    const effect = here.idem.define({
      ...KEYED,
      recovery: { mode: 'reconcile', settleMs: 60_000, lookup: async () => ({ outcome: 'unknown' }) },
      run: () => running.promise,
    })
    const call = effect('a')
    await eventually(() => here.of('started').length === 1)
    const live = await rejection(here.idem.resolve('pay', 'a', { outcome: 'ran', value: 1, ...order }))
    expect(live).toMatchObject({
      code: 'ERR_IDEMPOTENCY_VERDICT',
      state: 'running',
      outcome: 'not-run',
      retryable: false,
    })
    running.fail(new Error('unclear'))
    expect(await rejection(call)).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT' })
    expect(await rejection(here.idem.resolve('pay', 'a', { outcome: 'not-run', ...order }))).toMatchObject({
      code: 'ERR_IDEMPOTENCY_VERDICT',
      state: 'in-doubt',
    })
    const view = await here.idem.resolve('pay', 'a', { outcome: 'ran', value: { id: 9 }, ...order })
    expect(view).toMatchObject({ state: 'done', source: 'operator', value: { id: 9 }, ...order })
    expect(await effect('a')).toMatchObject({ status: 'replayed', source: 'operator', value: { id: 9 } })
    expect(await rejection(here.idem.resolve('pay', 'a', { outcome: 'not-run', ...order, force: true }))).toMatchObject(
      {
        code: 'ERR_IDEMPOTENCY_VERDICT',
        state: 'done',
      },
    )
    expect(await rejection(here.idem.resolve('pay', 'none', { outcome: 'ran', value: 1, ...order }))).toMatchObject({
      code: 'ERR_IDEMPOTENCY_VERDICT',
    })
    const nobody = { outcome: 'not-run', by: ' ', why: 'x' } as const
    expect(await rejection(here.idem.resolve('pay', 'a', nobody))).toMatchObject({
      code: 'ERR_IDEMPOTENCY_OPTIONS',
      option: 'by',
    })
    await eventually(() => here.of('resolved').length === 1)
  })

  test('release makes a failed record claimable, a done one with force, and says who and why', async () => {
    await using here = instance(redis)
    let next: 'fail' | 'ok' = 'fail'
    const effect = here.idem.define({
      ...KEYED,
      recovery: { mode: 'manual' },
      run: () => {
        if (next === 'fail') throw Object.assign(new Error('limit'), { outcome: 'ran' })
        return 'ok'
      },
    })
    await rejection(effect('a'))
    const order = { by: 'ann', why: 'limit raised' } as const
    expect(await here.idem.release('pay', 'a', order)).toMatchObject({ state: 'not-run', ...order })
    const other = { by: 'bob', why: 'again', force: true } as const
    expect(await rejection(here.idem.release('pay', 'a', other))).toMatchObject({
      code: 'ERR_IDEMPOTENCY_VERDICT',
      state: 'not-run',
    })
    expect(await here.idem.inspect('pay', 'a')).toMatchObject({ state: 'not-run', ...order })
    expect(here.of('released')).toHaveLength(1)
    next = 'ok'
    expect(await effect('a')).toMatchObject({ status: 'executed', value: 'ok', attempt: 2 })
    expect(await rejection(here.idem.release('pay', 'a', order))).toMatchObject({
      code: 'ERR_IDEMPOTENCY_VERDICT',
      state: 'done',
    })
    await here.idem.release('pay', 'a', { ...order, force: true })
    expect(await effect('a')).toMatchObject({ status: 'executed', attempt: 3 })
    expect(await collect(here.idem.list())).toEqual([])
  })
})
