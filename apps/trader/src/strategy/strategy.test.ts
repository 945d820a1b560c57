import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { symbolRules } from '../exchange/filters.ts'
import { mintIntent } from '../orders/mint.ts'
import { emaCross } from './ema-cross.ts'
import { pulse } from './pulse.ts'
import type { Bar } from './strategy.ts'

const minute = 60_000
const rules = symbolRules({
  symbol: 'BTCUSDT',
  status: 'TRADING',
  baseAsset: 'BTC',
  quoteAsset: 'USDT',
  filters: [{ filterType: 'LOT_SIZE', minQty: '0.00001', maxQty: '9000', stepSize: '0.00001' }],
})

function barsOf(closes: readonly number[]): Bar[] {
  return closes.map((close, at) => {
    const text = close.toFixed(2)
    return { openMs: at * minute, open: text, high: text, low: text, close: text, volume: '1' }
  })
}

/** A long fall, then a rise: the averages cross upward exactly once. */
function valley(rise: number): Bar[] {
  const fall = Array.from({ length: 300 }, (_, at) => 1000 - at)
  return barsOf([...fall, ...Array.from({ length: rise }, (_, at) => 700 + 5 * at)])
}

describe('strategies', () => {
  test('pulse buys on even minutes, sells on odd ones, once per bar, always as an entry', () => {
    const even = pulse.decide({
      symbol: 'BTCUSDT',
      bars: barsOf([60_000]),
      position: { quantity: '0' },
      orderNotional: '100',
    })
    expect(even).toEqual([{ leg: 'entry', seq: 0, side: 'BUY', wish: { kind: 'quote', amount: '100' } }])
    const odd = pulse.decide({
      symbol: 'BTCUSDT',
      bars: barsOf([1, 1]),
      position: { quantity: '9' },
      orderNotional: '100',
    })
    expect(odd.map(signal => signal.side)).toEqual(['SELL'])
    expect(pulse.loadOnly).toBe(true)
  })

  test('ema-cross enters at the one bar where the averages cross upward, and only when flat', () => {
    const entries: number[] = []
    for (let rise = 1; rise <= 80; rise += 1) {
      const bars = valley(rise)
      const view = { symbol: 'BTCUSDT', bars, orderNotional: '100' }
      if (emaCross.decide({ ...view, position: { quantity: '0' } }).length > 0) entries.push(rise)
      expect(emaCross.decide({ ...view, position: { quantity: '0.5' } })).toEqual([])
    }
    expect(entries).toHaveLength(1)
  })

  test('ema-cross exits with what the entry left, rounded down to the lot', () => {
    const peak = barsOf([
      ...Array.from({ length: 300 }, (_, at) => 700 + at),
      ...Array.from({ length: 80 }, (_, at) => 1000 - 5 * at),
    ])
    const position = { quantity: '0.00099901' }
    const exits = peak.flatMap((_, at) =>
      at < 261 ? [] : emaCross.decide({ symbol: 'BTCUSDT', bars: peak.slice(0, at), position, orderNotional: '100' }),
    )
    expect(exits).toEqual([{ leg: 'exit', seq: 0, side: 'SELL', wish: { kind: 'base', amount: '0.00099901' } }])
    const context = { strategy: 'ema-cross', rules, bar: peak.at(-1)!, orderType: 'MARKET', validUntilMs: 1 } as const
    expect(mintIntent(exits[0]!, context).quantity).toBe('0.00099')
  })

  test('a worker with a longer history decides as one that has just enough', () => {
    const walk = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 300, maxLength: 400 })
    fc.assert(
      fc.property(walk, fc.constantFrom('0', '0.5'), (steps, quantity) => {
        let price = 10_000
        const bars = barsOf(steps.map(step => (price += step)))
        const decide = (given: readonly Bar[]): unknown =>
          emaCross.decide({ symbol: 'BTCUSDT', bars: given, position: { quantity }, orderNotional: '100' })
        expect(decide(bars.slice(-emaCross.historyBars))).toEqual(decide(bars))
      }),
    )
  })

  test('an entry follows from the bar and the configuration alone', () => {
    const bar = barsOf([64_000])[0]!
    const signal = { leg: 'entry', seq: 0, side: 'BUY', wish: { kind: 'quote', amount: '100' } } as const
    const at = (validUntilMs: number): object =>
      mintIntent(signal, { strategy: 'pulse', rules, bar, orderType: 'MARKET', validUntilMs })
    expect({ ...at(1), validUntilMs: 0 }).toEqual({ ...at(2), validUntilMs: 0 })
    expect(at(1)).toMatchObject({ quantity: '0.00156', price: '64000.00' })
  })
})
