import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { ledgerWriteKey, orderFingerprint, orderKey, pnlWriteKey, positionUpdateKey, tradeStateKey } from './index.ts'

const KEY = expect.objectContaining({ code: 'ERR_IDEMPOTENCY_KEY', outcome: 'not-run' })

describe('the keys of the presets', () => {
  test('each names its intent', () => {
    expect(orderKey({ strategy: 'pulse', intentId: 'i-7' })).toBe('pulse:i-7')
    expect(orderKey({ strategy: 'pulse', intentId: 'i-7', leg: 0 })).toBe('pulse:i-7:0')
    expect(positionUpdateKey({ positionId: 'p', eventId: 4 })).toBe('p:4')
    expect(pnlWriteKey({ tradeId: 't', revision: 2 })).toBe('t:2')
    expect(ledgerWriteKey({ transactionId: 'tx' })).toBe('tx')
    expect(tradeStateKey({ tradeId: 't', version: 3, to: 'filled' })).toBe('t:3:filled')
  })

  test('separators are escaped: different parts never make one key', () => {
    expect(orderKey({ strategy: 'a:b', intentId: 'c' })).toBe('a%3Ab:c')
    expect(orderKey({ strategy: 'a%3Ab', intentId: 'c' })).toBe('a%253Ab:c')
    const part = fc.string({ unit: fc.constantFrom('a', ':', '%', '3', 'A'), minLength: 1, maxLength: 6 })
    const parts = fc.record({ strategy: part, intentId: part, leg: fc.option(part, { nil: undefined }) })
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        expect(orderKey(a) === orderKey(b)).toBe(
          a.strategy === b.strategy && a.intentId === b.intentId && a.leg === b.leg,
        )
      }),
    )
  })

  test('an empty, blank or missing part throws, naming it', () => {
    expect(() => orderKey({ strategy: '', intentId: 'i' })).toThrow(KEY)
    expect(() => orderKey({ strategy: 's', intentId: ' ' })).toThrow(/^intentId is blank/)
    expect(() => orderKey({ strategy: 's', intentId: 'i', leg: '' })).toThrow(/^leg/)
    expect(() => orderKey({ strategy: 's' } as never)).toThrow(KEY)
    expect(() => positionUpdateKey({ positionId: 'p', eventId: null } as never)).toThrow(KEY)
    expect(() => pnlWriteKey({ tradeId: 't', revision: 1.5 })).toThrow(KEY)
    expect(() => pnlWriteKey({ tradeId: 't', revision: Number.NaN })).toThrow(KEY)
    expect(() => ledgerWriteKey({ transactionId: '' })).toThrow(KEY)
    expect(() => tradeStateKey({ tradeId: 't', version: 1, to: '' })).toThrow(KEY)
  })
})

describe('orderFingerprint', () => {
  test('is the same for equal terms and differs with each of them', () => {
    const terms = { symbol: 'BTCUSDT', side: 'BUY', quantity: '1.50', price: '30000.0' }
    expect(orderFingerprint(terms)).toEqual({ symbol: 'BTCUSDT', side: 'BUY', quantity: '1.5', price: '30000' })
    expect(orderFingerprint({ ...terms, strategy: 'other' } as never)).toEqual(orderFingerprint(terms))
    const { price: _price, ...market } = terms
    const others = [{ symbol: 'ETHUSDT' }, { side: 'SELL' }, { quantity: '1.51' }, { price: '30001' }]
    for (const other of others) {
      expect(orderFingerprint({ ...terms, ...other })).not.toEqual(orderFingerprint(terms))
    }
    expect(orderFingerprint(market)).not.toEqual(orderFingerprint(terms))
  })

  test('a term that is missing or no decimal throws, naming it', () => {
    const terms = { symbol: 'BTCUSDT', side: 'BUY', quantity: '1' }
    expect(() => orderFingerprint({ ...terms, symbol: '' })).toThrow(/^symbol/)
    expect(() => orderFingerprint({ ...terms, side: undefined } as never)).toThrow(/^side/)
    expect(() => orderFingerprint({ ...terms, quantity: 1 } as never)).toThrow(/^quantity/)
    expect(() => orderFingerprint({ ...terms, price: '1e5' })).toThrow(/^price/)
  })
})
