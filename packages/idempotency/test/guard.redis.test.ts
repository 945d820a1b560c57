import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { ExchangeClient } from './exchange-client.ts'
import { gate, instance, rejection } from './harness.ts'

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
})
afterAll(() => server[Symbol.asyncDispose]())

/** A member read without a call, as the identity tests need it. */
function member(of: object, name: keyof ExchangeClient): unknown {
  return Reflect.get(of, name)
}

const recovery = { mode: 'manual' } as const
const order = { id: 'o-1', symbol: 'BTCUSDT', quantity: '1' }

describe('guard [claim 29]', () => {
  test('a listed method runs once per key and gives its value, the other methods run each time', async () => {
    await using here = instance(redis)
    const client = new ExchangeClient()
    const guarded = here.idem.guard(client, { place: { name: 'place', key: placed => placed.id, recovery } })
    const first = await guarded.place(order)
    const second = await guarded.place({ ...order })
    expect(second).toEqual(first)
    expect(client.count).toBe(1)
    await client.place(order)
    expect(guarded.count).toBe(2)
  })

  test('`this` is the target itself in listed and unlisted methods, so private fields work in both', async () => {
    await using here = instance(redis)
    const client = new ExchangeClient()
    const seen: unknown[] = []
    const place = member(client, 'place') as ExchangeClient['place']
    client.place = function own(this: ExchangeClient, ...args) {
      seen.push(this)
      return Reflect.apply(place, this, args)
    }
    const guarded = here.idem.guard(client, { place: { name: 'place', key: placed => placed.id, recovery } })
    await guarded.place(order)
    expect(seen).toEqual([client])
    expect(seen[0]).toBe(client)
    expect(guarded.first()).toEqual(order)
    expect(guarded.cancel('o-1')).toBe(0)
  })

  test('getters, setters, instanceof, keys and built-in methods are as on the target, which is not modified', async () => {
    await using here = instance(redis)
    const client = new ExchangeClient()
    const before = Object.getOwnPropertyDescriptors(client)
    const guarded = here.idem.guard(client, { place: { name: 'place', key: placed => placed.id, recovery } })
    expect(Object.getOwnPropertyDescriptors(client)).toEqual(before)
    expect(member(client, 'place')).toBe(member(ExchangeClient.prototype, 'place'))
    expect(guarded).toBeInstanceOf(ExchangeClient)
    expect(Object.keys(guarded)).toEqual(Object.keys(client))
    expect(guarded.constructor).toBe(ExchangeClient)
    expect('place' in guarded).toBe(true)
    guarded.limit = 3
    guarded.balance = '90'
    expect([client.limit, guarded.limit, client.balance]).toEqual([3, 3, '90'])
    const placed: unknown[] = []
    guarded.on('placed', id => placed.push(id))
    await guarded.place(order)
    expect(placed).toEqual(['o-1'])
    expect(client.listenerCount('placed')).toBe(1)
    const dates = here.idem.guard(new Date(5), {})
    expect(dates.getTime()).toBe(5)
  })

  test('a method keeps its identity: the same at every read, and the target’s own where its code cannot tell', async () => {
    await using here = instance(redis)
    const client = new ExchangeClient()
    const guarded = here.idem.guard(client, { place: { name: 'place', key: placed => placed.id, recovery } })
    expect(member(guarded, 'describe')).toBe(member(client, 'describe'))
    expect(guarded.describe()).toBe('paper, 100')
    // Reads a private field: with the guard as `this` it would throw.
    expect(member(guarded, 'first')).toBe(member(guarded, 'first'))
    expect(member(guarded, 'first')).toHaveProperty('name', 'first')
    expect(Reflect.apply(member(guarded, 'first') as () => unknown, new ExchangeClient(), [])).toBeUndefined()
    expect(member(guarded, 'place')).toBe(member(guarded, 'place'))
    expect(member(guarded, 'on')).toBe(member(guarded, 'addListener'))
  })

  test('what the target calls on itself is not guarded', async () => {
    await using here = instance(redis)
    const client = new ExchangeClient()
    const guarded = here.idem.guard(client, { place: { name: 'place', key: placed => placed.id, recovery } })
    await guarded.placeAll([order, order])
    expect(client.count).toBe(2)
    expect(await here.idem.inspect('place', 'o-1')).toBeUndefined()
  })

  test('mapArgs passes the effect id on, and key, fingerprint and memo take the arguments of the method', async () => {
    await using here = instance(redis)
    const guarded = here.idem.guard(new ExchangeClient(), {
      place: {
        name: 'place',
        key: (placed, options) => `${placed.id}/${options?.clientId}`,
        fingerprint: placed => placed.quantity,
        memo: placed => ({ symbol: placed.symbol }),
        recovery,
        mapArgs: ([placed], { effectId }) => [placed, { clientId: effectId }],
      },
    })
    const fill = await guarded.place(order, { clientId: 'leg-1' })
    const view = await here.idem.inspect('place', 'o-1/leg-1')
    expect(fill.clientId).toBe(view?.effectId)
    expect(view).toMatchObject({ state: 'done', value: fill })
    expect(await rejection(guarded.place({ ...order, quantity: '2' }, { clientId: 'leg-1' }))).toMatchObject({
      code: 'ERR_IDEMPOTENCY_MISMATCH',
    })
    expect(await guarded.place({ ...order, symbol: 'other' }, { clientId: 'leg-1' })).toEqual(fill)
  })

  test('without a fingerprint all arguments are compared', async () => {
    await using here = instance(redis)
    const guarded = here.idem.guard(new ExchangeClient(), {
      place: { name: 'place', key: placed => placed.id, recovery },
    })
    await guarded.place(order, { clientId: 'a' })
    expect(await rejection(guarded.place(order, { clientId: 'b' }))).toMatchObject({
      code: 'ERR_IDEMPOTENCY_MISMATCH',
      outcome: 'not-run',
    })
  })

  test('a sync method becomes a promise, its throw a rejection, and twins in flight share one run', async () => {
    await using here = instance(redis)
    const open = gate<number>()
    let runs = 0
    const target = {
      count: (_id: string): Promise<number> => {
        runs += 1
        return open.promise
      },
      boom: (_id: string): number => {
        throw Object.assign(new Error('refused'), { outcome: 'not-run' })
      },
    }
    const guarded = here.idem.guard(target, {
      count: { name: 'count', key: id => id, recovery },
      boom: { name: 'boom', key: id => id, recovery },
    })
    const twins = [guarded.count('a'), guarded.count('a')]
    open.open(7)
    expect(await Promise.all(twins)).toEqual([7, 7])
    expect(runs).toBe(1)
    expect(await rejection(guarded.boom('a'))).toMatchObject({ message: 'refused' })
  })

  test('a method replaced on the target after the guard was made is the one that runs', async () => {
    await using here = instance(redis)
    const target = { ping: (_id: string): string => 'first' }
    const guarded = here.idem.guard(target, { ping: { name: 'ping', key: id => id, recovery } })
    target.ping = () => 'second'
    expect(await guarded.ping('a')).toBe('second')
  })

  test('a frozen target and a callable one are guarded too', async () => {
    await using here = instance(redis)
    let runs = 0
    const frozen = Object.freeze({ venue: 'paper', place: (id: string): string => `${id}-${(runs += 1)}` })
    const guarded = here.idem.guard(frozen, { place: { name: 'place', key: id => id, recovery } })
    expect([await guarded.place('a'), await guarded.place('a')]).toEqual(['a-1', 'a-1'])
    expect({ ...guarded }.venue).toBe('paper')
    expect(() => Object.assign(guarded, { venue: 'live' })).toThrow(TypeError)
    const callable = Object.assign((name: string) => `hello ${name}`, { send: (id: string): string => `sent ${id}` })
    const guardedCallable = here.idem.guard(callable, { send: { name: 'send', key: id => id, recovery } })
    expect([guardedCallable('you'), await guardedCallable.send('a')]).toEqual(['hello you', 'sent a'])
  })

  test('bad guards are refused at once, naming the field', async () => {
    await using here = instance(redis)
    const client = new ExchangeClient()
    const bad = (target: unknown, methods: unknown): unknown => {
      try {
        return here.idem.guard(target as ExchangeClient, methods as never)
      } catch (error) {
        return (error as { option?: string }).option
      }
    }
    expect(bad(client, { placee: { name: 'a', key: () => 'k', recovery } })).toBe('methods.placee')
    expect(bad(client, { venue: { name: 'a', key: () => 'k', recovery } })).toBe('methods.venue')
    expect(bad(client, { place: { name: 'a', recovery } })).toBe('key')
    expect(bad(client, { place: { name: 'a', key: () => 'k' } })).toBe('recovery')
    expect(bad(client, { place: { name: 'a', key: () => 'k', recovery, run: () => 1 } })).toBe('methods.place.run')
    expect(bad(client, { place: { name: 'a', key: () => 'k', recovery, mapArgs: 1 } })).toBe('methods.place.mapArgs')
    expect(bad(client, { place: null })).toBe('methods.place')
    expect(bad('text', {})).toBe('target')
    expect(bad(client, undefined)).toBe('methods')
    expect(client.count).toBe(0)
  })
})
