import { whenReady } from '@safety/redis-core'
import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { LookupAnswer } from '../src/index.ts'
import { eventually, gate, instance, lapse, rejection, sleep } from './harness.ts'

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
  await whenReady(redis)
})
afterAll(() => server[Symbol.asyncDispose]())

const KEYED = { name: 'pay', key: (input: string) => input } as const
const NOT_THERE = { outcome: 'not-run' } as const
const FOUND = { outcome: 'ran', value: 'sent once' } as const

/** An executor whose effect ends unclearly when the test says so, with what its own lookups answer, in order. */
function executor(here: ReturnType<typeof instance>, settleMs: number, answers: LookupAnswer<string>[]) {
  const end = gate<string>()
  const state = { runs: 0, end, call: undefined as unknown as Promise<unknown> }
  const effect = here.idem.define({
    ...KEYED,
    recovery: { mode: 'reconcile', settleMs, lookup: async () => answers.shift() ?? NOT_THERE },
    run: () => {
      state.runs += 1
      return state.runs === 1 ? end.promise : 'sent twice'
    },
  })
  state.call = effect('a')
  return state
}

describe('an effect that ends unclearly after its lapse was noticed', () => {
  test('starts the settle time anew: what its receiver does not show yet is not sent again', async () => {
    await using slow = instance(redis)
    await using other = instance(redis, { namespace: slow.namespace })
    // The receiver shows it late.
    const late = executor(slow, 600, [NOT_THERE, FOUND])
    await eventually(() => slow.of('started').length === 1)
    await lapse(redis, slow.namespace, 'pay', 'a')
    const recovery = {
      mode: 'reconcile',
      settleMs: 600,
      lookup: async () => ({ outcome: 'unknown' }) as const,
    } as const
    const asking = other.idem.define({ ...KEYED, recovery, onBusy: 'reject', run: () => 'never' })
    expect(await rejection(asking('a'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT', reason: 'lapsed' })
    const before = await other.idem.inspect('pay', 'a')
    await sleep(700)
    late.end.fail(new Error('socket hang up'))
    expect(await late.call).toMatchObject({ status: 'replayed', source: 'lookup', value: 'sent once' })
    expect(late.runs).toBe(1)
    expect((await other.idem.inspect('pay', 'a'))?.settlesAtMs).toBeGreaterThan(before?.settlesAtMs ?? Infinity)
  })

  test('makes the "not there" of a lookup that is under way too early', async () => {
    await using slow = instance(redis)
    await using other = instance(redis, { namespace: slow.namespace })
    const late = executor(slow, 900, [FOUND])
    await eventually(() => slow.of('started').length === 1)
    await lapse(redis, slow.namespace, 'pay', 'a')
    await sleep(1000)
    const looking = gate<LookupAnswer<string>>()
    let looks = 0
    const recovery = {
      mode: 'reconcile',
      settleMs: 900,
      lookup: () => {
        looks += 1
        return looking.promise
      },
    } as const
    const asking = other.idem.define({ ...KEYED, recovery, onBusy: 'reject', run: () => 'never' })
    const asked = rejection(asking('a'))
    await eventually(() => looks === 1)
    late.end.fail(new Error('socket hang up'))
    await eventually(() => slow.of('finished').length === 1)
    looking.open(NOT_THERE)
    const doubt = await asked
    expect(doubt).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT' })
    // What is left of the settle time, not a moment: nobody asks the receiver in a loop.
    expect(doubt['retryAfterMs']).toBeGreaterThan(1)
    expect(await late.call).toMatchObject({ status: 'replayed', value: 'sent once' })
    expect([looks, late.runs]).toEqual([1, 1])
  })

  test('reopens the "not run" of a lookup: it ran on past that verdict', async () => {
    await using slow = instance(redis)
    await using other = instance(redis, { namespace: slow.namespace })
    const late = executor(slow, 0, [FOUND])
    await eventually(() => slow.of('started').length === 1)
    await lapse(redis, slow.namespace, 'pay', 'a')
    const recovery = { mode: 'reconcile', settleMs: 0, lookup: async () => NOT_THERE } as const
    other.idem.define({ ...KEYED, recovery, run: () => 'never' })
    await using sweeper = other.idem.startSweeper({ intervalMs: 3_600_000 })
    await sweeper.sweepOnce()
    expect(await other.idem.inspect('pay', 'a')).toMatchObject({ state: 'not-run', source: 'lookup' })
    late.end.fail(new Error('socket hang up'))
    expect(await late.call).toMatchObject({ status: 'replayed', source: 'lookup', value: 'sent once' })
    expect(late.runs).toBe(1)
    expect(slow.of('overturned')).toMatchObject([{ verdict: 'unknown' }])
  })

  test('leaves the "not run" of a person as it is, and does not run again by itself', async () => {
    await using slow = instance(redis)
    const late = executor(slow, 0, [])
    await eventually(() => slow.of('started').length === 1)
    await slow.idem.resolve('pay', 'a', { outcome: 'not-run', by: 'ann', why: 'asked the bank', force: true })
    late.end.fail(new Error('socket hang up'))
    expect(await rejection(late.call)).toMatchObject({
      code: 'ERR_IDEMPOTENCY_LEASE_LOST',
      outcome: 'unknown',
      cause: { message: 'socket hang up' },
    })
    expect(late.runs).toBe(1)
    expect(await slow.idem.inspect('pay', 'a')).toMatchObject({ state: 'not-run', source: 'operator' })
  })
})

describe('a sweep', () => {
  test.for(['reconcile', 'manual'] as const)(
    'does not free what was claimed as repeat where the effect is %s now',
    async mode => {
      await using old = instance(redis)
      await using now = instance(redis, { namespace: old.namespace })
      const running = gate<string>()
      const first = old.idem.define({ ...KEYED, recovery: { mode: 'repeat' }, run: () => running.promise })('a')
      await eventually(() => old.of('started').length === 1)
      await lapse(redis, old.namespace, 'pay', 'a')
      const lookup = async (): Promise<LookupAnswer<string>> => FOUND
      const recovery = mode === 'manual' ? { mode } : { mode, settleMs: 0, lookup }
      let runs = 0
      const effect = now.idem.define({ ...KEYED, recovery, run: () => `${(runs += 1)}` })
      await using sweeper = now.idem.startSweeper({ intervalMs: 3_600_000 })
      await sweeper.sweepOnce()
      expect(now.of('lapsed')).toEqual([])
      if (mode === 'manual') {
        expect(await rejection(effect('a'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT', mode })
      } else expect(await effect('a')).toMatchObject({ status: 'replayed', value: 'sent once', source: 'lookup' })
      expect(runs).toBe(0)
      running.open('old')
      await first
    },
  )
})
