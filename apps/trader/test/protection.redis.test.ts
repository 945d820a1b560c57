import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { cancelIdOf } from '../src/orders/intent.ts'
import { access, checkStore } from '../src/safety.ts'
import { StartError } from '../src/start-error.ts'
import {
  acceptedOrders,
  executorBehind,
  intentOf,
  openFloor,
  settled,
  truthOf,
  until,
  type Floor,
  type Worker,
} from './rig.ts'

const order = { method: 'POST', path: '/api/v3/order' }
const outage = { type: 'status', status: 503, code: -1008, msg: 'Server is overloaded.' }

function requestsFor(floor: Floor, method: string): Record<string, unknown>[] {
  return truthOf(floor.exchange, 'request').filter(
    entry => entry['method'] === method && String(entry['path']).startsWith('/api/v3/order'),
  )
}

function stateOfOrders(worker: Worker): string | undefined {
  return worker.parts.guards.breakers().find(({ name }) => name === 'orders')?.state
}

describe('an exchange that takes no orders', () => {
  let floor: Floor

  beforeAll(async () => {
    floor = await openFloor()
  })
  afterEach(() => void floor.exchange.controls.removeFaults(undefined))
  afterAll(() => floor?.[Symbol.asyncDispose]())

  test('the breaker opens for all workers; what waits is sent once it closes, and what cannot wait is denied', async () => {
    await using first = await floor.worker('w1')
    await using second = await floor.worker('w2')
    floor.exchange.inject([{ id: 'outage', match: order, phase: 'before', action: outage }])
    // Enough failures for the fast window: ten in a second, all of them.
    for (let wave = 0; wave < 4; wave += 1) {
      await Promise.all(
        Array.from({ length: 6 }, (_, at) =>
          (at % 2 === 0 ? first : second).trade(intentOf({ validUntilMs: Date.now() + 60_000 })),
        ),
      )
    }
    const isOpen = (worker: Worker): boolean => stateOfOrders(worker) === 'open'
    await until('the breaker is open for both', () => isOpen(first) && isOpen(second))
    const late = intentOf({ validUntilMs: Date.now() + 1200 })
    const waiting = intentOf({ validUntilMs: Date.now() + 60_000 })
    await first.trade(late)
    await second.trade(waiting)
    await until('it was held back', () => second.path(waiting.id).includes('ABSENT'))
    expect(second.path(waiting.id).slice(0, 2)).toEqual(['RESERVED', 'ABSENT'])
    expect(await settled(first, late.id)).toBe('DENIED')
    expect(requestsFor(floor, 'POST').map(entry => entry['clientOrderId'])).not.toContain(late.id)

    floor.exchange.controls.removeFaults(undefined)
    expect(await settled(second, waiting.id, 60_000)).toBe('FILLED')
    await until(
      'everything else is settled as well',
      async () => (await first.parts.journal.open()).length === 0,
      60_000,
    )
    expect(floor.accepted(waiting.id)).toBe(1)
    const ids = truthOf(floor.exchange, 'accepted').map(entry => entry['clientOrderId'])
    expect(new Set(ids).size).toBe(ids.length)
    const opened = [...first.events, ...second.events].filter(
      event => event.type === 'alert' && event.alert === 'BreakerOpen',
    )
    expect(opened.length).toBeGreaterThanOrEqual(1)
  }, 120_000)
})

describe('an open breaker', () => {
  test('holds an intent back while it is valid; past its time dispatch denies it, and nothing was sent', async () => {
    await using floor = await openFloor()
    await using worker = await floor.worker('w1')
    const { journal } = worker.parts
    const executor = executorBehind(floor, worker, () => Promise.resolve({ open: true, retryAfterMs: 60_000 }))
    const grant = { fence: 1, attempt: 1, signal: new AbortController().signal }
    const valid = intentOf({ validUntilMs: Date.now() + 60_000 })
    const late = intentOf({ validUntilMs: Date.now() - 1000 })
    for (const intent of [valid, late]) await journal.propose(intent, { missed: false })
    const held = await executor.run(valid, grant).catch((error: unknown) => error)
    expect(held).toMatchObject({ outcome: 'not-run', reason: 'breaker-open', retryAfterMs: expect.any(Number) })
    expect((held as { retryAfterMs: number }).retryAfterMs).toBeLessThanOrEqual(60_000)
    expect((await journal.read(valid.id))?.state).toBe('ABSENT')
    expect(await executor.run(late, grant)).toEqual({ outcome: 'refused', state: 'DENIED', reason: 'expired' })
    expect(requestsFor(floor, 'POST')).toEqual([])
  })
})

describe('an exchange that answers queries with what no query is answered with', () => {
  test('is not healthy: the breaker of the queries opens, and a query that is held back learns nothing', async () => {
    await using floor = await openFloor()
    await using worker = await floor.worker('w1')
    const { api } = worker.parts.link
    floor.exchange.inject({
      match: { method: 'GET', path: '/api/v3/order' },
      phase: 'before',
      action: { type: 'status', status: 200, code: 0, msg: 'fine' },
    })
    const answer = await api.order('BTCUSDT', 'none')
    expect(answer).toMatchObject({ ok: false, outcome: { class: 'UNKNOWN', reason: 'UNREADABLE', alert: true } })
    const reads = (): string | undefined => worker.parts.guards.breakers().find(({ name }) => name === 'reads')?.state
    await until('the breaker of the queries is open', async () => {
      await api.order('BTCUSDT', 'none')
      return reads() === 'open'
    })
    expect(await api.order('BTCUSDT', 'none')).toMatchObject({ ok: false, outcome: { reason: 'BREAKER' } })
  })
})

describe('a resting order whose time is over', () => {
  test('it is cancelled by one worker, once, and the others are told so', async () => {
    await using floor = await openFloor()
    await using first = await floor.worker('w1')
    await using second = await floor.worker('w2')
    const intent = intentOf({ type: 'LIMIT', price: '30000.00', validUntilMs: Date.now() + 1500 })
    await first.trade(intent)
    second.parts.resolver.take(intent.id)
    expect(await settled(first, intent.id)).toBe('CANCELED')
    const record = await first.parts.redis.keys(
      `${first.parts.keys.namespace}:{*}:order_cancel:${cancelIdOf(intent.id)}`,
    )
    expect(record).toHaveLength(1)
    expect(await second.parts.safety.cancel(intent.symbol, intent.id)).toBe(true)
    expect(requestsFor(floor, 'DELETE')).toHaveLength(1)
  })

  test('it is cancelled also while Redis refuses the claim', async () => {
    await using floor = await openFloor()
    await using worker = await floor.worker('w1')
    const { redis, safety, link } = worker.parts
    const intent = intentOf({ type: 'LIMIT', price: '30000.00', validUntilMs: Date.now() + 600_000 })
    expect((await link.api.place(intent, link.clockSync.now())).ok).toBe(true)
    await redis.config('SET', 'maxmemory', '1')
    expect(await safety.cancel(intent.symbol, intent.id)).toBe(true)
    // Nothing is left to cancel, and that is no success of a second try.
    expect(await safety.cancel(intent.symbol, intent.id)).toBe(false)
    await redis.config('SET', 'maxmemory', '0')
    const canceled = truthOf(floor.exchange, 'canceled').filter(entry => JSON.stringify(entry).includes(intent.id))
    expect(canceled).toHaveLength(1)
  })
})

describe('the Redis under a trader of real orders', () => {
  test('one that may forget a claim is refused before the first order, with what to change', async () => {
    await using floor = await openFloor()
    const started = await floor.worker('w1', { mode: 'testnet' }).catch((error: unknown) => error)
    expect(started).toBeInstanceOf(StartError)
    const { exitCode, message } = started as StartError
    expect(exitCode).toBe(3)
    expect(message).toMatch(/^Redis is not safe for orders\n/)
    expect(message).toMatch(/FAIL +persistence/)
    expect(message).toContain('CONFIG SET appendonly yes')
    expect(truthOf(floor.exchange, 'request')).toHaveLength(0)
  })

  test('paper money trades on it and is told', async () => {
    await using floor = await openFloor()
    await using worker = await floor.worker('w1')
    const told = worker.events.find(event => event.type === 'alert' && event.alert === 'RedisUnsafe')
    expect(told).toMatchObject({ detail: expect.stringContaining('persistence') })
  })

  test('a new deployment lets every old lease run out before its first entry; exits pass', async () => {
    await using floor = await openFloor({}, 'always')
    await using worker = await floor.worker('w1', { mode: 'testnet', leaseMs: 4000 })
    const entry = intentOf({ validUntilMs: Date.now() + 60_000 })
    const exit = intentOf({ leg: 'exit', validUntilMs: Date.now() + 60_000 })
    await worker.parts.journal.propose(entry, { missed: false })
    await worker.parts.journal.propose(exit, { missed: false })
    expect(await worker.parts.safety.place(entry)).toMatchObject({ kind: 'not-placed', code: 'redis-hold-off' })
    expect(acceptedOrders(floor.exchange, entry.id)).toHaveLength(0)
    expect(await worker.parts.safety.place(exit)).toMatchObject({ kind: 'placed' })
    worker.parts.resolver.take(entry.id)
    expect(await settled(worker, entry.id)).toBe('FILLED')
  })
})

describe('the rights a Redis user needs', () => {
  test('are listed for every command of every script', async () => {
    const folders = ['../src/redis', '../../../packages/idempotency/src/redis', '../../../packages/breaker/src/redis']
    const used = new Set<string>()
    for (const folder of folders) {
      const path = new URL(`${folder}/`, import.meta.url)
      for (const name of await readdir(path)) {
        const text = await readFile(new URL(name, path), 'utf8')
        for (const [, command] of text.matchAll(/call\('([A-Z]+)'/g)) used.add(command!)
      }
    }
    expect(used.size).toBeGreaterThan(30)
    const listed = new Set([...access.scriptCommands, ...access.commands])
    expect([...used].filter(command => !listed.has(command))).toEqual([])
  })

  test('are enough when given by the line the checks print', async () => {
    await using floor = await openFloor({}, 'always')
    const admin = floor.redis.client()
    const namespace = `trader.${floor.book}`
    const needs = { mode: 'testnet', leaseMs: 1500, namespace } as const
    const report = await checkStore(admin, needs, { waitMs: 0 })
    const line = report.results.find(({ id }) => id === 'excess-privilege')?.remedy.command
    expect(line).toContain(`ACL SETUSER app '~${namespace}:*' '&${namespace}:*' `)
    await promisify(execFile)('sh', ['-c', line!])
    await admin.call('ACL', 'SETUSER', 'app', 'on', '>pass')
    const redisUrl = floor.redis.url.replace('redis://', 'redis://app:pass@')
    await using worker = await floor.worker('w1', { mode: 'testnet', redisUrl })
    const intent = intentOf({ validUntilMs: Date.now() + 60_000 })
    await worker.trade(intent)
    expect(await settled(worker, intent.id)).toBe('FILLED')
    const refusals = worker.events.filter(event => event.type === 'notice' && event.notice === 'breaker:degraded')
    expect(refusals).toEqual([])
    expect(worker.events.filter(event => event.type === 'error')).toEqual([])
    // Whatever else was refused shows in the log of the server.
    expect(await admin.call('ACL', 'LOG')).toEqual([])
  })
})
