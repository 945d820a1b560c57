import { describe, expect, test } from 'vitest'

import { localBreaker } from './support/local-breaker.ts'

const ada = { by: 'ada', reason: 'incident 7' }
const calendar = { by: 'calendar', reason: 'maintenance window' }

describe('orders [claims 23, 24, 25]', () => {
  test('forced-open beats all, ends at forMs, and resumes closed and empty', async () => {
    const { breaker, fail, call, clock } = localBreaker()
    await fail(9)
    await breaker.force('disabled', { ...calendar, forMs: 60_000 })
    const receipt = await breaker.force('open', { ...ada, forMs: 30_000 })
    expect(receipt).toMatchObject({ reach: 'process', state: 'forced-open', ended: 0 })
    expect(receipt.orders.map(order => `${order.by} ${order.target}`)).toEqual(['calendar disabled', 'ada forced-open'])
    const error = await breaker.run(() => 'no').catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ state: 'forced-open', scope: 'operator', why: 'forced', retryAfterMs: 30_000 })
    await clock.advance(29_999)
    expect(breaker.state).toBe('forced-open')
    await clock.advance(1)
    expect(breaker.state).toBe('disabled')
    await clock.advance(30_000)
    expect(breaker.snapshot()).toMatchObject({
      state: 'closed',
      opens: 0,
      orders: [],
      windows: { long: { ok: 0, failed: 0, slow: 0 } },
    })
    expect(await call()).toBe('ok')
    expect(clock.pending).toBe(0)
  })

  test('an override ends by itself, and the next failure run opens the breaker again', async () => {
    const { breaker, fail, clock } = localBreaker()
    await breaker.force('disabled', { ...ada, forMs: 10_000 })
    await fail(100)
    expect(breaker.state).toBe('disabled')
    await clock.advance(10_000)
    expect(breaker.state).toBe('closed')
    await fail(9)
    expect(breaker.state).toBe('closed')
    await fail(1)
    expect(breaker.state).toBe('open')
  })

  test('an order during an open breaker wipes it: closed when it ends, opens 0', async () => {
    const { breaker, fail, clock } = localBreaker()
    await fail(10)
    await breaker.force('disabled', { ...ada, forMs: 1_000 })
    expect(breaker.state).toBe('disabled')
    await clock.advance(1_000)
    expect(breaker.snapshot()).toMatchObject({ state: 'closed', opens: 0 })
  })

  test('disabled admits and counts, and opens nothing', async () => {
    const { breaker, ok, fail, call } = localBreaker()
    await breaker.force('disabled', { ...ada, forMs: 10_000 })
    await ok(5)
    await fail(25)
    expect(await call()).toBe('ok')
    expect(breaker.snapshot()).toMatchObject({
      state: 'disabled',
      windows: { long: { ok: 6, failed: 25 } },
      admittedShare: 1,
    })
  })

  test('a reset closes, and stays automatic', async () => {
    const { breaker, fail, call } = localBreaker()
    await fail(10)
    const receipt = await breaker.force('closed', ada)
    expect(receipt).toMatchObject({ state: 'closed', reach: 'process', orders: [] })
    expect(breaker.snapshot()).toMatchObject({ state: 'closed', opens: 0 })
    expect(await call()).toBe('ok')
    await fail(10)
    expect(breaker.snapshot()).toMatchObject({ state: 'open', opens: 1 })
  })

  test('a reset under an order is refused and names the orders', async () => {
    const { breaker } = localBreaker()
    await breaker.force('open', { ...ada, forMs: 10_000 })
    await expect(breaker.force('closed', calendar)).rejects.toMatchObject({
      name: 'BreakerHeldError',
      code: 'ERR_BREAKER_HELD',
      retryable: false,
      outcome: 'not-run',
      breaker: 'orders',
      orders: [{ by: 'ada', reason: 'incident 7', target: 'forced-open' }],
    })
    expect(breaker.state).toBe('forced-open')
  })

  test('a holder releasing its own order leaves another one in force; holder and * release others', async () => {
    const { breaker } = localBreaker()
    await breaker.force('open', { ...ada, forMs: 60_000 })
    await breaker.force('open', { ...calendar, forMs: 60_000 })
    expect(await breaker.release(calendar)).toMatchObject({ ended: 1, state: 'forced-open' })
    expect(await breaker.release(calendar)).toMatchObject({ ended: 0, state: 'forced-open' })
    expect(await breaker.release({ ...calendar, holder: 'ada' })).toMatchObject({ ended: 1, state: 'closed' })
    await breaker.force('disabled', { ...ada, forMs: 60_000 })
    await breaker.force('open', { ...calendar, forMs: 60_000 })
    expect(await breaker.release({ by: 'eve', reason: 'all over', holder: '*' })).toMatchObject({
      ended: 2,
      orders: [],
    })
  })

  test('a new order of the same holder replaces the old one', async () => {
    const { breaker, clock } = localBreaker()
    await breaker.force('open', { ...ada, forMs: 60_000 })
    const receipt = await breaker.force('disabled', { ...ada, forMs: 1_000 })
    expect(receipt).toMatchObject({ state: 'disabled' })
    expect(receipt.orders).toHaveLength(1)
    await clock.advance(1_000)
    expect(breaker.state).toBe('closed')
  })

  test('a 17th holder is refused', async () => {
    const { breaker } = localBreaker()
    for (let n = 0; n < 16; n += 1) await breaker.force('open', { by: `holder-${n}`, reason: 'drill', forMs: 60_000 })
    await expect(breaker.force('open', { ...ada, forMs: 60_000 })).rejects.toMatchObject({
      code: 'ERR_BREAKER_LIMIT',
      what: 'holders',
      limit: 16,
    })
    await breaker.force('disabled', { by: 'holder-3', reason: 'changed', forMs: 60_000 })
  })
})

describe('who and why', () => {
  const bad: [field: string, order: Record<string, unknown>][] = [
    ['by', { reason: 'r', forMs: 1_000 }],
    ['by', { by: '', reason: 'r', forMs: 1_000 }],
    ['by', { by: 'x'.repeat(129), reason: 'r', forMs: 1_000 }],
    ['by', { by: 'lone \udc00', reason: 'r', forMs: 1_000 }],
    ['reason', { by: 'ada', forMs: 1_000 }],
    ['reason', { by: 'ada', reason: ' ', forMs: 1_000 }],
    ['reason', { by: 'ada', reason: 'x'.repeat(513), forMs: 1_000 }],
    ['forMs', { by: 'ada', reason: 'r' }],
    ['forMs', { by: 'ada', reason: 'r', forMs: 999 }],
    ['forMs', { by: 'ada', reason: 'r', forMs: 604_800_001 }],
    ['until', { by: 'ada', reason: 'r', forMs: 1_000, until: 7 }],
  ]
  for (const [field, order] of bad) {
    test(`an order is refused for its ${field}: ${JSON.stringify(order).slice(0, 60)}`, async () => {
      const { breaker } = localBreaker()
      await expect(breaker.force('open', order as never)).rejects.toMatchObject({ code: 'ERR_BREAKER_OPTIONS', field })
      expect(breaker.state).toBe('closed')
    })
  }

  test('a reset and a release need who and why as well', async () => {
    const { breaker } = localBreaker()
    await expect(breaker.force('closed', { by: 'ada' } as never)).rejects.toMatchObject({ field: 'reason' })
    await expect(breaker.release({ reason: 'r' } as never)).rejects.toMatchObject({ field: 'by' })
    await expect(breaker.release({ by: 'ada', reason: 'r', holder: '' })).rejects.toMatchObject({ field: 'holder' })
    await expect(breaker.force('ajar' as never, ada as never)).rejects.toMatchObject({ field: 'target' })
    await expect(breaker.force('open', undefined as never)).rejects.toMatchObject({ field: 'by' })
  })

  test('the bounds themselves are accepted', async () => {
    const { breaker } = localBreaker()
    await breaker.force('open', { by: '𝒳'.repeat(128), reason: 'é'.repeat(512), forMs: 604_800_000 })
    expect(breaker.state).toBe('forced-open')
  })
})

describe('on record [claims 26, 27]', () => {
  test('history tells who, why, until for each order, release, expiry, reset and move', async () => {
    const { breaker, fail, clock } = localBreaker()
    await fail(10)
    await breaker.force('closed', ada)
    await breaker.force('open', { ...ada, forMs: 10_000 })
    await breaker.force('disabled', { ...calendar, forMs: 2_000 })
    await clock.advance(2_000)
    await breaker.release({ by: 'eve', reason: 'wrong breaker', holder: 'ada' })
    const records = await breaker.history()
    expect(records.toReversed()).toMatchObject([
      { kind: 'moved', from: 'closed', state: 'open', why: 'fast-failure-ratio' },
      { kind: 'moved', from: 'open', state: 'closed', why: 'reset', by: 'ada', reason: 'incident 7' },
      { kind: 'ordered', by: 'ada', reason: 'incident 7', target: 'forced-open', ends: 1_700_000_010_000 },
      { kind: 'moved', from: 'closed', state: 'forced-open', why: 'forced', by: 'ada' },
      { kind: 'ordered', by: 'calendar', reason: 'maintenance window', target: 'disabled', ends: 1_700_000_002_000 },
      { kind: 'expired', by: 'calendar', target: 'disabled' },
      { kind: 'released', by: 'eve', reason: 'wrong breaker', holder: 'ada', target: 'forced-open' },
      { kind: 'moved', from: 'forced-open', state: 'closed', why: 'released' },
    ])
    expect(await breaker.history({ limit: 1 })).toHaveLength(1)
    await expect(breaker.history({ limit: 101 })).rejects.toMatchObject({ field: 'limit' })
  })

  test('history keeps 100 records', async () => {
    const { breaker } = localBreaker()
    for (let n = 0; n < 110; n += 1) await breaker.force('closed', { by: 'ada', reason: `reset ${n}` })
    const records = await breaker.history()
    expect(records).toHaveLength(100)
    expect(records[0]).toMatchObject({ reason: 'reset 109' })
  })

  test('an override event right after opened arrives', async () => {
    const { breaker, fail, clock, events } = localBreaker()
    await fail(10)
    await breaker.force('open', { ...ada, forMs: 1_000 })
    await clock.advance(1_000)
    expect(events.map(({ type, scope, first }) => ({ type, scope, first }))).toEqual([
      { type: 'opened', scope: 'process', first: true },
      { type: 'override-set', scope: 'operator', first: true },
      { type: 'forced', scope: 'operator', first: true },
      { type: 'override-ended', scope: 'operator', first: true },
      { type: 'closed', scope: 'operator', first: true },
    ])
    expect(events[1]).toMatchObject({ order: { by: 'ada', reason: 'incident 7', target: 'forced-open' } })
    expect(events[2]).toMatchObject({ by: 'ada', reason: 'incident 7', state: 'forced-open', previous: 'open' })
    expect(events[3]).toMatchObject({ how: 'expired', by: 'ada' })
    expect(events[4]).toMatchObject({ why: 'override-expired', previous: 'forced-open', state: 'closed' })
  })

  test('an order ends, and is told, though no call comes', async () => {
    const { breaker, clock, typesOf } = localBreaker()
    await breaker.force('open', { ...ada, forMs: 5_000 })
    await clock.advance(5_000)
    expect(typesOf().slice(-2)).toEqual(['override-ended', 'closed'])
  })
})
