import { Big } from 'big.js'
import { describe, expect, test } from 'vitest'
import { createHarness, must, refusalOf } from './engine-harness.ts'

const sum = (values: readonly Big[]): Big => values.reduce((total, value) => total.plus(value), new Big(0))
const cut = (value: Big): Big => value.round(8, Big.roundDown)
const at = (price: string, by: string): string => new Big(price).plus(by).toFixed(8)

interface AnswerFill {
  price: string
  qty: string
  commission: string
  commissionAsset: string
  tradeId: number
}
const fillsOf = (answer: Readonly<Record<string, unknown>>): AnswerFill[] => answer['fills'] as AnswerFill[]

describe('market orders [claim 4]', () => {
  test('a MARKET order over three levels has three trade ids and moves balances to the last decimal', () => {
    const { engine, accepted, free, locked } = createHarness()
    const { asks } = must(engine.depth('BTCUSDT'))
    const [first, second, third] = asks
    const quantity = new Big(first?.[1] ?? 0).plus(second?.[1] ?? 0).plus('0.12345')
    must(engine.addAccount({ name: 'rich', balances: { USDT: '10000000' } }))

    const { answer } = accepted({ account: 'rich', type: 'MARKET', quantity: quantity.toFixed(8) })

    const fills = fillsOf(answer)
    expect(fills.map(({ price, qty }) => [price, qty])).toEqual([
      [first?.[0], first?.[1]],
      [second?.[0], second?.[1]],
      [third?.[0], '0.12345000'],
    ])
    expect(new Set(fills.map(fill => fill.tradeId)).size).toBe(3)
    const spent = sum(fills.map(fill => new Big(fill.price).times(fill.qty)))
    const commissions = fills.map(fill => cut(new Big(fill.qty).times('0.001')))
    expect(fills.map(fill => fill.commission)).toEqual(commissions.map(value => value.toFixed(8)))
    expect(new Set(fills.map(fill => fill.commissionAsset))).toEqual(new Set(['BTC']))
    expect(answer).toMatchObject({ status: 'FILLED', cummulativeQuoteQty: spent.toFixed(8) })
    expect(free('USDT', 'rich')).toBe(new Big('10000000').minus(spent).toFixed(8))
    expect(free('BTC', 'rich')).toBe(quantity.minus(sum(commissions)).toFixed(8))
    expect([locked('USDT', 'rich'), locked('BTC', 'rich')]).toEqual(['0.00000000', '0.00000000'])
  })

  test('a bought BTC arrives as 0.999, a sold one as 0.999 of its worth', () => {
    const { accepted, free } = createHarness()
    const bought = accepted({ type: 'MARKET', quantity: '0.5' })
    expect(free('BTC')).toBe('2.49950000')
    const before = new Big(free('USDT'))
    const sold = accepted({ side: 'SELL', type: 'MARKET', quantity: '0.12347' })
    expect(new Big(String(sold.answer['cummulativeQuoteQty'])).times('0.001').toFixed()).toMatch(/\.\d{9,}$/)
    const worth = new Big(String(sold.answer['cummulativeQuoteQty']))
    expect(free('USDT')).toBe(
      before
        .plus(worth)
        .minus(cut(worth.times('0.001')))
        .toFixed(8),
    )
    expect(sold.orderId).toBe(bought.orderId + 1)
  })

  test('a MARKET order beyond the book is EXPIRED and keeps the fills of all five levels', () => {
    const { engine, accepted } = createHarness()
    const { bids } = must(engine.depth('BTCUSDT'))
    const whole = sum(bids.map(([, qty]) => new Big(qty)))
    must(engine.addAccount({ name: 'whale', balances: { BTC: '1000' } }))

    const { answer } = accepted({ account: 'whale', side: 'SELL', type: 'MARKET', quantity: '100' })

    expect(answer).toMatchObject({ status: 'EXPIRED', origQty: '100.00000000', executedQty: whole.toFixed(8) })
    expect(fillsOf(answer)).toHaveLength(5)
    expect(new Big(must(engine.state('whale')).balances['BTC']?.free ?? 0).eq(new Big(1000).minus(whole))).toBe(true)
  })

  test('every order meets the full book: accounts never thin it for one another', () => {
    const { engine, accepted } = createHarness({ accounts: ['demo', 'other'] })
    const before = must(engine.depth('BTCUSDT'))
    const [one, other] = ['demo', 'other'].map(account =>
      fillsOf(accepted({ account, type: 'MARKET', quantity: '1.5' }).answer).map(({ price, qty }) => [price, qty]),
    )
    expect(other).toEqual(one)
    expect(must(engine.depth('BTCUSDT'))).toEqual(before)
  })
})

describe('limits and worth [claim 5]', () => {
  test.each(['37.5', '999.99', '12345.67890123', '99999.99999999'])(
    'quoteOrderQty %s is never exceeded and leaves less than one lot',
    quoteOrderQty => {
      const { accepted, best } = createHarness()
      const { answer } = accepted({ type: 'MARKET', quoteOrderQty })
      const left = new Big(quoteOrderQty).minus(String(answer['cummulativeQuoteQty']))
      expect(left.gte(0)).toBe(true)
      expect(left.lt(new Big(best().ask).times('1.001').times('0.00001'))).toBe(true)
      expect(answer).toMatchObject({ status: 'FILLED', origQuoteOrderQty: new Big(quoteOrderQty).toFixed(8) })
      expect(answer['executedQty']).toBe(answer['origQty'])
    },
  )

  test('quoteOrderQty beyond the book is EXPIRED', () => {
    const { engine, accepted } = createHarness()
    must(engine.addAccount({ name: 'rich', balances: { USDT: '90000000' } }))
    const { answer } = accepted({ account: 'rich', type: 'MARKET', quoteOrderQty: '50000000' })
    expect(answer).toMatchObject({ status: 'EXPIRED' })
    expect(fillsOf(answer)).toHaveLength(5)
  })

  test('the rest of a crossing GTC order locks its funds and fills as maker at its own price, a level per tick', () => {
    const { engine, accepted, free, locked, reports, timeline } = createHarness()
    const { asks } = must(engine.depth('BTCUSDT'))
    const [price, level] = asks[0] as readonly [string, string]
    must(engine.addAccount({ name: 'rich', balances: { USDT: '1000000' } }))
    const quantity = new Big(level).plus('5')

    const { answer } = accepted({ account: 'rich', price, quantity: quantity.toFixed(8) })

    expect(answer).toMatchObject({ status: 'PARTIALLY_FILLED', executedQty: level })
    expect(locked('USDT', 'rich')).toBe(new Big(price).times(5).toFixed(8))
    expect(free('USDT', 'rich')).toBe(new Big('1000000').minus(new Big(price).times(quantity)).toFixed(8))
    must(engine.setPaused(undefined, true))
    for (let tick = 0; tick < 12; tick++) must(engine.setPrice('BTCUSDT', at(price, '-0.01')))
    timeline.advance(1)
    const makers = reports().filter(report => report.m)
    expect(makers.length).toBeGreaterThan(1)
    expect(new Set(makers.map(report => report.L))).toEqual(new Set([price]))
    expect(makers.every(report => new Big(report.l).lte('1.1'))).toBe(true)
    expect(makers.at(-1)).toMatchObject({ X: 'FILLED', z: quantity.toFixed(8) })
    expect(locked('USDT', 'rich')).toBe('0.00000000')
  })

  test('a resting order is not filled by a price short of its own', () => {
    const { engine, accepted, best, reports } = createHarness()
    must(engine.setPaused(undefined, true))
    const price = at(best().bid, '-50')
    accepted({ price, quantity: '0.01' })
    must(engine.setPrice('BTCUSDT', at(price, '0.01')))
    expect(reports().map(report => report.x)).toEqual(['NEW'])
    must(engine.setPrice('BTCUSDT', price))
    expect(reports().map(report => report.x)).toEqual(['NEW', 'TRADE'])
  })

  test('IOC takes what it reaches and expires, FOK takes all or nothing', () => {
    const { engine, accepted, locked } = createHarness()
    const [price, level] = must(engine.depth('BTCUSDT')).bids[0] as readonly [string, string]
    const quantity = new Big(level).plus('0.5').toFixed(8)
    const ioc = accepted({ side: 'SELL', timeInForce: 'IOC', price, quantity })
    expect(ioc.answer).toMatchObject({ status: 'EXPIRED', executedQty: level, timeInForce: 'IOC' })
    const rest = { side: 'SELL', timeInForce: 'FOK', price } as const
    must(engine.wipe('demo'))
    expect(accepted({ ...rest, quantity }).answer).toMatchObject({ status: 'EXPIRED', executedQty: '0.00000000' })
    expect(accepted({ ...rest, quantity: level }).answer).toMatchObject({ status: 'FILLED', executedQty: level })
    expect(locked('BTC')).toBe('0.00000000')
  })

  test('a crossing LIMIT_MAKER is refused, one step away it rests', () => {
    const { accepted, best, refused } = createHarness()
    const { bid, ask } = best()
    expect(refused({ type: 'LIMIT_MAKER', price: ask, quantity: '0.01' })).toEqual({
      code: -2010,
      msg: 'Order would immediately match and take.',
    })
    const { orderId, answer } = accepted({ type: 'LIMIT_MAKER', price: bid, quantity: '0.01' })
    expect(Object.keys(answer)).toEqual(['symbol', 'orderId', 'orderListId', 'clientOrderId', 'transactTime'])
    expect(orderId).toBe(1)
  })

  test('a price better than the limit gives back what the limit would have cost', () => {
    const { accepted, best, free, locked } = createHarness()
    const { answer } = accepted({ price: at(best().ask, '500'), quantity: '0.1' })
    expect(answer).toMatchObject({ status: 'FILLED' })
    expect(free('USDT')).toBe(new Big(100000).minus(String(answer['cummulativeQuoteQty'])).toFixed(8))
    expect(locked('USDT')).toBe('0.00000000')
  })
})

describe('client order ids [claim 6]', () => {
  test('an open id is refused, a filled one buys again, and GET order returns the second', () => {
    const { accepted, best, engine, order } = createHarness()
    const resting = { newClientOrderId: 'same', price: at(best().bid, '-1000'), quantity: '0.01' }
    accepted(resting)
    expect(refusalOf(order(resting))).toEqual({ code: -2010, msg: 'Duplicate order sent.' })
    must(engine.cancelOrder({ account: 'demo', symbol: 'BTCUSDT', origClientOrderId: 'same' }))
    const market = { newClientOrderId: 'same', type: 'MARKET', quantity: '0.01' } as const
    const [first, second] = [accepted(market), accepted(market)]
    const found = must(engine.getOrder({ account: 'demo', symbol: 'BTCUSDT', origClientOrderId: 'same' }))
    expect(second.orderId).toBe(first.orderId + 1)
    expect(found).toMatchObject({ orderId: second.orderId, status: 'FILLED', clientOrderId: 'same' })
  })

  test('the same id is free for another account', () => {
    const { accepted, best } = createHarness({ accounts: ['demo', 'other'] })
    const resting = { newClientOrderId: 'same', price: at(best().bid, '-1000'), quantity: '0.01' }
    expect(accepted(resting).orderId).toBe(1)
    expect(accepted({ ...resting, account: 'other' }).orderId).toBe(2)
  })

  test('an order without an id gets one of its own', () => {
    const { accepted } = createHarness()
    const ids = [1, 2].map(() => accepted({ type: 'MARKET', quantity: '0.01' }).clientOrderId)
    expect(new Set(ids).size).toBe(2)
    for (const id of ids) expect(id).toMatch(/^[a-zA-Z0-9-_]{1,36}$/)
  })
})

describe('filters [claim 7]', () => {
  const average = (symbol = 'BTCUSDT'): { harness: ReturnType<typeof createHarness>; price: Big } => {
    const harness = createHarness()
    must(
      harness.engine.addAccount({
        name: 'whale',
        balances: { USDT: '900000000', BTC: '9000', ETH: '90000', BNB: '900000' },
      }),
    )
    return { harness, price: new Big(must(harness.engine.avgPrice(symbol)).price) }
  }
  const filterTest = (
    name: string,
    filter: string,
    pair: (context: { price: Big; best: string }) => { inside: object; outside: object },
  ): void => {
    test(`${filter}: ${name}`, () => {
      const { harness, price } = average()
      const { inside, outside } = pair({ price, best: harness.best().bid })
      const whale = { account: 'whale', symbol: 'BTCUSDT', side: 'BUY', type: 'LIMIT' } as const
      expect(refusalOf(harness.engine.testOrder({ ...whale, ...outside }))).toEqual({
        code: -1013,
        msg: `Filter failure: ${filter}`,
      })
      expect(harness.engine.testOrder({ ...whale, ...inside })).toEqual({ ok: true, value: {} })
      expect(harness.refused({ ...whale, ...outside })).toEqual({ code: -1013, msg: `Filter failure: ${filter}` })
      expect(harness.accepted({ ...whale, ...inside }).orderId).toBe(1)
    })
  }

  filterTest('a price on the step passes, between steps not', 'PRICE_FILTER', ({ best }) => ({
    inside: { price: best, quantity: '0.01' },
    outside: { price: at(best, '0.001'), quantity: '0.01' },
  }))
  filterTest('a quantity on the lot passes, between lots not', 'LOT_SIZE', ({ best }) => ({
    inside: { price: best, quantity: '0.01001' },
    outside: { price: best, quantity: '0.010015' },
  }))
  filterTest('one lot is the least', 'LOT_SIZE', () => ({
    inside: { price: '280000', quantity: '0.00002', side: 'SELL' },
    outside: { price: '280000', quantity: '0', side: 'SELL' },
  }))
  filterTest('a MARKET order of at most 200 BTC', 'MARKET_LOT_SIZE', () => ({
    inside: { type: 'MARKET', quantity: '200' },
    outside: { type: 'MARKET', quantity: '200.00001' },
  }))
  filterTest('at least 5', 'NOTIONAL', () => ({
    inside: { price: '50000', quantity: '0.0001' },
    outside: { price: '49999.99', quantity: '0.0001' },
  }))
  filterTest('at most 9000000', 'NOTIONAL', () => ({
    inside: { price: '50000', quantity: '180' },
    outside: { price: '50000', quantity: '180.00001' },
  }))
  filterTest('MARKET by quantity is valued at the average', 'NOTIONAL', ({ price }) => {
    const least = new Big(5).div(price).div('0.00001').round(0, Big.roundUp).times('0.00001')
    return {
      inside: { type: 'MARKET', quantity: least.toFixed(8) },
      outside: { type: 'MARKET', quantity: least.minus('0.00001').toFixed(8) },
    }
  })
  filterTest('MARKET by worth at that worth', 'NOTIONAL', () => ({
    inside: { type: 'MARKET', quoteOrderQty: '5' },
    outside: { type: 'MARKET', quoteOrderQty: '4.99' },
  }))
  filterTest('a fifth of the average is the lowest price', 'PERCENT_PRICE_BY_SIDE', ({ price }) => {
    const lowest = price.times('0.2').round(2, Big.roundUp)
    return {
      inside: { price: lowest.toFixed(2), quantity: '0.1' },
      outside: { price: lowest.minus('0.01').toFixed(2), quantity: '0.1' },
    }
  })
  filterTest('five times the average is the highest price', 'PERCENT_PRICE_BY_SIDE', ({ price }) => {
    const highest = price.times('5').round(2, Big.roundDown)
    return {
      inside: { side: 'SELL', price: highest.toFixed(2), quantity: '0.1' },
      outside: { side: 'SELL', price: highest.plus('0.01').toFixed(2), quantity: '0.1' },
    }
  })

  test('MAX_NUM_ORDERS: 200 orders of a symbol stay open, the 201st is refused, another symbol is free', () => {
    const { accepted, best, refused, timeline, engine } = createHarness({ orders10s: 1000 })
    must(engine.setPaused(undefined, true))
    const resting = { price: at(best().bid, '-20000'), quantity: '0.0005' }
    for (let count = 0; count < 200; count++) accepted(resting)
    timeline.advance(10_000)
    expect(refused(resting)).toEqual({ code: -1013, msg: 'Filter failure: MAX_NUM_ORDERS' })
    expect(accepted({ symbol: 'ETHUSDT', price: at(best('ETHUSDT').bid, '-500'), quantity: '0.01' }).orderId).toBe(201)
    expect(accepted({ type: 'MARKET', quantity: '0.001' }).orderId).toBe(202)
  })

  test.each([
    ['ETHUSDT', '0.0101', '0.01011'],
    ['BNBUSDT', '0.101', '0.1011'],
  ])('LOT_SIZE of %s passes %s and not %s', (symbol, inside, outside) => {
    const { harness } = average(symbol)
    const price = harness.best(symbol).bid
    expect(harness.refused({ symbol, price, quantity: outside }).msg).toBe('Filter failure: LOT_SIZE')
    expect(harness.accepted({ symbol, price, quantity: inside }).orderId).toBe(1)
  })

  test('an unknown symbol is -1121', () => {
    const { refused } = createHarness()
    expect(refused({ symbol: 'DOGEUSDT', price: '1', quantity: '1' })).toEqual({ code: -1121, msg: 'Invalid symbol.' })
  })

  test('exchangeInfo tells the rules that act, MARKET_LOT_SIZE without a step', () => {
    const filters = createHarness().engine.symbolInfo('ETHUSDT')?.filters ?? []
    expect(
      Object.fromEntries(filters.map(filter => [filter['filterType'], filter['stepSize'] ?? filter['tickSize']])),
    ).toEqual({
      PRICE_FILTER: '0.01000000',
      LOT_SIZE: '0.00010000',
      MARKET_LOT_SIZE: '0.00000000',
      PERCENT_PRICE_BY_SIDE: undefined,
      NOTIONAL: undefined,
      MAX_NUM_ORDERS: undefined,
    })
  })
})

describe('state of the market and of funds [claim 8]', () => {
  test('HALT stops orders and cancels, CANCEL_ONLY lets cancels pass, both show in exchangeInfo', () => {
    const { accepted, best, engine, refused } = createHarness()
    const resting = { price: at(best().bid, '-1000'), quantity: '0.01' }
    const { orderId } = accepted(resting)
    const cancel = (): ReturnType<typeof engine.cancelOrder> =>
      engine.cancelOrder({ account: 'demo', symbol: 'BTCUSDT', orderId })
    const closed = { code: -1013, msg: 'Market is closed.' }
    must(engine.setStatus('BTCUSDT', 'HALT'))
    expect(engine.symbolInfo('BTCUSDT')?.status).toBe('HALT')
    expect(refused(resting)).toEqual(closed)
    expect(refusalOf(cancel())).toEqual(closed)
    must(engine.setStatus('BTCUSDT', 'CANCEL_ONLY'))
    expect(engine.symbolInfo('BTCUSDT')?.status).toBe('CANCEL_ONLY')
    expect(refused(resting)).toEqual(closed)
    expect(must(cancel()).status).toBe('CANCELED')
    expect(engine.symbolInfo('ETHUSDT')?.status).toBe('TRADING')
    must(engine.setStatus(undefined, 'TRADING'))
    expect(accepted(resting).orderId).toBe(2)
  })

  test.each(['HALT', 'CANCEL_ONLY'] as const)('resting orders are not filled under %s', status => {
    const { accepted, best, engine, reports } = createHarness()
    must(engine.setPaused(undefined, true))
    const price = at(best().bid, '-100')
    accepted({ price, quantity: '0.01' })
    must(engine.setStatus('BTCUSDT', status))
    must(engine.setPrice('BTCUSDT', at(price, '-1')))
    expect(reports().map(report => report.x)).toEqual(['NEW'])
    must(engine.setStatus('BTCUSDT', 'TRADING'))
    must(engine.setPrice('BTCUSDT', at(price, '-2')))
    expect(reports().map(report => report.x)).toEqual(['NEW', 'TRADE'])
  })

  test('locked funds cannot be spent twice, and a cancel frees them', () => {
    const { accepted, best, engine, free, locked, refused } = createHarness()
    const price = at(best().bid, '-5000')
    const whole = new Big(100000).div(price).round(5, Big.roundDown).toFixed(8)
    const { orderId } = accepted({ price, quantity: whole })
    const poor = { code: -2010, msg: 'Account has insufficient balance for requested action.' }
    expect(refused({ price, quantity: '0.001' })).toEqual(poor)
    expect(refused({ type: 'MARKET', quantity: '0.001' })).toEqual(poor)
    expect(refused({ type: 'MARKET', quoteOrderQty: '50' })).toEqual(poor)
    expect(locked('USDT')).toBe(new Big(price).times(whole).toFixed(8))
    must(engine.cancelOrder({ account: 'demo', symbol: 'BTCUSDT', orderId }))
    expect([free('USDT'), locked('USDT')]).toEqual(['100000.00000000', '0.00000000'])
    expect(refused({ side: 'SELL', price: at(best().ask, '5000'), quantity: '2.00001' })).toEqual(poor)
    expect(accepted({ side: 'SELL', price: at(best().ask, '5000'), quantity: '2' }).orderId).toBe(2)
    expect([free('BTC'), locked('BTC')]).toEqual(['0.00000000', '2.00000000'])
  })

  test('refusals are logged with their code, acceptances with what was signed', () => {
    const { accepted, engine, refused } = createHarness()
    refused({ type: 'MARKET', quantity: '5', newClientOrderId: 'no', signedAtMs: 5 })
    accepted({ type: 'MARKET', quantity: '0.1', newClientOrderId: 'yes', signedAtMs: 6 })
    const { entries } = engine.truth.query({ account: 'demo' })
    expect(entries.filter(entry => entry.type === 'rejected')).toMatchObject([
      { clientOrderId: 'no', code: -2010, signedAtMs: 5 },
    ])
    expect(entries.filter(entry => entry.type === 'accepted')).toMatchObject([
      { clientOrderId: 'yes', orderId: 1, kind: 'MARKET', qty: '0.10000000', price: '0.00000000', signedAtMs: 6 },
    ])
  })
})

describe('cancels', () => {
  test('on a cancel c is its own id and C ours, and afterwards both ids find the order', () => {
    const { accepted, best, engine, reports } = createHarness()
    accepted({ newClientOrderId: 'ours', price: at(best().bid, '-1000'), quantity: '0.01' })
    const answer = must(
      engine.cancelOrder({ account: 'demo', symbol: 'BTCUSDT', origClientOrderId: 'ours', newClientOrderId: 'ours-c' }),
    )
    expect(answer).toMatchObject({ origClientOrderId: 'ours', clientOrderId: 'ours-c', status: 'CANCELED' })
    expect(reports().at(-1)).toMatchObject({ x: 'CANCELED', X: 'CANCELED', c: 'ours-c', C: 'ours' })
    for (const origClientOrderId of ['ours', 'ours-c']) {
      expect(must(engine.getOrder({ account: 'demo', symbol: 'BTCUSDT', origClientOrderId }))).toMatchObject({
        orderId: 1,
        status: 'CANCELED',
      })
    }
  })

  test('an order that is not open is -2011, as is a foreign or mismatched one', () => {
    const { accepted, best, engine } = createHarness({ accounts: ['demo', 'other'] })
    const filled = accepted({ type: 'MARKET', quantity: '0.01' })
    const open = accepted({ newClientOrderId: 'open', price: at(best().bid, '-1000'), quantity: '0.01' })
    const unknown = { code: -2011, msg: 'Unknown order sent.' }
    const base = { account: 'demo', symbol: 'BTCUSDT' }
    for (const reference of [
      { ...base, orderId: filled.orderId },
      { ...base, orderId: 99 },
      { ...base, origClientOrderId: 'never' },
      { ...base, orderId: open.orderId, origClientOrderId: 'never' },
      { ...base, account: 'other', orderId: open.orderId },
      { ...base, symbol: 'ETHUSDT', orderId: open.orderId },
    ]) {
      expect(refusalOf(engine.cancelOrder(reference))).toEqual(unknown)
    }
    expect(must(engine.cancelOpenOrders(base)).map(row => row.orderId)).toEqual([open.orderId])
    expect(refusalOf(engine.cancelOpenOrders(base))).toEqual(unknown)
  })

  test('cancelRestrictions are kept', () => {
    const { engine, accepted } = createHarness()
    const [price, level] = must(engine.depth('BTCUSDT')).bids[0] as readonly [string, string]
    const { orderId } = accepted({ side: 'SELL', price, quantity: new Big(level).plus('0.5').toFixed(8) })
    const cancel = { account: 'demo', symbol: 'BTCUSDT', orderId }
    expect(refusalOf(engine.cancelOrder({ ...cancel, cancelRestrictions: 'ONLY_NEW' }))).toEqual({
      code: -2011,
      msg: 'Order was not canceled due to cancel restrictions.',
    })
    expect(must(engine.cancelOrder({ ...cancel, cancelRestrictions: 'ONLY_PARTIALLY_FILLED' })).status).toBe('CANCELED')
  })
})

describe('events of one order', () => {
  test('NEW, a TRADE per fill and one position leave in this order, with every documented field', () => {
    const { accepted, user, engine } = createHarness()
    const [, level] = must(engine.depth('BTCUSDT')).bids[0] as readonly [string, string]
    accepted({ side: 'SELL', type: 'MARKET', quantity: new Big(level).plus('0.1').toFixed(8), strategyId: 7 })
    const kinds = user.map(({ event }) => (event.e === 'executionReport' ? event.x : event.e))
    expect(kinds).toEqual(['NEW', 'TRADE', 'TRADE', 'outboundAccountPosition'])
    const report = user[1]?.event
    expect(Object.keys(report ?? {}).join(' ')).toBe(
      'e E s c S o f q p P F g C x X r i l z L n N T t I w m M O Z Y Q j W V',
    )
    expect(user.at(-1)?.event).toMatchObject({ B: [{ a: 'BTC' }, { a: 'USDT' }] })
  })

  test('a FOK that takes nothing tells NEW and EXPIRED and no position', () => {
    const { accepted, best, user } = createHarness()
    accepted({ timeInForce: 'FOK', price: at(best().bid, '-100'), quantity: '0.01' })
    expect(user.map(({ event }) => (event.e === 'executionReport' ? event.x : event.e))).toEqual(['NEW', 'EXPIRED'])
  })
})
