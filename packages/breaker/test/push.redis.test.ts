import { connectRedis, whenReady } from '@safety/redis-core'
import type { RedisClient } from '@safety/redis-core'
import { startFaultProxy, startRedis, testKeyspace } from '@safety/redis-core/testing'
import type { FaultProxy, RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { breakerKeys } from '../src/redis/keys.ts'
import { pause, until } from './support/fleet.ts'
import { sharedBreaker } from './support/shared-breaker.ts'

let server: RedisServer
let admin: RedisClient
let space = testKeyspace()

beforeAll(async () => {
  server = await startRedis()
  admin = connectRedis(server.url)
  await whenReady(admin, { timeoutMs: 10_000 })
})
afterAll(async () => {
  admin.disconnect()
  await server[Symbol.asyncDispose]()
})
beforeEach(() => {
  space = testKeyspace()
})

const ada = { by: 'ada', reason: 'incident 7' }

describe('a push that is lost [claims 35, 40]', () => {
  let deaf: FaultProxy
  beforeEach(async () => {
    deaf = await startFaultProxy(server, {
      rules: [{ match: { command: 'message' }, action: { kind: 'drop-reply', then: 'silence' } }],
    })
  })
  afterEach(() => deaf[Symbol.asyncDispose]())

  test('a move is adopted with the next flush reply, within 6 s', async () => {
    await using opener = sharedBreaker(server.url, space, { instance: 'opener' })
    await using other = sharedBreaker(deaf.url, space, { instance: 'other', quorum: { min: 1 } })
    await Promise.all([opener.join(), other.join()])
    await other.ok(1)
    await pause(200)
    const startMs = performance.now()
    await opener.breaker.force('open', { ...ada, forMs: 60_000 })
    await until('the deaf one knows', () => other.breaker.state === 'forced-open')
    expect(performance.now() - startMs).toBeLessThan(8_000)
    expect(other.events.find(event => event.type === 'override-set')).toMatchObject({ first: false, order: ada })
    expect(other.events.find(event => event.type === 'forced')).toMatchObject({ first: false, ...ada })
  })

  test('facts of a move survive: who reads them from a reply knows why', async () => {
    await using opener = sharedBreaker(server.url, space, { instance: 'opener', quorum: { min: 1 } })
    await opener.join()
    await opener.fail(10)
    await until('it is open', () => opener.breaker.snapshot().scope === 'fleet')
    await using other = sharedBreaker(deaf.url, space, { instance: 'other' })
    await other.join()
    await until('it is told', () => other.count('opened') > 0)
    expect(other.events.find(event => event.type === 'opened')).toMatchObject({
      // Its own part had opened before it reported.
      why: 'members-open',
      scope: 'fleet',
      first: false,
      windows: { fast: { ok: 0, failed: 10, slow: 0 } },
      fleet: { alive: 1 },
    })
  })
})

test('pushes doubled and reordered never lower the epoch, and nonsense on the channel changes nothing [claim 35]', async () => {
  await using shared = sharedBreaker(server.url, space, { coolOff: { baseMs: 60_000 } })
  await shared.join()
  const { channel } = breakerKeys(space, 'orders', false)
  const heard: string[] = []
  const ear = connectRedis(server.url, { profile: 'worker' })
  ear.on('message', (_channel: string, message: string) => heard.push(message))
  await ear.subscribe(channel)
  await shared.fail(10)
  await until('it is open', () => shared.breaker.snapshot().scope === 'fleet')
  await shared.breaker.force('closed', ada)
  await shared.breaker.force('disabled', { ...ada, forMs: 60_000 })
  await shared.breaker.release(ada)
  await until('all was heard', () => heard.filter(message => message.includes('"k":"moved"')).length >= 4)
  // The breaker hears on another connection, and tells its listeners a turn later.
  await until('it has heard too', () => shared.events.some(event => event.type === 'override-ended'))
  await pause(300)
  const before = shared.breaker.snapshot()
  const told = shared.events.length
  for (const message of [...heard.toReversed(), ...heard, ...heard]) await admin.publish(channel, message)
  for (const nonsense of ['', 'null', '[]', '{"k":"moved"}', '{"k":"moved","b":"orders","e":"x"}', '\u0000']) {
    await admin.publish(channel, nonsense)
  }
  await pause(300)
  const after = shared.breaker.snapshot()
  expect(after).toMatchObject({ state: before.state, epoch: before.epoch, orders: [] })
  expect(shared.events.slice(told)).toEqual([])
  ear.disconnect()
})

test('a message for another breaker on the same channel is not mine', async () => {
  await using orders = sharedBreaker(server.url, space, { name: 'orders' })
  await using reads = sharedBreaker(server.url, space, { name: 'reads' })
  await Promise.all([orders.join(), reads.join()])
  await orders.breaker.force('open', { ...ada, forMs: 60_000 })
  await pause(200)
  expect([orders.breaker.state, reads.breaker.state]).toEqual(['forced-open', 'closed'])
})

test('many breakers of one client share one more connection, and leave none behind', async () => {
  const redis = connectRedis(server.url)
  await whenReady(redis)
  const { createBreakers } = await import('../src/index.ts')
  const clients = async (): Promise<number> =>
    String(await admin.client('LIST'))
      .trim()
      .split('\n').length
  const before = await clients()
  const registry = createBreakers({ redis, keyspace: space })
  for (let n = 0; n < 20; n += 1) await registry.get(`job-${n}`).ready()
  await until('the subscriber is there', async () => (await clients()) === before + 1)
  await registry[Symbol.asyncDispose]()
  await until('it has gone', async () => (await clients()) === before)
  expect(redis.listenerCount('ready')).toBe(1)
  redis.disconnect()
})

describe('two window shapes under one name [claim 41]', () => {
  test('the second says so once, uses its own windows, and still follows', async () => {
    await using first = sharedBreaker(server.url, space, { instance: 'first', expect: 2 })
    await first.join()
    await using second = sharedBreaker(server.url, space, {
      instance: 'second',
      expect: 2,
      windows: { fast: { buckets: 4 } },
    })
    await second.join()
    await second.fail(3)
    await second.ok(3)
    await until('it is told', () => second.count('other-config') > 0)
    await second.fail(60)
    expect(second.breaker.snapshot()).toMatchObject({ state: 'open', scope: 'process' })
    await pause(300)
    expect(first.breaker.state).toBe('closed')
    await first.breaker.force('disabled', { ...ada, forMs: 60_000 })
    await until('it follows', () => second.breaker.state === 'disabled')
    expect(second.count('other-config')).toBe(1)
  })
})

describe('advisory and shadow [claim 17]', () => {
  test('an advisory breaker never rejects on a fleet opening; its own minimums sink until the cool-off ends', async () => {
    await using shared = sharedBreaker(server.url, space, { instance: 'fleet', quorum: { min: 1 } })
    await using hinted = sharedBreaker(server.url, space, {
      instance: 'hinted',
      mode: 'advisory',
      coolOff: { baseMs: 5_000 },
    })
    await Promise.all([shared.join(), hinted.join()])
    await shared.fail(10)
    await until('the fleet is open', () => shared.breaker.snapshot().scope === 'fleet' && hinted.count('opened') > 0)
    expect(await hinted.call()).toBe('ok')
    expect(hinted.breaker.snapshot()).toMatchObject({ state: 'closed', admittedShare: 1 })
    expect(hinted.events.find(event => event.type === 'opened')).toMatchObject({
      mode: 'advisory',
      scope: 'fleet',
      state: 'closed',
    })
    // 20 calls are the minimum; a quarter of it suffices now.
    await hinted.ok(1)
    await hinted.fail(4)
    expect(hinted.breaker.snapshot()).toMatchObject({ state: 'open', scope: 'process' })
    await hinted.breaker.force('disabled', { ...ada, forMs: 60_000 })
    expect(hinted.breaker.state).toBe('disabled')
  })

  test('a shadow touches no enforcing key and no enforcing process', async () => {
    await using enforcing = sharedBreaker(server.url, space, { instance: 'enforcing' })
    await enforcing.join()
    await using shadow = sharedBreaker(server.url, space, { instance: 'shadow', mode: 'shadow', ramp: false })
    await shadow.join()
    const enforcingKeys = async (): Promise<string[]> => {
      const keys = (await (admin as Redis).keys(`${space.prefix}:*:cb1:*`)).toSorted()
      return Promise.all(keys.map(async key => `${key} ${String(await admin.call('DUMP', key))}`))
    }
    await pause(300)
    const before = await enforcingKeys()
    await shadow.fail(10)
    await until('the shadow fleet is open', () => shadow.breaker.snapshot().scope === 'fleet')
    for (let n = 0; n < 10; n += 1) expect(await shadow.call()).toBe('ok')
    await shadow.breaker.force('open', { ...ada, forMs: 60_000 })
    expect(await shadow.call()).toBe('ok')
    expect(await enforcingKeys()).toEqual(before)
    expect(enforcing.breaker.state).toBe('closed')
    expect(shadow.events.map(event => event.type)).not.toContain('opened')
    expect(shadow.count('shadow-opened')).toBeGreaterThan(0)
  })
})

test('dispose gives a lease back at once', async () => {
  const prober = sharedBreaker(server.url, space, {
    instance: 'prober',
    coolOff: { baseMs: 200 },
    halfOpen: { successes: 1 },
  })
  await using heir = sharedBreaker(server.url, space, {
    instance: 'heir',
    coolOff: { baseMs: 200 },
    halfOpen: { successes: 1 },
  })
  await Promise.all([prober.join(), heir.join()])
  await prober.fail(5)
  await heir.fail(5)
  await until('both are open', () => prober.breaker.state === 'open' && heir.breaker.state === 'open')
  await pause(300)
  const { promise, resolve } = Promise.withResolvers<string>()
  const probe = prober.breaker.run(() => promise)
  await until('it is half-open', () => heir.breaker.state === 'half-open')
  expect(await heir.call()).toBe('ERR_BREAKER_OPEN')
  await prober[Symbol.asyncDispose]()
  await until('the heir has closed it', async () => {
    await heir.call()
    return heir.breaker.state !== 'half-open'
  })
  resolve('late')
  expect(await probe).toBe('late')
})

test('a call that waits for a grant can be aborted, and its slot goes back', async () => {
  await using proxy = await startFaultProxy(server)
  await using shared = sharedBreaker(proxy.url, space, { coolOff: { baseMs: 200 }, halfOpen: { successes: 1 } })
  await shared.join()
  await shared.fail(10)
  await until('the fleet is open', () => shared.breaker.snapshot().scope === 'fleet')
  await pause(300)
  proxy.add({ match: { script: 'breaker.probe' }, action: { kind: 'delay', ms: 80 } })
  const controller = new AbortController()
  const call = shared.breaker.run(() => 'never', { signal: controller.signal }).catch((error: unknown) => error)
  await pause(20)
  controller.abort('left')
  expect(await call).toBe('left')
  await until('the next one is the probe', async () => (await shared.call()) === 'ok')
})
