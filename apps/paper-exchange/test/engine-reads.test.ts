import { Big } from 'big.js'
import { describe, expect, test } from 'vitest'
import { createHarness, must, refusalOf, START_MS } from './engine-harness.ts'

const below = (price: string, by: string): string => new Big(price).minus(by).toFixed(8)
const base = { account: 'demo', symbol: 'BTCUSDT' } as const
const NOT_FOUND = { code: -2013, msg: 'Order does not exist.' }

describe('read lag [claim 10]', () => {
  test('a new order is hidden from all five reads for readLagMs and from no stream', () => {
    const { accepted, best, engine, timeline, user } = createHarness({ readLagMs: 1500, barMs: 86_400_000 })
    const before = must(engine.account({ account: 'demo' }))
    const taker = accepted({ newClientOrderId: 'taker', type: 'MARKET', quantity: '0.1' })
    accepted({ newClientOrderId: 'maker', price: below(best().bid, '1000'), quantity: '0.1' })
    expect(user.map(({ event }) => event.e === 'executionReport' && event.x)).toEqual([
      'NEW',
      'TRADE',
      false,
      'NEW',
      false,
    ])
    timeline.advance(1499)
    expect(refusalOf(engine.getOrder({ ...base, orderId: taker.orderId }))).toEqual(NOT_FOUND)
    expect(refusalOf(engine.getOrder({ ...base, origClientOrderId: 'maker' }))).toEqual(NOT_FOUND)
    expect(must(engine.openOrders(base))).toEqual([])
    expect(must(engine.allOrders(base))).toEqual([])
    expect(must(engine.myTrades(base))).toEqual([])
    expect(must(engine.account({ account: 'demo' }))).toEqual(before)
    timeline.advance(1)
    expect(must(engine.getOrder({ ...base, orderId: taker.orderId })).status).toBe('FILLED')
    expect(must(engine.openOrders(base)).map(row => row.clientOrderId)).toEqual(['maker'])
    expect(must(engine.allOrders(base)).map(row => row.clientOrderId)).toEqual(['taker', 'maker'])
    expect(must(engine.myTrades(base))).toHaveLength(1)
    const after = must(engine.account({ account: 'demo' }))
    expect(after.balances.find(row => row.asset === 'BTC')?.free).toBe('2.09990000')
    expect(after.updateTime).toBe(START_MS)
  })

  test('a cancel is seen late too: the order stays open in reads, the engine knows better', () => {
    const { accepted, best, engine, locked, timeline } = createHarness({ readLagMs: 1000, barMs: 86_400_000 })
    const { orderId } = accepted({ newClientOrderId: 'a', price: below(best().bid, '1000'), quantity: '0.1' })
    timeline.advance(2000)
    must(engine.cancelOrder({ ...base, orderId, newClientOrderId: 'a-c' }))
    expect(must(engine.openOrders({ account: 'demo' })).map(row => row.status)).toEqual(['NEW'])
    expect(refusalOf(engine.getOrder({ ...base, origClientOrderId: 'a-c' }))).toEqual(NOT_FOUND)
    expect(refusalOf(engine.cancelOrder({ ...base, orderId })).code).toBe(-2011)
    expect(locked('USDT')).toBe('0.00000000')
    timeline.advance(1000)
    expect(must(engine.openOrders({ account: 'demo' }))).toEqual([])
    expect(must(engine.getOrder({ ...base, origClientOrderId: 'a-c' })).status).toBe('CANCELED')
  })

  test('a skewed server clock neither shortens nor lengthens the lag', () => {
    const { accepted, engine, timeline } = createHarness({ readLagMs: 1000, barMs: 86_400_000 })
    const { orderId } = accepted({ type: 'MARKET', quantity: '0.1' })
    for (const skewMs of [5000, -5000]) {
      timeline.setSkew(skewMs)
      expect(refusalOf(engine.getOrder({ ...base, orderId }))).toEqual(NOT_FOUND)
    }
    timeline.advance(1000)
    expect(must(engine.getOrder({ ...base, orderId })).orderId).toBe(orderId)
  })

  test('hide keeps one order and its trades from reads, not from others, and ends', () => {
    const { accepted, engine, timeline } = createHarness({ barMs: 86_400_000 })
    const [hidden, shown] = ['hidden', 'shown'].map(newClientOrderId =>
      accepted({ newClientOrderId, type: 'MARKET', quantity: '0.1' }),
    )
    engine.hideOrder(hidden?.orderId ?? 0, 1200)
    timeline.advance(1199)
    expect(refusalOf(engine.getOrder({ ...base, origClientOrderId: 'hidden' }))).toEqual(NOT_FOUND)
    expect(must(engine.allOrders(base)).map(row => row.clientOrderId)).toEqual(['shown'])
    expect(must(engine.myTrades(base)).map(row => row.orderId)).toEqual([shown?.orderId])
    timeline.advance(1)
    expect(must(engine.getOrder({ ...base, origClientOrderId: 'hidden' })).orderId).toBe(hidden?.orderId)
    expect(must(engine.myTrades(base))).toHaveLength(2)
  })
})

describe('queries', () => {
  test('orderId comes first and origClientOrderId must agree with it', () => {
    const { accepted, engine } = createHarness()
    const { orderId } = accepted({ newClientOrderId: 'mine', type: 'MARKET', quantity: '0.1' })
    expect(must(engine.getOrder({ ...base, orderId, origClientOrderId: 'mine' })).orderId).toBe(orderId)
    expect(refusalOf(engine.getOrder({ ...base, orderId, origClientOrderId: 'other' }))).toEqual({
      code: -2039,
      msg: 'Client order ID is not correct for this order ID.',
    })
    expect(refusalOf(engine.getOrder({ ...base, orderId: 99, origClientOrderId: 'mine' }))).toEqual(NOT_FOUND)
    expect(refusalOf(engine.getOrder({ ...base, symbol: 'ETHUSDT', orderId }))).toEqual(NOT_FOUND)
    expect(refusalOf(engine.getOrder(base)).code).toBe(-1102)
  })

  test('allOrders and myTrades page from a start, or give the newest', () => {
    const { accepted, engine, timeline } = createHarness()
    for (let order = 0; order < 5; order++) {
      accepted({ type: 'MARKET', quantity: '0.01' })
      timeline.advance(1000)
    }
    const ids = (query: object): number[] => must(engine.allOrders({ ...base, ...query })).map(row => row.orderId)
    expect(ids({})).toEqual([1, 2, 3, 4, 5])
    expect(ids({ limit: 2 })).toEqual([4, 5])
    expect(ids({ orderId: 2, limit: 2 })).toEqual([2, 3])
    expect(ids({ startTime: START_MS + 3000 })).toEqual([4, 5])
    expect(ids({ startTime: START_MS + 1000, endTime: START_MS + 2000 })).toEqual([2, 3])
    const trades = (query: object): number[] => must(engine.myTrades({ ...base, ...query })).map(row => row.id)
    expect(trades({ fromId: 2, limit: 2 })).toEqual([2, 3])
    expect(trades({ orderId: 4 })).toEqual([4])
    expect(trades({ limit: 1 })).toEqual([5])
    expect(must(engine.myTrades({ account: 'demo', symbol: 'ETHUSDT' }))).toEqual([])
  })

  test('more than 24 hours is -1127, an undocumented combination -1128', () => {
    const { engine } = createHarness()
    const long = { ...base, startTime: 0, endTime: 86_400_001 }
    const tooLong = { code: -1127, msg: 'More than 24 hours between startTime and endTime.' }
    expect(refusalOf(engine.allOrders(long))).toEqual(tooLong)
    expect(refusalOf(engine.myTrades(long))).toEqual(tooLong)
    expect(must(engine.allOrders({ ...long, endTime: 86_400_000 }))).toEqual([])
    const odd = { code: -1128, msg: 'Combination of optional parameters invalid.' }
    for (const query of [
      { orderId: 1, startTime: 5 },
      { fromId: 1, endTime: 5 },
      { orderId: 1, fromId: 1, startTime: 1 },
    ]) {
      expect(refusalOf(engine.myTrades({ ...base, ...query }))).toEqual(odd)
    }
    for (const query of [
      {},
      { orderId: 1 },
      { fromId: 1 },
      { orderId: 1, fromId: 1 },
      { startTime: 1 },
      { endTime: 1 },
    ]) {
      expect(must(engine.myTrades({ ...base, ...query }))).toEqual([])
    }
  })

  test('GET order has exactly the documented fields', () => {
    const { accepted, engine } = createHarness()
    const { orderId } = accepted({ type: 'MARKET', quantity: '0.1' })
    expect(Object.keys(must(engine.getOrder({ ...base, orderId }))).join(' ')).toBe(
      'symbol orderId orderListId clientOrderId price origQty executedQty cummulativeQuoteQty status timeInForce type side ' +
        'stopPrice icebergQty time updateTime isWorking workingTime origQuoteOrderQty selfTradePreventionMode',
    )
  })

  test('account leaves out zero balances when asked, and only then', () => {
    const { engine } = createHarness()
    must(engine.addAccount({ name: 'thin', balances: { USDT: '10', BTC: '0' } }))
    const assets = (omitZeroBalances?: boolean): string[] =>
      must(engine.account({ account: 'thin', omitZeroBalances })).balances.map(row => row.asset)
    expect(assets()).toEqual(['BTC', 'USDT'])
    expect(assets(true)).toEqual(['USDT'])
  })
})

describe('accounts', () => {
  test('a wipe brings back the opening balances and forgets orders, trades and locks, but no id', () => {
    const { accepted, best, engine, free, locked, reports } = createHarness()
    must(engine.setPaused(undefined, true))
    accepted({ newClientOrderId: 'open', price: below(best().bid, '100'), quantity: '0.5' })
    accepted({ type: 'MARKET', quantity: '0.5' })
    must(engine.wipe('demo'))
    expect([free('USDT'), locked('USDT'), free('BTC')]).toEqual(['100000.00000000', '0.00000000', '2.00000000'])
    expect(must(engine.allOrders(base))).toEqual([])
    expect(must(engine.myTrades(base))).toEqual([])
    const told = reports().length
    must(engine.setPrice('BTCUSDT', below(best().bid, '200')))
    expect(reports()).toHaveLength(told)
    expect(accepted({ newClientOrderId: 'open', type: 'MARKET', quantity: '0.1' }).orderId).toBe(3)
  })

  test('a used name, a bad name, a bad asset and a bad amount are refused', () => {
    const { engine } = createHarness()
    for (const account of [
      { name: 'demo', balances: {} },
      { name: 'no spaces', balances: {} },
      { name: 'a', balances: { usdt: '1' } },
      { name: 'a', balances: { USDT: '-1' } },
      { name: 'a', balances: { USDT: '1e3' } },
    ]) {
      expect(refusalOf(engine.addAccount(account)).code).toBe(-1130)
    }
    expect(engine.accounts()).toEqual(['demo'])
  })
})
