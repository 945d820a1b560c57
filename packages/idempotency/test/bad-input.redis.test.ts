import { whenReady } from '@safety/redis-core'
import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'

import type { Effect, EffectOptions, OnceOptions } from '../src/index.ts'
import { collect, eventually, instance, rejection } from './harness.ts'
import type { Instance } from './harness.ts'

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
  await whenReady(redis)
})
afterAll(() => server[Symbol.asyncDispose]())

interface Input {
  readonly id: unknown
  readonly payload?: unknown
}

const cycle: Record<string, unknown> = {}
cycle['self'] = cycle
class Order {
  readonly id = 1
}

/** An effect that counts, and nothing else. */
function counting(here: Instance) {
  const at = { runs: 0 }
  const settings = {
    name: 'bad',
    key: (input: Input) => input.id as string,
    recovery: { mode: 'manual' },
    run: () => (at.runs += 1),
  } as const
  const define = (over: Partial<EffectOptions<Input, number>>): Effect<Input, number> =>
    here.idem.define({ ...settings, ...over })
  return { at, define, effect: define({}) }
}

async function expectNothing(here: Instance, at: { runs: number }): Promise<void> {
  expect(at.runs).toBe(0)
  expect(await redis.keys(`${here.namespace}:*`)).toEqual([])
}

const typed = (code: string, fields: object = {}): object => ({
  name: 'IdempotencyError',
  code: `ERR_IDEMPOTENCY_${code}`,
  outcome: 'not-run',
  retryable: false,
  ...fields,
})

describe('a bad key', () => {
  const KEYS: readonly (readonly [string, unknown])[] = [
    ['empty', ''],
    ['blank', ' \t\n'],
    ['oversized', 'x'.repeat(16_385)],
    ['oversized in bytes', '💰'.repeat(4097)],
    ['a lone surrogate', 'a\ud800'],
    ['undefined', undefined],
    ['null', null],
    ['a number', 7],
    ['a bigint', 7n],
    ['a list', ['a']],
    ['a promise of a text', Promise.resolve('a')],
    ['a String object', Object('a')],
  ]
  test.for(KEYS)('%s is KEY, and nothing is executed or written', async ([, id]) => {
    await using here = instance(redis)
    const { effect, at } = counting(here)
    expect(await rejection(effect({ id }))).toMatchObject(typed('KEY', { effect: 'bad' }))
    const once = here.idem.executeOnce(id as string, () => (at.runs += 1))
    expect(await rejection(once)).toMatchObject(typed('KEY', { effect: 'default' }))
    expect(() => effect.effectIdOf(id as string)).toThrow(expect.objectContaining(typed('KEY')))
    expect(await rejection(here.idem.inspect('bad', id as string))).toMatchObject(typed('KEY'))
    await expectNothing(here, at)
  })

  test('the largest key of all is one intent like any other', async () => {
    await using here = instance(redis)
    const { effect, at } = counting(here)
    const id = 'x'.repeat(16_384)
    expect(await effect({ id })).toMatchObject({ status: 'executed', value: 1 })
    expect(await effect({ id })).toMatchObject({ status: 'replayed', value: 1 })
    expect(at.runs).toBe(1)
  })

  test('a key function that throws is KEY with what it threw as cause, which the message does not repeat', async () => {
    await using here = instance(redis)
    const { at, define } = counting(here)
    for (const thrown of [new Error('card 4111'), undefined, 'card 4111']) {
      const effect = define({
        key: () => {
          throw thrown
        },
      })
      const error = await rejection<Error>(effect({ id: 'a' }))
      expect(error).toMatchObject(typed('KEY', { effect: 'bad' }))
      expect(error.cause).toBe(thrown)
      expect(error.message).not.toContain('4111')
    }
    await expectNothing(here, at)
  })
})

describe('a bad payload', () => {
  const PAYLOADS: readonly (readonly [string, unknown])[] = [
    ['a Map', new Map([['a', 1]])],
    ['a Set', new Set([1])],
    ['a cycle', cycle],
    ['NaN', { price: Number.NaN }],
    ['an invalid Date', new Date(Number.NaN)],
    ['a function', { a: () => 1 }],
    ['a symbol', Symbol('a')],
    ['a class instance', new Order()],
    ['an Error', new Error('a')],
    ['a lone surrogate', '\ud800'],
  ]
  test.for(PAYLOADS)('%s is FINGERPRINT, and nothing is executed or written', async ([, payload]) => {
    await using here = instance(redis)
    const { effect, at } = counting(here)
    expect(await rejection(effect({ id: 'a', payload }))).toMatchObject(typed('FINGERPRINT', { effect: 'bad' }))
    const once = here.idem.executeOnce('a', () => (at.runs += 1), { fingerprint: payload })
    expect(await rejection(once)).toMatchObject(typed('FINGERPRINT'))
    await expectNothing(here, at)
    // It is no hindrance where the payload is not compared.
    const { define } = counting(here)
    expect(await define({ fingerprint: false })({ id: 'a', payload })).toMatchObject({ value: 1 })
  })

  test('Date, BigInt and bytes are compared by their value', async () => {
    await using here = instance(redis)
    const { effect, at } = counting(here)
    const pairs: readonly (readonly [unknown, unknown, unknown])[] = [
      [new Date(5), new Date(5), new Date(6)],
      [5n, 5n, 6n],
      [new Uint8Array([1]), Buffer.from([1]), new Uint8Array([2])],
    ]
    for (const [index, [payload, equal, other]] of pairs.entries()) {
      const id = `k${index}`
      expect(await effect({ id, payload })).toMatchObject({ status: 'executed' })
      expect(await effect({ id, payload: equal })).toMatchObject({ status: 'replayed' })
      expect(await rejection(effect({ id, payload: other }))).toMatchObject(typed('MISMATCH', { state: 'done' }))
    }
    expect(at.runs).toBe(3)
  })

  test('a fingerprint function that throws is FINGERPRINT with its error as cause', async () => {
    await using here = instance(redis)
    const { at, define } = counting(here)
    const thrown = new Error('no such field')
    const effect = define({
      fingerprint: () => {
        throw thrown
      },
    })
    const error = await rejection<Error>(effect({ id: 'a' }))
    expect(error).toMatchObject(typed('FINGERPRINT', { effect: 'bad' }))
    expect(error.cause).toBe(thrown)
    await expectNothing(here, at)
  })

  test('a memo that throws, is no JSON or is above 1 KiB is OPTIONS naming memo', async () => {
    await using here = instance(redis)
    const { at, define } = counting(here)
    const memos: readonly (() => unknown)[] = [
      () => {
        throw new Error('no')
      },
      () => new Date(),
      () => 5n,
      () => new Map(),
      () => cycle,
      () => 'x'.repeat(1023),
    ]
    for (const memo of memos) {
      const effect = define({ memo: memo as () => string })
      expect(await rejection(effect({ id: 'a' }))).toMatchObject(typed('OPTIONS', { option: 'memo' }))
    }
    await expectNothing(here, at)
    expect(await define({ memo: () => 'x'.repeat(1022) })({ id: 'a' })).toMatchObject({ value: 1 })
  })
})

describe('a bad argument or option', () => {
  test('of a call is OPTIONS naming it, and nothing is executed or written', async () => {
    await using here = instance(redis)
    const { effect, at } = counting(here)
    const signals: readonly unknown[] = ['signal', {}, { aborted: false, addEventListener() {} }, 5]
    for (const signal of signals) {
      const bad = { signal } as { signal: AbortSignal }
      expect(await rejection(effect({ id: 'a' }, bad))).toMatchObject(typed('OPTIONS', { option: 'signal' }))
      const once = here.idem.executeOnce('a', () => 1, bad)
      expect(await rejection(once)).toMatchObject(typed('OPTIONS', { option: 'signal' }))
      expect(await rejection(here.idem.inspect('bad', 'a', bad))).toMatchObject(typed('OPTIONS', { option: 'signal' }))
    }
    await expectNothing(here, at)
    expect(await effect({ id: 'a' }, null as never)).toMatchObject({ status: 'executed' })
  })

  test('of executeOnce is OPTIONS naming it, and nothing is executed or written', async () => {
    await using here = instance(redis)
    const at = { runs: 0 }
    const run = (): number => (at.runs += 1)
    const bad: readonly (readonly [string, unknown])[] = [
      ['options', null],
      ['options', 'name'],
      ['name', { name: 'No' }],
      ['leaseMs', { leaseMs: 49 }],
      ['leaseMs', { leaseMs: '1000' }],
      ['waitMs', { waitMs: Number.POSITIVE_INFINITY }],
      ['retentionMs', { retentionMs: 1 }],
      ['maxResultBytes', { maxResultBytes: -1 }],
      ['recovery.mode', { recovery: { mode: 'hope' } }],
      ['onStoreDown', { onStoreDown: 'run' }],
      ['memo', { memo: 5n }],
      ['lease', { lease: 1000 }],
      ['key', { key: () => 'other' }],
      ['run', { run }],
    ]
    for (const [option, options] of bad) {
      const call = here.idem.executeOnce('a', run, options as OnceOptions<number>)
      expect(await rejection(call), option).toMatchObject(typed('OPTIONS', { option }))
    }
    for (const notOne of [undefined, null, 'run', {}]) {
      const call = here.idem.executeOnce('a', notOne as () => number)
      expect(await rejection(call)).toMatchObject(typed('OPTIONS', { option: 'run' }))
    }
    await expectNothing(here, at)
  })

  test('of inspect, resolve, confirm, release, list and the sweeper is OPTIONS naming it, and the record stays', async () => {
    await using here = instance(redis)
    const { effect } = counting(here)
    await effect({ id: 'a' })
    const before = await here.idem.inspect('bad', 'a')
    const { idem } = here
    const author = { by: 'ann', why: 'seen' }
    const evidence = { outcome: 'ran', value: 1, evidenceId: 'e' }
    const calls: readonly (readonly [string, () => Promise<unknown>])[] = [
      ['effect', () => idem.inspect(undefined as never, 'a')],
      ['effect', () => idem.inspect('No', 'a')],
      ['outcome', () => idem.resolve('bad', 'a', { outcome: 'maybe', ...author } as never)],
      ['by', () => idem.resolve('bad', 'a', { outcome: 'not-run', why: 'seen' } as never)],
      ['why', () => idem.resolve('bad', 'a', { outcome: 'not-run', by: 'ann', why: ' ' })],
      ['by', () => idem.resolve('bad', 'a', { outcome: 'not-run', ...author, by: 'x'.repeat(257) })],
      ['force', () => idem.resolve('bad', 'a', { outcome: 'not-run', ...author, force: 'yes' as never })],
      ['error', () => idem.resolve('bad', 'a', { outcome: 'failed', ...author } as never)],
      ['value', () => idem.resolve('bad', 'a', { outcome: 'ran', value: new Map() as never, ...author })],
      ['evidenceId', () => idem.confirm('bad', 'a', { ...evidence, evidenceId: '' } as never)],
      ['outcome', () => idem.confirm('bad', 'a', { ...evidence, outcome: 'not-run' } as never)],
      ['value', () => idem.confirm('bad', 'a', { ...evidence, value: cycle } as never)],
      ['why', () => idem.release('bad', 'a', { by: 'ann' } as never)],
      ['limit', () => collect(idem.list({ limit: 0 }))],
      ['states.0', () => collect(idem.list({ states: ['lost' as never] }))],
      ['intervalMs', async () => idem.startSweeper({ intervalMs: 9 })],
      ['concurrency', async () => idem.startSweeper({ concurrency: 65 })],
      ['stuckAfterMs', async () => idem.startSweeper({ stuckAfterMs: 0 })],
      ['every', async () => idem.startSweeper({ every: 5 } as never)],
    ]
    for (const [option, call] of calls) {
      expect(await rejection(call()), String(call)).toMatchObject(typed('OPTIONS', { option }))
    }
    expect(await here.idem.inspect('bad', 'a')).toEqual(before)
  })
})

describe('a result that cannot be stored', () => {
  const RESULTS: readonly (readonly [string, unknown])[] = [
    ['a Date', new Date(0)],
    ['a BigInt', { id: 5n }],
    ['a Map', new Map()],
    ['a cycle', cycle],
    ['NaN', [Number.NaN]],
    ['a function', () => 1],
    ['a class instance', new Order()],
  ]
  test.for(RESULTS)('%s is RESULT with the value on it, recorded as done; nothing runs again', async ([, value]) => {
    await using here = instance(redis)
    let runs = 0
    const effect = here.idem.define({
      name: 'result',
      key: (id: string) => id,
      recovery: { mode: 'repeat' },
      run: () => {
        runs += 1
        return value
      },
    })
    const error = await rejection(effect('a'))
    expect(error).toMatchObject(typed('RESULT', { outcome: 'ran', phase: 'write' }))
    expect(error['value']).toBe(value)
    expect(error['issues']).toMatchObject([{ message: expect.stringMatching(/^value.* JSON cannot carry$/) }])
    expect(await rejection(effect('a'))).toMatchObject(typed('RESULT', { outcome: 'ran', phase: 'read' }))
    expect(await here.idem.inspect('result', 'a')).toMatchObject({ state: 'done' })
    expect(runs).toBe(1)
  })

  test('and a store that is away: the value is on the error with the error of the store, and done is recorded later', async () => {
    await using own = await startRedis()
    const client = own.client()
    await whenReady(client)
    await using here = instance(client, { storeTimeoutMs: 300, storeBudgetMs: 600 })
    const settings = { name: 'result', key: (id: string) => id, recovery: { mode: 'manual' } } as const
    let runs = 0
    const values: readonly (readonly [string, () => unknown])[] = [
      ['not JSON', () => new Map([['receipt', 7]])],
      ['refused by its schema', () => ({ receipt: 7 })],
    ]
    for (const [id, value] of values) {
      const effect = here.idem.define({
        ...settings,
        result: z.looseObject({ receipt: z.string() }),
        run: (): never => {
          runs += 1
          own.pause()
          return value() as never
        },
      })
      const error = await rejection(effect(id))
      expect(error).toMatchObject(typed('RESULT', { outcome: 'ran', phase: 'write' }))
      expect(error['value']).toEqual(value())
      expect(error['storeError']).toMatchObject({ code: 'ERR_REDIS_UNKNOWN' })
      own.resume()
      await eventually(async () => (await here.idem.inspect('result', id))?.state === 'done')
      expect(await rejection(effect(id))).toMatchObject(typed('RESULT', { outcome: 'ran', phase: 'read' }))
    }
    expect(runs).toBe(2)
  })

  test('above maxResultBytes with the store away goes to its caller with recorded: false, and counts as done later', async () => {
    await using own = await startRedis()
    const client = own.client()
    await whenReady(client)
    await using here = instance(client, { storeTimeoutMs: 300, storeBudgetMs: 600 })
    const effect = here.idem.define({
      name: 'large',
      key: (id: string) => id,
      recovery: { mode: 'manual' },
      maxResultBytes: 3,
      run: () => {
        own.pause()
        return 'large'
      },
    })
    expect(await effect('a')).toMatchObject({ status: 'executed', value: 'large', recorded: false })
    own.resume()
    await eventually(() => here.of('recorded-late').length === 1)
    expect(await rejection(effect('a'))).toMatchObject(typed('RESULT_NOT_KEPT', { outcome: 'ran' }))
  })
})
