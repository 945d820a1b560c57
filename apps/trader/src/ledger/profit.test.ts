import { Big } from 'big.js'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Fill } from './fill.ts'
import { profitOf } from './profit.ts'

const pair = { baseAsset: 'BTC', quoteAsset: 'USDT' }

function fill(side: 'BUY' | 'SELL', quantity: string, price: string, commission = '0', commissionAsset = 'USDT'): Fill {
  return {
    symbol: 'BTCUSDT',
    tradeId: '1',
    orderId: '1',
    side,
    quantity,
    price,
    commission,
    commissionAsset,
    timeMs: 1,
  }
}

describe('profit', () => {
  test('is what sales bring above the average cost of what they sell, less commissions', () => {
    const fills = [fill('BUY', '1', '100', '0.1'), fill('BUY', '1', '200', '0.2'), fill('SELL', '1', '180', '0.18')]
    expect(profitOf(fills, pair)).toEqual({ realised: '29.52000000', held: '1.00000000', averageCost: '150.00000000' })
  })

  test('counts a commission in base at the price of its fill', () => {
    expect(profitOf([fill('BUY', '1', '100', '0.001', 'BTC')], pair).realised).toBe('-0.10000000')
  })

  test('a sale of what was never bought here earns nothing but its commission', () => {
    expect(profitOf([fill('SELL', '2', '100', '0.2')], pair)).toMatchObject({
      realised: '-0.20000000',
      held: '0.00000000',
    })
  })

  test('buying and selling at one price loses exactly the commissions', () => {
    const quantities = fc.array(fc.integer({ min: 1, max: 1e6 }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(quantities, fc.integer({ min: 1, max: 1e6 }), (lots, cents) => {
        const price = new Big(cents).div(100).toFixed(2)
        const buys = lots.map(lot => fill('BUY', new Big(lot).div(1e5).toFixed(5), price))
        const sells = lots.map(lot => fill('SELL', new Big(lot).div(1e5).toFixed(5), price, '0.00000001'))
        const { realised, held } = profitOf([...buys, ...sells], pair)
        expect(new Big(held).eq(0)).toBe(true)
        expect(new Big(realised).plus(new Big(lots.length).times('0.00000001')).abs().lte('0.00000001')).toBe(true)
      }),
    )
  })
})
