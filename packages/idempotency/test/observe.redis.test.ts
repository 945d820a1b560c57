import { connectRedis, whenReady } from '@safety/redis-core'
import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { IdempotencyEvent } from '../src/index.ts'
import { eventually, gate, instance, rejection } from './harness.ts'
import type { Instance } from './harness.ts'

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
  await whenReady(redis)
})
afterAll(() => server[Symbol.asyncDispose]())

const KEYED = {
  name: 'pay',
  key: (input: { id: string; n?: number }) => input.id,
  recovery: { mode: 'manual' },
} as const

function observed(here: Instance): IdempotencyEvent['type'][] {
  return here.events.filter(event => event.observed === true).map(event => event.type)
}

describe('observe mode', () => {
  test('first calls run as ever and are recorded; what enforcement would replay, runs unprotected and is told', async () => {
    await using here = instance(redis, { observe: true })
    let runs = 0
    const effect = here.idem.define({ ...KEYED, run: () => (runs += 1) })
    expect(await effect({ id: 'a' })).toMatchObject({
      status: 'executed',
      value: 1,
      recorded: true,
      unprotected: false,
    })
    expect(await effect({ id: 'a' })).toMatchObject({
      status: 'executed',
      value: 2,
      recorded: false,
      unprotected: true,
      fence: 0,
    })
    await eventually(() => observed(here).includes('finished'))
    expect(observed(here)).toEqual(['replayed', 'started', 'finished'])
    expect(await here.idem.inspect('pay', 'a')).toMatchObject({ state: 'done', value: 1, attempt: 1 })
  })

  test('busy, mismatch, doubt, a failed record, a bad key and a store that is away all let the call run', async () => {
    await using here = instance(redis, { observe: true })
    await using there = instance(redis, { namespace: here.namespace })
    let runs = 0
    const effect = here.idem.define({ ...KEYED, run: () => (runs += 1) })
    const running = gate<number>()
    const other = there.idem.define({ ...KEYED, run: () => running.promise })
    const call = other({ id: 'busy' })
    await eventually(() => there.of('started').length === 1)
    expect(await effect({ id: 'busy' })).toMatchObject({ unprotected: true })
    expect(await effect({ id: 'busy', n: 2 })).toMatchObject({ unprotected: true })
    running.open(0)
    await call
    const unclear = there.idem.define({
      ...KEYED,
      run: (): number => {
        throw new Error('unclear')
      },
    })
    await rejection(unclear({ id: 'doubt' }))
    expect(await effect({ id: 'doubt' })).toMatchObject({ unprotected: true })
    const failed = there.idem.define({
      ...KEYED,
      run: (): number => {
        throw Object.assign(new Error('final'), { outcome: 'ran' })
      },
    })
    await rejection(failed({ id: 'failed' }))
    expect(await effect({ id: 'failed' })).toMatchObject({ unprotected: true })
    expect(await effect({ id: '' })).toMatchObject({ unprotected: true, key: '' })
    expect(runs).toBe(5)
    await eventually(() => here.events.filter(event => event.type === 'finished').length === 5)
    const stops = observed(here).filter(type => type !== 'started' && type !== 'finished')
    expect(stops).toEqual(['busy', 'mismatch', 'doubt', 'replayed'])
    expect((await there.idem.inspect('pay', 'doubt'))?.state).toBe('in-doubt')
  })

  test('with the store away the call runs, late by at most its budget', async () => {
    await using own = await startRedis()
    const client = connectRedis(own.url)
    await whenReady(client)
    await using here = instance(client, { observe: true, storeTimeoutMs: 50, storeBudgetMs: 100 })
    await own.stop()
    const effect = here.idem.define({ ...KEYED, run: () => 'ran' })
    expect(await effect({ id: 'a' })).toMatchObject({ value: 'ran', unprotected: true })
    await eventually(() => observed(here).includes('store-down'))
    client.disconnect()
  })

  test('an effect that throws, or gives a value that cannot be stored, ends as it would without us', async () => {
    await using here = instance(redis, { observe: true })
    const own = new Error('unclear')
    const effect = here.idem.define({
      ...KEYED,
      run: input => {
        if (input.id === 'throws') throw own
        return new Date(0)
      },
    })
    expect(await rejection(effect({ id: 'throws' }))).toBe(own)
    expect((await here.idem.inspect('pay', 'throws'))?.state).toBe('in-doubt')
    expect((await effect({ id: 'date' })).value).toEqual(new Date(0))
    expect((await effect({ id: 'date' })).value).toEqual(new Date(0))
  })
})

describe('in observe mode nothing stops an effect', () => {
  test('a memo that throws, is no JSON or is above 1 KiB: the call runs unprotected under its own id', async () => {
    await using here = instance(redis, { observe: true })
    const memos = [
      (): never => {
        throw new Error('no memo')
      },
      () => new Date(0) as never,
      () => 'x'.repeat(1025),
    ]
    for (const memo of memos) {
      here.events.length = 0
      const effect = here.idem.define({ ...KEYED, memo, run: (_input, { effectId }) => effectId })
      const effectId = effect.effectIdOf('a')
      expect(await effect({ id: 'a' })).toMatchObject({
        status: 'executed',
        value: effectId,
        key: 'a',
        effectId,
        recorded: false,
        unprotected: true,
      })
      await eventually(() => here.of('finished').length === 1)
      expect(observed(here)).toEqual(['started', 'finished'])
    }
    expect(await here.idem.executeOnce('b', () => 'ran', { memo: new Date(0) as never })).toMatchObject({
      value: 'ran',
    })
    expect(await here.idem.inspect('pay', 'a')).toBeUndefined()
  })

  test('a lease that is lost while the store is away is told, and the effect goes on', async () => {
    await using own = await startRedis()
    const client = connectRedis(own.url)
    await whenReady(client)
    await using here = instance(client, { observe: true, storeTimeoutMs: 50, storeBudgetMs: 100 })
    const running = gate<string>()
    const effect = here.idem.define({
      ...KEYED,
      leaseMs: 300,
      run: async (_input, { signal }) => {
        own.pause()
        const value = await running.promise
        return signal.aborted ? 'aborted' : value
      },
    })
    const call = effect({ id: 'a' })
    await eventually(() => here.of('lease-lost').length > 0)
    own.resume()
    running.open('ran')
    expect(await call).toMatchObject({ status: 'executed', value: 'ran' })
    expect(here.of('lease-lost')).toMatchObject([{ observed: true }])
    client.disconnect()
  })

  test('an effect that outlives its timeout is told as doubt, is not aborted, and its caller gets its value', async () => {
    await using here = instance(redis, { observe: true })
    const running = gate<string>()
    const effect = here.idem.define({
      ...KEYED,
      effectTimeoutMs: 30,
      run: async (_input, { signal }) => {
        const value = await running.promise
        return signal.aborted ? 'aborted' : value
      },
    })
    const call = effect({ id: 'a' })
    await eventually(() => here.of('doubt').length === 1)
    running.open('ran')
    expect(await call).toMatchObject({ status: 'executed', value: 'ran' })
    expect(here.of('doubt')).toMatchObject([{ reason: 'timeout', observed: true }])
  })
})

describe('events', () => {
  test('say effect, id, fence, attempt, token and time; a throwing listener and a channel subscriber change nothing', async () => {
    const { idempotencyChannel } = await import('../src/index.ts')
    const heard: IdempotencyEvent[] = []
    const stop = idempotencyChannel.subscribe(event => void heard.push(event))
    await using here = instance(redis)
    const effect = here.idem.define({ ...KEYED, run: () => 'ok' })
    const first = await effect({ id: 'a' })
    await effect({ id: 'a' })
    const own = () => heard.filter(event => event.effectId === first.effectId).map(event => event.type)
    await eventually(() => own().includes('replayed'))
    stop()
    expect(own()).toEqual(['started', 'finished', 'replayed'])
    expect(here.events.map(event => event.type)).toEqual(['started', 'finished', 'replayed'])
    const [started, finished, replayed] = here.events
    const base = { effect: 'pay', effectId: first.effectId, fence: first.fence, attempt: 1 }
    expect(started).toMatchObject({ ...base, deadlineMs: expect.any(Number), atMs: expect.any(Number) })
    expect(started?.token).toMatch(/^[A-Za-z0-9_-]{16}$/)
    expect(finished).toMatchObject({
      ...base,
      token: started?.token,
      outcome: 'ran',
      durationMs: expect.any(Number),
      recorded: true,
      superseded: false,
      accepted: true,
    })
    expect(replayed).toMatchObject({ ...base, source: 'executor' })
    for (const event of here.events) expect(JSON.stringify(event)).not.toContain('"a"')
    const throwing = instance(redis, {
      onEvent: () => {
        throw new Error('listener')
      },
    })
    expect(await throwing.idem.define({ ...KEYED, run: () => 'ok' })({ id: 'b' })).toMatchObject({ value: 'ok' })
    await throwing.idem[Symbol.asyncDispose]()
  })
})
