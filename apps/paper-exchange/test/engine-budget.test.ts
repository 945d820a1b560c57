import { Big } from 'big.js'
import { describe, expect, test } from 'vitest'
import { createHarness, must } from './engine-harness.ts'

const below = (price: string, by: string): string => new Big(price).minus(by).toFixed(8)

describe('order budget [claim 9]', () => {
  test('of 51 resting orders in 10 s the last gets 429 -1015 with the time to the window end', () => {
    const { accepted, best, engine, refused, timeline } = createHarness()
    const resting = { price: below(best().bid, '9000'), quantity: '0.001' }
    timeline.advance(2500)
    const counts = Array.from({ length: 50 }, () => accepted(resting).orderCount.tenSeconds)
    expect(counts).toEqual(Array.from({ length: 50 }, (_, index) => index + 1))
    expect(refused(resting)).toEqual({
      code: -1015,
      msg: 'Too many new orders; current limit is 50 orders per 10 SECOND.',
      status: 429,
      retryAfterMs: 7500,
    })
    expect(engine.orderCount('demo')).toEqual({ tenSeconds: 50, day: 50 })
    timeline.advance(7499)
    expect(refused(resting).code).toBe(-1015)
    timeline.advance(1)
    expect(accepted(resting).orderCount).toEqual({ tenSeconds: 1, day: 51 })
  })

  test('the first fill gives back 1 as taker and 5 as maker, never below 0, and cancels give back nothing', () => {
    const { accepted, best, engine } = createHarness()
    must(engine.setPaused(undefined, true))
    const price = below(best().bid, '100')
    const lower = below(best().bid, '9000')
    for (let order = 0; order < 3; order++) accepted({ price: lower, quantity: '0.001' })
    const { orderId } = accepted({ price: lower, quantity: '0.001' })
    must(engine.cancelOrder({ account: 'demo', symbol: 'BTCUSDT', orderId }))
    expect(engine.orderCount('demo').tenSeconds).toBe(4)
    expect(accepted({ type: 'MARKET', quantity: '0.001' }).orderCount.tenSeconds).toBe(4)
    accepted({ price, quantity: '0.001' })
    accepted({ timeInForce: 'FOK', price: lower, quantity: '0.001' })
    expect(engine.orderCount('demo').tenSeconds).toBe(6)
    must(engine.setPrice('BTCUSDT', price))
    expect(engine.orderCount('demo').tenSeconds).toBe(1)
    accepted({ price: below(price, '100'), quantity: '0.001' })
    must(engine.setPrice('BTCUSDT', below(price, '100')))
    expect(engine.orderCount('demo')).toEqual({ tenSeconds: 0, day: 0 })
  })

  test('only the first fill of an order counts, taker or maker', () => {
    const { accepted, best, engine, reports } = createHarness()
    must(engine.setPaused(undefined, true))
    const lower = below(best().bid, '9000')
    for (let order = 0; order < 9; order++) accepted({ price: lower, quantity: '0.001' })
    const [price, level] = must(engine.depth('BTCUSDT')).bids[0] as readonly [string, string]
    const quantity = new Big(level).plus('0.7').toFixed(8)
    accepted({ side: 'SELL', price: below(price, '3'), quantity })
    expect(reports().filter(report => report.x === 'TRADE')).toHaveLength(2)
    expect(engine.orderCount('demo').tenSeconds).toBe(9)
    accepted({ side: 'SELL', price: new Big(price).plus('1').toFixed(8), quantity: '0.1' })
    must(engine.setPrice('BTCUSDT', new Big(price).plus('1').toFixed(8)))
    must(engine.setPrice('BTCUSDT', new Big(price).plus('2').toFixed(8)))
    expect(engine.orderCount('demo').tenSeconds).toBe(5)
  })

  test('a late order is charged, a refused one is not, and rateLimit/order tells the counts', () => {
    const { engine, refused } = createHarness()
    refused({ type: 'MARKET', quantity: '9' })
    const request = { account: 'demo', symbol: 'BTCUSDT', side: 'BUY', type: 'MARKET', quantity: '1' } as const
    expect(engine.refuseLate(request, { code: -1021, msg: 'late' })).toEqual({ tenSeconds: 1, day: 1 })
    expect(must(engine.rateLimitOrder('demo'))).toEqual([
      { rateLimitType: 'ORDERS', interval: 'SECOND', intervalNum: 10, limit: 50, count: 1 },
      { rateLimitType: 'ORDERS', interval: 'DAY', intervalNum: 1, limit: 160_000, count: 1 },
    ])
    const rejected = engine.truth.query({ type: 'rejected' }).entries
    expect(rejected).toMatchObject([{ code: -2010 }, { code: -1021 }])
  })

  test('accounts have budgets of their own', () => {
    const { accepted, best, refused } = createHarness({ accounts: ['demo', 'other'], orders10s: 1 })
    const resting = { price: below(best().bid, '9000'), quantity: '0.001' }
    accepted(resting)
    expect(refused(resting).code).toBe(-1015)
    expect(accepted({ ...resting, account: 'other' }).orderId).toBe(2)
  })

  test('the day is a UTC day and answers with its own end', () => {
    const { accepted, best, refused } = createHarness({ orders1d: 2 })
    const resting = { price: below(best().bid, '9000'), quantity: '0.001' }
    accepted(resting)
    accepted(resting)
    const midnight = Date.UTC(2023, 10, 15)
    expect(refused(resting)).toMatchObject({ code: -1015, status: 429, retryAfterMs: midnight - 1_700_000_100_000 })
  })
})
