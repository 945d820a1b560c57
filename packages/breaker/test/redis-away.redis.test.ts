import { randomBytes } from 'node:crypto'

import { connectRedis, whenReady } from '@safety/redis-core'
import type { RedisClient } from '@safety/redis-core'
import { startFaultProxy, startRedis, testKeyspace } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { createBreakers } from '../src/index.ts'
import type { BreakerOptions } from '../src/index.ts'
import { breakerKeys } from '../src/redis/keys.ts'
import { pause, until } from './support/fleet.ts'
import { sharedBreaker } from './support/shared-breaker.ts'
import type { SharedBreaker } from './support/shared-breaker.ts'

let server: RedisServer
let space = testKeyspace()

beforeEach(async () => {
  server = await startRedis()
  space = testKeyspace()
})
afterEach(() => server[Symbol.asyncDispose]())

const ada = { by: 'ada', reason: 'incident 7' }

async function ready(options: Partial<BreakerOptions> = {}): Promise<SharedBreaker> {
  const shared = sharedBreaker(server.url, space, options)
  await shared.join()
  return shared
}

const away = (shared: SharedBreaker): Promise<void> => until('Redis is away', () => shared.count('degraded') > 0)
const back = (shared: SharedBreaker): Promise<void> => until('Redis is back', () => shared.count('recovered') > 0)

describe('Redis away', () => {
  test('with Redis away the local window still opens', async () => {
    await using shared = await ready()
    await server.kill()
    await shared.fail(9)
    expect(shared.breaker.state).toBe('closed')
    await shared.fail(1)
    expect(shared.breaker.snapshot()).toMatchObject({ state: 'open', scope: 'process' })
    expect(await shared.call()).toBe('ERR_BREAKER_OPEN')
    await away(shared)
    expect(shared.breaker.snapshot().store).toBe('away')
  })

  test('with Redis away the local window still opens; half-open admits the configured probes fleet-wide; a name asked for with other options is an error', async () => {
    await using first = await ready({ instance: 'first', expect: 2, coolOff: { baseMs: 200 } })
    await using second = await ready({ instance: 'second', expect: 2, coolOff: { baseMs: 200 } })
    await first.fail(5)
    await second.fail(5)
    await until('both are open', () => first.breaker.state === 'open' && second.breaker.state === 'open')
    await pause(300)
    const { promise, resolve } = Promise.withResolvers<string>()
    let inFlight = 0
    const calls = [first, second, first, second].map(shared =>
      shared.call(() => {
        inFlight += 1
        return promise
      }),
    )
    await until('one of them probes', () => inFlight > 0)
    await pause(100)
    expect(inFlight).toBe(1)
    resolve('ok')
    expect((await Promise.all(calls)).filter(result => result === 'ok')).toHaveLength(1)

    const registry = createBreakers({ redis: first.redis, keyspace: space })
    registry.get('reads', { minimumCalls: 5 })
    expect(() => registry.get('reads', { minimumCalls: 6 })).toThrowError(
      expect.objectContaining({ code: 'ERR_BREAKER_OPTIONS', field: 'minimumCalls' }),
    )
    await registry[Symbol.asyncDispose]()

    await server.kill()
    await using third = sharedBreaker(server.url, testKeyspace())
    await third.fail(10)
    expect(third.breaker.state).toBe('open')
  })

  for (const how of ['killed', 'paused'] as const) {
    test(`${how} under load, no call fails or waits because of it, and it is told once`, async () => {
      await using shared = await ready()
      const busy = { done: false, calls: 0, codes: new Set<unknown>(), latenciesMs: [] as number[] }
      const load = (async () => {
        while (!busy.done) {
          const startMs = performance.now()
          busy.codes.add(await shared.call())
          busy.latenciesMs.push(performance.now() - startMs)
          busy.calls += 1
          // A failure now and then keeps the reports flowing.
          if (busy.calls % 50 === 0) await shared.fail(1)
          await pause(1)
        }
      })()
      await pause(200)
      const before = shared.count('degraded')
      if (how === 'killed') await server.kill()
      else server.pause()
      await away(shared)
      await pause(1_000)
      expect(busy.calls).toBeGreaterThan(100)
      expect(shared.count('degraded') - before).toBe(1)
      if (how === 'killed') await server.restart()
      else server.resume()
      await back(shared)
      busy.done = true
      await load
      expect([...busy.codes]).toEqual(['ok'])
      // A call that waited for Redis would have waited for a deadline of 250 ms. A busy machine stalls a few.
      const sorted = busy.latenciesMs.toSorted((a, b) => a - b)
      expect(sorted[Math.floor(sorted.length * 0.95)]).toBeLessThan(200)
      const told = shared.events.map(event => event.type).filter(type => type === 'degraded' || type === 'recovered')
      expect(told).toEqual(told.map((_, n) => (n % 2 === 0 ? 'degraded' : 'recovered')))
      await until('it is well again', () => shared.breaker.snapshot().store === 'up')
      expect(shared.breaker.state).toBe('closed')
    })
  }

  test('a process that starts without Redis is ready as local, and joins when Redis comes', async () => {
    await server.kill()
    await using shared = sharedBreaker(server.url, space)
    expect(await shared.breaker.ready()).toBe('local')
    await shared.ok(3)
    await server.restart()
    await back(shared)
    expect(await shared.breaker.ready()).toBe('fleet')
    expect(shared.breaker.snapshot().fleet).toMatchObject({ alive: 1 })
  })

  test('what was counted while Redis was away is pooled when it is back', async () => {
    await using shared = await ready({ windows: { fast: false } })
    await server.kill()
    await shared.fail(1)
    await away(shared)
    await shared.ok(30)
    await shared.fail(6)
    await server.restart()
    await back(shared)
    const redis = await connected()
    await until('the evidence is pooled', async () => {
      const key = breakerKeys(space, 'orders', false).stateKey
      const packed =
        "local w = cmsgpack.unpack(redis.call('HGET', KEYS[1], 'w')) local n = 0 for j = 3, #w[3], 4 do n = n + w[3][j] end return n"
      return (await redis.eval(packed, 1, key)) === 7
    })
    redis.disconnect()
  })

  test('an open fleet is probed by each process alone, and what passed is proved on return', async () => {
    await using shared = await ready({
      coolOff: { baseMs: 400 },
      halfOpen: { leaseMs: 400, successes: 2 },
      ramp: false,
    })
    await shared.fail(10)
    await until('the fleet is open', () => shared.breaker.snapshot().scope === 'fleet')
    await server.kill()
    await until('it probed and closed alone', async () => {
      await shared.call()
      return shared.breaker.state === 'closed'
    })
    await server.restart()
    await back(shared)
    await until('the fleet has it', async () => {
      const snapshot = shared.breaker.snapshot()
      return snapshot.state === 'closed' && snapshot.scope === 'fleet'
    })
    expect(await shared.call()).toBe('ok')
    expect(shared.events.filter(event => event.type === 'probed' && event.result === 'ok')).toHaveLength(2)
    const whys = (await shared.breaker.history()).map(record => record.why)
    expect(whys.slice(0, 2)).toEqual(['proved-while-away', 'proved-while-away'])
  })

  test('the cool-off of the fleet holds while Redis is away', async () => {
    await using shared = await ready({ coolOff: { baseMs: 60_000 } })
    await shared.fail(10)
    await until('the fleet is open', () => shared.breaker.snapshot().scope === 'fleet')
    await server.kill()
    await pause(50)
    await away(shared).catch(() => undefined)
    expect(await shared.call()).toBe('ERR_BREAKER_OPEN')
    expect(shared.breaker.snapshot().dueInMs).toBeGreaterThan(40_000)
  })
})

describe('Redis refuses', () => {
  const refusals: [code: string, make: (shared: SharedBreaker) => Promise<void>, undo: () => Promise<void>][] = [
    ['READONLY', () => admin('REPLICAOF', '127.0.0.1', '1'), () => admin('REPLICAOF', 'NO', 'ONE')],
    ['OOM', () => admin('CONFIG', 'SET', 'maxmemory', '1'), () => admin('CONFIG', 'SET', 'maxmemory', '0')],
    [
      'NOPERM',
      () => admin('ACL', 'SETUSER', 'default', '-evalsha', '-eval'),
      () => admin('ACL', 'SETUSER', 'default', '+@all'),
    ],
    [
      'WRONGTYPE',
      async () => {
        const key = breakerKeys(space, 'orders', false).membersKey
        await admin('DEL', key)
        await admin('SET', key, 'text')
      },
      () => admin('DEL', breakerKeys(space, 'orders', false).membersKey),
    ],
  ]

  async function admin(command: string, ...args: string[]): Promise<void> {
    const redis = connectRedis(server.url)
    await new Promise(resolve => redis.once('ready', resolve))
    await redis.call(command, ...args)
    redis.disconnect()
  }

  for (const [code, make, undo] of refusals) {
    test(`${code}: told once by its code, the own window opens, and all is well again afterwards`, async () => {
      await using shared = await ready({ coolOff: { baseMs: 100 }, halfOpen: { successes: 1 }, ramp: false })
      await make(shared)
      await shared.fail(9)
      await away(shared)
      await shared.fail(10)
      expect(shared.breaker.state).toBe('open')
      const degraded = shared.events.find(event => event.type === 'degraded')
      expect(degraded).toMatchObject({ code })
      await undo()
      await back(shared)
      expect(shared.count('degraded')).toBe(1)
      await until('it is closed again', async () => {
        await shared.call()
        return shared.breaker.state === 'closed'
      })
    })
  }
})

describe('Redis forgets', () => {
  test('FLUSHALL while open: it stays open everywhere, re-seeded by who knows, with orders and time left', async () => {
    await using first = await ready({ instance: 'first', expect: 2, coolOff: { baseMs: 30_000 } })
    await using second = await ready({ instance: 'second', expect: 2, coolOff: { baseMs: 30_000 } })
    await first.fail(5)
    await second.fail(5)
    await until('both are open', () => first.breaker.state === 'open' && second.breaker.state === 'open')
    const { epoch } = first.breaker.snapshot()
    await admin(server, 'FLUSHALL')
    await until('it is re-seeded', () => first.count('reseeded') > 0 && second.count('reseeded') > 0)
    await using newcomer = await ready({ instance: 'third', expect: 2 })
    await until('the newcomer knows', () => newcomer.breaker.state === 'open')
    expect(newcomer.breaker.snapshot()).toMatchObject({ epoch, scope: 'fleet' })
    expect(newcomer.breaker.snapshot().dueInMs).toBeGreaterThan(15_000)
    for (const shared of [first, second]) expect(shared.breaker.snapshot()).toMatchObject({ state: 'open', epoch })
    const told = [...first.events, ...second.events].filter(event => event.type === 'reseeded')
    expect(told).toHaveLength(2)
    expect(told.filter(event => event.first)).toHaveLength(1)
  })

  test('an order survives FLUSHALL', async () => {
    await using shared = await ready()
    const receipt = await shared.breaker.force('disabled', { ...ada, forMs: 60_000 })
    await admin(server, 'FLUSHALL')
    await until('it is re-seeded', () => shared.count('reseeded') > 0)
    await using newcomer = await ready({ instance: 'newcomer' })
    await until('the newcomer obeys', () => newcomer.breaker.state === 'disabled')
    expect(newcomer.breaker.snapshot().orders).toEqual(receipt.orders)
  })
})

describe('orders without Redis', () => {
  test('an order holds here at once, and reaches the fleet under the same id when Redis is back', async () => {
    await using shared = await ready()
    await server.kill()
    const receipt = await shared.breaker.force('open', { ...ada, forMs: 60_000 })
    expect(receipt).toMatchObject({ reach: 'process', state: 'forced-open' })
    expect(await shared.call()).toBe('ERR_BREAKER_OPEN')
    await server.restart()
    await back(shared)
    await using other = sharedBreaker(server.url, space, { instance: 'other' })
    await until('the other one obeys', () => other.breaker.state === 'forced-open')
    expect(other.breaker.snapshot().orders.map(order => order.id)).toEqual([receipt.id])
    expect(shared.count('override-set')).toBe(1)
    expect(shared.breaker.snapshot().orders).toHaveLength(1)
    expect(await other.breaker.release({ by: 'eve', reason: 'over', holder: 'ada' })).toMatchObject({
      ended: 1,
      reach: 'fleet',
    })
    await until('both are closed', () => shared.breaker.state === 'closed' && other.breaker.state === 'closed')
  })

  test('an order that ended meanwhile is not sent', async () => {
    await using shared = await ready()
    await server.kill()
    await shared.breaker.force('open', { ...ada, forMs: 1_000 })
    await until('it has ended', () => shared.count('override-ended') === 1)
    expect(shared.breaker.state).toBe('closed')
    await server.restart()
    await back(shared)
    await pause(200)
    const kinds = (await shared.breaker.history()).map(record => record.kind)
    expect(kinds).not.toContain('ordered')
    expect(shared.breaker.state).toBe('closed')
  })

  test('a release ends what never left, and else says that it could not', async () => {
    await using shared = await ready()
    await shared.breaker.force('disabled', { by: 'calendar', reason: 'window', forMs: 60_000 })
    await server.kill()
    await away(shared).catch(() => undefined)
    const refused = shared.breaker.release({ by: 'calendar', reason: 'over' })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_BREAKER_STORE', retryable: true })
    expect(shared.breaker.state).toBe('disabled')
    await shared.breaker.force('open', { ...ada, forMs: 60_000 })
    expect(shared.breaker.state).toBe('forced-open')
    expect(await shared.breaker.release(ada)).toMatchObject({ reach: 'process', ended: 1, state: 'disabled' })
    await expect(shared.breaker.history()).rejects.toMatchObject({ code: 'ERR_BREAKER_STORE' })
  })

  test('an order whose reply is lost is in force once', async () => {
    await using proxy = await startFaultProxy(server)
    await using shared = sharedBreaker(proxy.url, space)
    await shared.join()
    proxy.dropReply({ match: { script: 'breaker.force', nth: 2 } })
    const receipt = await shared.breaker.force('open', { ...ada, forMs: 60_000 })
    expect(receipt.state).toBe('forced-open')
    await back(shared)
    await until('it is known to be in Redis', async () => {
      const records = await shared.breaker.history().catch(() => [])
      return records.some(record => record.kind === 'ordered')
    })
    await pause(200)
    const ordered = (await shared.breaker.history()).filter(record => record.kind === 'ordered')
    expect(ordered).toHaveLength(1)
    expect(shared.breaker.snapshot().orders.map(order => order.id)).toEqual([receipt.id])
  })
})

describe('lost replies', () => {
  test('a flush whose reply is lost is sent again and counts once', async () => {
    await using proxy = await startFaultProxy(server)
    await using shared = sharedBreaker(proxy.url, space, { windows: { fast: false } })
    await shared.join()
    await pause(250)
    proxy.dropReply({ match: { script: 'breaker.flush' } })
    await shared.ok(10)
    await shared.fail(3)
    await back(shared)
    const redis = await connected()
    const packed =
      "local w = cmsgpack.unpack(redis.call('HGET', KEYS[1], 'w')) local n = 0 for j = 2, #w[3], 4 do n = n + w[3][j] + w[3][j + 1] end return n"
    await until(
      'all are pooled',
      async () => (await redis.eval(packed, 1, breakerKeys(space, 'orders', false).stateKey)) === 13,
    )
    await pause(300)
    expect(await redis.eval(packed, 1, breakerKeys(space, 'orders', false).stateKey)).toBe(13)
    redis.disconnect()
  })

  test('a grant whose reply is lost is asked for again and is the same lease', async () => {
    await using proxy = await startFaultProxy(server)
    await using shared = sharedBreaker(proxy.url, space, {
      coolOff: { baseMs: 300 },
      halfOpen: { successes: 1, leaseMs: 30_000 },
      // Its own probes would begin a whole lease later, so what closes it is the fleet's.
      random: { float: () => 0.99, bytes: length => randomBytes(length) },
    })
    await shared.join()
    await shared.fail(10)
    await until('the fleet is open', () => shared.breaker.snapshot().scope === 'fleet')
    await pause(400)
    // The first request meets NOSCRIPT; the second is the one that is granted.
    proxy.dropReply({ match: { script: 'breaker.probe', nth: 2 } })
    expect(await shared.call()).toBe('ERR_BREAKER_OPEN')
    await back(shared)
    await until('it is closed', async () => {
      await shared.call()
      return shared.breaker.state === 'closed'
    })
    // The lease of 30 s would have had to run out first, had the later request been for another one.
    const asked = proxy.log().filter(line => line.script === 'breaker.probe')
    expect(asked.length).toBeGreaterThanOrEqual(3)
  })
})

async function connected(): Promise<RedisClient> {
  const redis = connectRedis(server.url)
  await whenReady(redis, { timeoutMs: 10_000 })
  return redis
}

async function admin(on: RedisServer, command: string): Promise<void> {
  const redis = connectRedis(on.url)
  await new Promise(resolve => redis.once('ready', resolve))
  await redis.call(command)
  redis.disconnect()
}
