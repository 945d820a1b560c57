import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { settleMsOf } from '../src/config.ts'
import { acceptedOrders, intentOf, openFloor, settled, truthOf, until, type Floor, type Worker } from './rig.ts'

let floor: Floor
let worker: Worker

beforeAll(async () => {
  floor = await openFloor()
  worker = await floor.worker('w1')
})

afterAll(async () => {
  await worker?.[Symbol.asyncDispose]()
  await floor?.[Symbol.asyncDispose]()
})

afterEach(() => void floor.exchange.controls.removeFaults(undefined))

const order = { method: 'POST', path: '/api/v3/order' }

describe('an order that was accepted and whose answer never came [claim 3]', () => {
  test.each([
    ['reset', { type: 'reset' }],
    ['hang', { type: 'hang', ms: 1500 }],
    ['503', { type: 'status', status: 503, code: -1007, msg: 'Timeout waiting for response from backend server.' }],
    ['truncate', { type: 'truncate', bytes: 20 }],
    ['garbage', { type: 'garbage' }],
  ])('%s: one order, UNKNOWN, then a known order', async (name, action) => {
    const intent = intentOf()
    // Events come late, so that the answer's loss is what is seen first.
    floor.exchange.inject([
      { id: `${name}-answer`, match: { ...order, clientOrderId: intent.id }, phase: 'after', action },
      { id: `${name}-lag`, match: { clientOrderId: intent.id }, phase: 'event', action: { type: 'lag', ms: 1200 } },
    ])
    await worker.trade(intent)
    expect(await settled(worker, intent.id)).toBe('FILLED')
    expect(worker.path(intent.id)).toContain('UNKNOWN')
    expect(worker.path(intent.id).at(-1)).toBe('FILLED')
    expect(floor.accepted(intent.id)).toBe(1)
  })

  test('the user stream alone settles it while every query is refused', async () => {
    const intent = intentOf()
    floor.exchange.inject([
      { id: 'no-answer', match: { ...order, clientOrderId: intent.id }, phase: 'after', action: { type: 'reset' } },
      { id: 'late', match: { clientOrderId: intent.id }, phase: 'event', action: { type: 'lag', ms: 900 } },
      {
        id: 'no-query',
        match: { method: 'GET', path: '/api/v3/order' },
        phase: 'before',
        action: { type: 'status', status: 503, code: -1001, msg: 'Internal error' },
      },
    ])
    await worker.trade(intent)
    expect(await settled(worker, intent.id)).toBe('FILLED')
    const end = worker.events.find(
      event => event.type === 'transition' && event.key === intent.id && event.from === 'UNKNOWN',
    )
    expect(end).toMatchObject({ to: 'ACCEPTED', by: 'stream' })
    expect(floor.accepted(intent.id)).toBe(1)
  })
})

describe('an order that was refused with 503 before it was accepted [claim 4]', () => {
  const before503 = (id: string, times: number): object => ({
    id: `before-${id}`,
    match: { ...order, clientOrderId: id },
    phase: 'before',
    action: { type: 'status', status: 503, code: -1007, msg: 'Timeout' },
    times,
  })

  test('it is ABSENT not before the horizon, then sent exactly once more while valid', async () => {
    const intent = intentOf({ validUntilMs: Date.now() + 20_000 })
    floor.exchange.inject(before503(intent.id, 1))
    await worker.trade(intent)
    expect(await settled(worker, intent.id)).toBe('FILLED')
    const path = worker.path(intent.id)
    expect(path.indexOf('UNKNOWN')).toBeLessThan(path.indexOf('ABSENT'))
    const requests = truthOf(floor.exchange, 'request').filter(
      entry => entry['clientOrderId'] === intent.id && entry['method'] === 'POST',
    )
    expect(requests).toHaveLength(2)
    const [first, second] = requests.map(entry => Number(entry['signedAtMs']))
    expect(second! - first!).toBeGreaterThanOrEqual(settleMsOf(floor.config()) + 1000)
    expect(floor.accepted(intent.id)).toBe(1)
  })

  test('past its validity it is LAPSED and never sent again', async () => {
    const intent = intentOf({ validUntilMs: Date.now() + 2000 })
    floor.exchange.inject(before503(intent.id, 5))
    await worker.trade(intent)
    expect(await settled(worker, intent.id)).toBe('LAPSED')
    expect(acceptedOrders(floor.exchange, intent.id)).toHaveLength(0)
    const inDoubt = await worker.parts.redis.scard(worker.parts.keys.doubts(intent.symbol))
    expect(inDoubt).toBe(0)
  })

  test('a query that fails is no "not found": the intent stays in doubt until queries work again', async () => {
    const intent = intentOf({ validUntilMs: Date.now() + 1000 })
    floor.exchange.inject([
      before503(intent.id, 1),
      {
        id: 'query-fails',
        match: { method: 'GET', path: '/api/v3/order' },
        phase: 'before',
        action: { type: 'status', status: 503, code: -1001, msg: 'Internal error' },
      },
    ])
    await worker.trade(intent)
    await until('UNKNOWN', () => worker.path(intent.id).includes('UNKNOWN'))
    const horizonMs = settleMsOf(floor.config()) + 1000
    await new Promise(resolve => setTimeout(resolve, horizonMs * 1.5))
    expect(worker.path(intent.id)).not.toContain('ABSENT')
    floor.exchange.controls.removeFaults(undefined)
    expect(await settled(worker, intent.id)).toBe('LAPSED')
  })
})
