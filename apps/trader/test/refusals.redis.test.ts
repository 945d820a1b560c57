import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { killScript } from '../src/redis/kill.ts'
import { repeated } from '../src/redis/repeated.ts'
import { intentOf, openFloor, settled, truthOf, until, type Floor, type Worker } from './rig.ts'

let floor: Floor
let worker: Worker

beforeEach(async () => {
  floor = await openFloor()
  worker = await floor.worker('w1')
})
afterEach(async () => {
  await worker?.[Symbol.asyncDispose]()
  await floor?.[Symbol.asyncDispose]()
})

const order = { method: 'POST', path: '/api/v3/order' }

function posts(id: string): Record<string, unknown>[] {
  return truthOf(floor.exchange, 'request').filter(entry => entry['clientOrderId'] === id && entry['method'] === 'POST')
}

async function endOf(id: string): Promise<{ state: string; reason: string }> {
  await settled(worker, id)
  const entry = await worker.parts.journal.read(id)
  return { state: entry!.state, reason: entry!.reason }
}

describe('refusals [claim 15]', () => {
  test('-1021 synchronises the clock and sends once more', async () => {
    floor.exchange.controls.setClock({ skewMs: 60_000 })
    const intent = intentOf({ validUntilMs: Date.now() + 600_000 })
    await worker.trade(intent)
    expect(await endOf(intent.id)).toMatchObject({ state: 'FILLED' })
    expect(posts(intent.id)).toHaveLength(2)
    expect(floor.accepted(intent.id)).toBe(1)
  })

  test('-1021 a second time is a refusal', async () => {
    const intent = intentOf()
    const action = {
      type: 'status',
      status: 400,
      code: -1021,
      msg: 'Timestamp for this request is outside of the recvWindow.',
    }
    floor.exchange.inject({ id: 'clock', match: order, phase: 'before', action })
    await worker.trade(intent)
    expect(await endOf(intent.id)).toEqual({ state: 'REJECTED', reason: '-1021' })
    expect(posts(intent.id)).toHaveLength(2)
  })

  test('-2015 is tried once, alerts, and halts entries for all workers', async () => {
    const intent = intentOf()
    const action = { type: 'status', status: 401, code: -2015, msg: 'Invalid API-key, IP, or permissions for action.' }
    floor.exchange.inject({ id: 'key', match: order, phase: 'before', action })
    await worker.trade(intent)
    expect(await endOf(intent.id)).toEqual({ state: 'REJECTED', reason: '-2015' })
    expect(posts(intent.id)).toHaveLength(1)
    expect(worker.events).toContainEqual(expect.objectContaining({ type: 'alert', alert: 'Configuration' }))
    floor.exchange.controls.removeFaults(undefined)
    const next = intentOf()
    const other = await floor.worker('w2')
    await other.trade(next)
    await settled(other, next.id)
    expect(await other.parts.journal.read(next.id)).toMatchObject({ state: 'DENIED', reason: 'halted-configuration' })
    await other[Symbol.asyncDispose]()
  })

  test('three identical -1013 in a row stop the symbol, and no other', async () => {
    // A lot no exchange takes, past the filters of this side.
    for (let count = 0; count < 3; count += 1) {
      const bad = intentOf({ quantity: '0.0010000001' })
      await worker.trade(bad)
      expect(await endOf(bad.id)).toMatchObject({ state: 'REJECTED' })
    }
    expect(worker.events).toContainEqual(
      expect.objectContaining({ type: 'alert', alert: 'SymbolStopped', symbol: 'BTCUSDT' }),
    )
    const stopped = intentOf()
    await worker.trade(stopped)
    expect(await endOf(stopped.id)).toEqual({ state: 'DENIED', reason: 'symbol-stopped' })
    const other = intentOf({ symbol: 'ETHUSDT', quantity: '0.01', price: '3000' })
    await worker.trade(other)
    expect(await endOf(other.id)).toMatchObject({ state: 'FILLED' })
  })

  test('two refusals, an order, and two more refusals do not stop the symbol', async () => {
    for (const quantity of ['0.0010000001', '0.0010000001', '0.001', '0.0010000001', '0.0010000001']) {
      const intent = intentOf({ quantity })
      await worker.trade(intent)
      await settled(worker, intent.id)
    }
    expect(worker.events).not.toContainEqual(expect.objectContaining({ alert: 'SymbolStopped' }))
  })

  test('no money is a refusal that is recorded and replayed, and is never asked for again', async () => {
    const intent = intentOf({ quantity: '50', price: '60000' })
    await worker.trade(intent)
    expect(await endOf(intent.id)).toEqual({ state: 'REJECTED', reason: '-2010' })
    expect(await worker.parts.safety.place(intent)).toMatchObject({
      kind: 'placed',
      replayed: true,
      placement: { outcome: 'refused', state: 'REJECTED', reason: '-2010' },
    })
    expect(posts(intent.id)).toHaveLength(1)
  })
})

describe('what dispatch decides', () => {
  test('after a 429 nobody calls before Retry-After ends, then the intent is sent', async () => {
    const intent = intentOf({ validUntilMs: Date.now() + 20_000 })
    floor.exchange.inject({
      id: 'limit',
      match: order,
      phase: 'before',
      action: { type: 'limit', retryAfterS: 2 },
      times: 1,
    })
    await worker.trade(intent)
    const other = await floor.worker('w2').catch(() => undefined)
    expect(await endOf(intent.id)).toMatchObject({ state: 'FILLED' })
    expect(worker.path(intent.id)).toContain('ABSENT')
    const early = truthOf(floor.exchange, 'request').filter(entry => entry['duringRetryAfter'] === true)
    expect(early).toHaveLength(0)
    await other?.[Symbol.asyncDispose]()
  })

  test('the kill switch denies entries, lets exits pass at its lowest level, and only resume lifts it', async () => {
    const { redis, keys } = worker.parts
    const kill = (level: string): Promise<unknown> =>
      repeated(
        redis,
        killScript,
        { keys: { kill: keys.kill }, args: { level, who: 'tester', why: 'drill' } },
        { deadlineMs: 1000 },
      )
    await kill('halt-entries')
    const entry = intentOf()
    const exit = intentOf({ leg: 'exit', side: 'SELL' })
    await worker.trade(entry)
    await worker.trade(exit)
    expect(await endOf(entry.id)).toEqual({ state: 'DENIED', reason: 'kill-switch' })
    expect(await endOf(exit.id)).toMatchObject({ state: 'FILLED' })
    await kill('cancel-all')
    expect(await kill('halt-entries')).toMatchObject({ level: 'cancel-all', epoch: 1 })
    const later = intentOf({ leg: 'exit', side: 'SELL' })
    await worker.trade(later)
    expect(await endOf(later.id)).toEqual({ state: 'DENIED', reason: 'kill-switch' })
    expect(await redis.pttl(keys.kill)).toBe(-1)
    await kill('resume')
    const resumed = intentOf()
    await worker.trade(resumed)
    expect(await endOf(resumed.id)).toMatchObject({ state: 'FILLED' })
  })

  test('an intent in doubt denies entries of its symbol when that is asked for, and only of its symbol', async () => {
    const strict = await floor.worker('w2', { onUnknown: 'lock' })
    const doubtful = intentOf()
    floor.exchange.inject([
      {
        id: 'before',
        match: { ...order, clientOrderId: doubtful.id },
        phase: 'before',
        action: { type: 'status', status: 503, code: -1007, msg: 'x' },
      },
    ])
    await strict.trade(doubtful)
    await until('UNKNOWN', () => strict.path(doubtful.id).includes('UNKNOWN'))
    const same = intentOf()
    const other = intentOf({ symbol: 'ETHUSDT', quantity: '0.01', price: '3000' })
    const ask = (intent: typeof same): Promise<unknown> => strict.parts.safety.place(intent)
    await strict.parts.journal.propose(same, { missed: false })
    await strict.parts.journal.propose(other, { missed: false })
    expect(await ask(same)).toMatchObject({
      placement: { outcome: 'refused', state: 'DENIED', reason: 'symbol-in-doubt' },
    })
    expect(await ask(other)).toMatchObject({ placement: { outcome: 'ordered' } })
    await strict[Symbol.asyncDispose]()
  })

  test('only a byte-identical repeat of an ask gets the stored answer; a new ask is decided anew', async () => {
    const { journal, redis, keys } = worker.parts
    const intent = intentOf()
    await journal.propose(intent, { missed: false })
    await journal.settle({ id: intent.id, symbol: intent.symbol, to: 'RESERVED', by: 'w1', fence: 7, atMs: 1 })
    const ask = { intent, fence: 7, attempt: 1, signedAtMs: Date.now(), recvWindowMs: 1000, lock: false, worker: 'w1' }
    expect(await journal.dispatch(ask)).toEqual({ answer: 'go' })
    const minute = await redis.get(keys.minute)
    await redis.hset(keys.kill, 'level', 'halt-entries')
    expect(await journal.dispatch(ask)).toMatchObject({ answer: 'denied', reason: 'kill-switch' })
    expect(await redis.get(keys.minute)).toBe(minute)
  })

  test('an executor whose right was taken over is not let through', async () => {
    const { journal } = worker.parts
    const intent = intentOf()
    await journal.propose(intent, { missed: false })
    const reserve = (fence: number): Promise<{ changed: boolean }> =>
      journal.settle({ id: intent.id, symbol: intent.symbol, to: 'RESERVED', by: 'w1', fence, atMs: 1 })
    expect((await reserve(5)).changed).toBe(true)
    await journal.settle({ id: intent.id, symbol: intent.symbol, to: 'ABSENT', by: 'lookup', fence: 5 })
    const ask = { intent, attempt: 1, signedAtMs: Date.now(), recvWindowMs: 1000, lock: false, worker: 'w1' }
    expect(await journal.dispatch({ ...ask, fence: 5 })).toMatchObject({ answer: 'fenced' })
    expect((await reserve(5)).changed).toBe(false)
    expect((await reserve(6)).changed).toBe(true)
    expect(await journal.dispatch({ ...ask, fence: 5 })).toMatchObject({ answer: 'fenced' })
    expect(await journal.dispatch({ ...ask, fence: 6 })).toEqual({ answer: 'go' })
  })
})
