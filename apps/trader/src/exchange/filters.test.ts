import { Big } from 'big.js'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  failedFilter,
  quantityForNotional,
  roundDown,
  roundPrice,
  roundQuantity,
  symbolRules,
  type SymbolRules,
} from './filters.ts'

function rules(more: Partial<Record<'lot' | 'market' | 'tick', string>> = {}): SymbolRules {
  return symbolRules({
    symbol: 'BTCUSDT',
    status: 'TRADING',
    baseAsset: 'BTC',
    quoteAsset: 'USDT',
    filters: [
      { filterType: 'PRICE_FILTER', minPrice: '0.01', maxPrice: '1000000', tickSize: more.tick ?? '0.01' },
      { filterType: 'LOT_SIZE', minQty: '0.00001', maxQty: '9000', stepSize: more.lot ?? '0.00001' },
      { filterType: 'MARKET_LOT_SIZE', minQty: '0', maxQty: '100', stepSize: more.market ?? '0.00000000' },
      { filterType: 'NOTIONAL', minNotional: '5', maxNotional: '9000000' },
    ],
  })
}

const steps = fc.constantFrom('0.00001', '0.0001', '0.001', '0.01', '1', '0.00000000', '0.00025')
const amounts = fc.integer({ min: 0, max: 10 ** 12 }).map(units => new Big(units).div(1e8).toFixed())

describe('rounding and filters [claim 18]', () => {
  test('a rounded quantity never exceeds the wish, is less than one step below it, and lies on the grid', () => {
    fc.assert(
      fc.property(amounts, steps, steps, (wish, lot, market) => {
        const rounded = new Big(roundQuantity(rules({ lot, market }), 'MARKET', wish))
        expect(rounded.lte(wish)).toBe(true)
        const coarsest = [lot, market].map(step => new Big(step)).reduce((a, b) => a.plus(b))
        expect(new Big(wish).minus(rounded).lte(coarsest)).toBe(true)
        if (Number(market) > 0) expect(rounded.mod(market).eq(0)).toBe(true)
      }),
    )
  })

  test('a step of zero is no rule', () => {
    expect(roundDown('1.23456789', '0.00000000')).toBe('1.23456789')
    expect(roundQuantity(rules({ lot: '0' }), 'MARKET', '0.123456789')).toBe('0.123456789')
  })

  test('a buyer never pays above the wish, a seller never gets less', () => {
    fc.assert(
      fc.property(amounts, steps, (wish, tick) => {
        expect(new Big(roundPrice(rules({ tick }), 'BUY', wish)).lte(wish)).toBe(true)
        expect(new Big(roundPrice(rules({ tick }), 'SELL', wish)).gte(wish)).toBe(true)
      }),
    )
  })

  test('an entry never costs more than its notional at the given price', () => {
    const prices = fc.integer({ min: 1, max: 10 ** 8 }).map(cents => new Big(cents).div(100).toFixed(2))
    fc.assert(
      fc.property(amounts, prices, (quote, price) => {
        const quantity = quantityForNotional(rules(), 'MARKET', quote, price)
        expect(new Big(quantity).times(price).lte(quote)).toBe(true)
      }),
    )
  })

  test('each filter passes just inside and is named just outside', () => {
    const at = (quantity: string, price: string, type: 'MARKET' | 'LIMIT' = 'LIMIT'): string | undefined =>
      failedFilter(rules(), { type, quantity, price })
    expect(at('0.00001', '600000')).toBeUndefined()
    expect(at('0.000009', '600000')).toBe('LOT_SIZE')
    expect(at('0', '600000')).toBe('LOT_SIZE')
    expect(at('0.0005', '10000')).toBeUndefined()
    expect(at('0.00049', '10000')).toBe('NOTIONAL')
    expect(at('9', '1000000')).toBeUndefined()
    expect(at('9.1', '1000000')).toBe('NOTIONAL')
    expect(at('1', '1000000.01')).toBe('PRICE_FILTER')
    expect(at('100', '100', 'MARKET')).toBeUndefined()
    expect(at('101', '100', 'MARKET')).toBe('MARKET_LOT_SIZE')
  })
})
