import { Big } from 'big.js'
import { describe, expect, test } from 'vitest'
import type { MarketNotice } from '../src/engine/exchange-engine.ts'
import { createTimeline } from '../src/engine/timeline.ts'
import { createBarGenerator } from '../src/market/bar-generator.ts'
import { ticksOf } from '../src/market/bar-ticks.ts'
import { HISTORY_BARS, type Candle } from '../src/market/candle.ts'
import type { KlineEvent, KlineRow } from '../src/market/payloads.ts'
import { money } from '../src/engine/money.ts'
import { symbolSpec, type SymbolSpec } from '../src/engine/symbol.ts'
import { createHarness, must, refusalOf, START_MS } from './engine-harness.ts'

const spec = symbolSpec('BTCUSDT') as SymbolSpec
const barsOf = (notices: readonly MarketNotice[], symbol: string): KlineEvent[] =>
  notices.flatMap(notice => (notice.type === 'bar' && notice.symbol === symbol ? [notice.kline] : []))
const rowOf = ({ k }: KlineEvent): KlineRow => [k.t, k.o, k.h, k.l, k.c, k.v, k.T, k.q, k.n, k.V, k.Q, '0']

function generate(seed: string, bars: number, symbol = 'BTCUSDT'): Candle[] {
  const next = createBarGenerator({ seed, spec: symbolSpec(symbol) as SymbolSpec, firstOpenMs: 0 })
  return Array.from({ length: bars }, () => next())
}

describe('bars [claim 12]', () => {
  test('closed bars of REST and of the stream are equal, and low <= open, close <= high', () => {
    const { engine, market, timeline } = createHarness({ barMs: 500 })
    timeline.advance(40 * 500)
    for (const symbol of engine.symbols) {
      const streamed = barsOf(market, symbol)
      const rows = must(engine.klines({ symbol, limit: 1000 })).slice(-41)
      expect(streamed).toHaveLength(40)
      expect(rows.slice(0, 40)).toEqual(streamed.map(rowOf))
      expect(streamed.every(({ k }) => k.x && k.n === 12 && k.L - k.f === 11)).toBe(true)
      for (const row of must(engine.klines({ symbol, limit: 1000 }))) {
        const [, open, high, low, close] = row.slice(0, 5).map(value => new Big(value)) as [Big, Big, Big, Big, Big]
        expect(low.lte(open) && low.lte(close) && high.gte(open) && high.gte(close)).toBe(true)
      }
    }
  })

  test('the running bar is the last row, and the pushed one before it closes is its beginning', () => {
    const { engine, timeline } = createHarness()
    timeline.advance(30_000)
    const pushed = engine.klineEvent('BTCUSDT') as KlineEvent
    const rows = must(engine.klines({ symbol: 'BTCUSDT', limit: 2 }))
    expect(rows.map(row => row[0])).toEqual([START_MS - 60_000, START_MS])
    expect(rows[1]).toEqual(rowOf(pushed))
    expect(pushed.k).toMatchObject({ x: false, n: 7, T: START_MS + 59_999 })
  })

  test('history ends at 1700000040000 on a manual clock and holds 1000 bars without a gap', () => {
    const { engine } = createHarness({ barMs: 500 })
    const rows = must(engine.klines({ symbol: 'ETHUSDT', limit: 1000, endTime: 1_700_000_040_000 }))
    expect(rows).toHaveLength(HISTORY_BARS)
    expect(rows.at(-1)?.[0]).toBe(1_700_000_040_000)
    expect(rows.every((row, index) => row[0] === (rows[0]?.[0] ?? 0) + index * 60_000)).toBe(true)
    expect(rows[0]?.[1]).toBe('3000.00000000')
  })

  test('on a real clock bars align to server time and the ticks already past have been played', () => {
    const nowMs = 1_800_000_000_000 + 40_000
    const timeline = createTimeline({ mode: 'real', readMs: () => nowMs })
    const { engine } = createHarness({ timeline })
    expect(must(engine.klines({ symbol: 'BTCUSDT', limit: 1 }))[0]?.[0]).toBe(1_800_000_000_000)
    expect(engine.klineEvent('BTCUSDT')?.k.n).toBe(9)
    expect(timeline.nextDelayMs()).toBe(5000)
  })

  test('market and book are equal for equal seeds whatever the clock does, and differ for others', () => {
    const run = (seed: string, steps: readonly number[]): unknown => {
      const { engine, market, timeline } = createHarness({ seed, barMs: 500 })
      for (const ms of steps) timeline.advance(ms)
      return [barsOf(market, 'BTCUSDT').map(rowOf), must(engine.depth('BTCUSDT'))]
    }
    const once = run('7', [10_000])
    expect(
      run(
        '7',
        Array.from({ length: 1000 }, () => 10),
      ),
    ).toEqual(once)
    expect(run('8', [10_000])).not.toEqual(once)
  })

  test('klines page from startTime, or give the newest', () => {
    const { engine } = createHarness()
    const opens = (query: object): number[] => must(engine.klines({ symbol: 'BTCUSDT', ...query })).map(row => row[0])
    const at = (bar: number): number => START_MS + bar * 60_000
    expect(opens({})).toHaveLength(500)
    expect(opens({ limit: 2 })).toEqual([at(-1), at(0)])
    expect(opens({ startTime: at(-5), limit: 2 })).toEqual([at(-5), at(-4)])
    expect(opens({ endTime: at(-5), limit: 2 })).toEqual([at(-6), at(-5)])
    expect(opens({ startTime: at(-3), endTime: at(-2) })).toEqual([at(-3), at(-2)])
  })
})

describe('ticks and book', () => {
  test('twelve ticks lie on straight lines through open, both extremes and close', () => {
    const candle = { openTime: 0, open: '100', high: '110', low: '96', close: '104', volume: '1' }
    const rising = ticksOf(candle, money('0.01')).map(tick => tick.toFixed())
    expect(rising.join(' ')).toBe('100 99 98 97 96 100.67 105.33 110 108.5 107 105.5 104')
    const falling = ticksOf({ ...candle, open: '104', close: '100' }, money('0.01')).map(tick => tick.toFixed())
    expect(falling.join(' ')).toBe('104 105.5 107 108.5 110 105.33 100.67 96 97 98 99 100')
  })

  test('the book has five levels a side, one price step of spread and about 20 BTC or its worth', () => {
    const { engine, timeline } = createHarness({ barMs: 12 })
    for (const [symbol, side] of [
      ['BTCUSDT', 20],
      ['ETHUSDT', 400],
      ['BNBUSDT', 2000],
    ] as const) {
      for (let tick = 0; tick < 20; tick++) {
        timeline.advance(1)
        const { bids, asks } = must(engine.depth(symbol))
        expect([bids.length, asks.length]).toEqual([5, 5])
        expect(new Big(asks[0]?.[0] ?? 0).minus(bids[0]?.[0] ?? 0).toFixed()).toBe('0.01')
        for (const levels of [bids, asks]) {
          const total = levels.reduce((sum, [, qty]) => sum + Number(qty), 0)
          expect(Math.abs(total / side - 1)).toBeLessThan(0.1)
        }
        const ticker = must(engine.bookTicker(symbol))
        expect([
          [ticker.bidPrice, ticker.bidQty],
          [ticker.askPrice, ticker.askQty],
        ]).toEqual([bids[0], asks[0]])
      }
    }
  })

  test('avgPrice is weighted over the last five bars', () => {
    const { engine, timeline } = createHarness({ barMs: 500 })
    timeline.advance(5000)
    const rows = must(engine.klines({ symbol: 'BTCUSDT', limit: 5 }))
    const total = (column: 5 | 7): Big => rows.reduce((sum, row) => sum.plus(row[column]), new Big(0))
    const expected = total(7).div(total(5)).toNumber()
    expect(Number(must(engine.avgPrice('BTCUSDT')).price)).toBeCloseTo(expected, 6)
  })
})

describe('generator', () => {
  test('minutes have sigma 0.0008 but for jumps of 1 to 3 % in about one of 500 and one fall of 15 % over 30 bars', () => {
    const seeds = Array.from({ length: 12 }, (_, seed) => String(seed))
    let [jumps, plain, squares] = [0, 0, 0]
    const falls: number[] = []
    for (const seed of seeds) {
      const returns = generate(seed, 2000).map(bar => Math.log(Number(bar.close) / Number(bar.open)))
      const sums = Array.from({ length: 900 }, (_, live) =>
        returns.slice(HISTORY_BARS + live, HISTORY_BARS + live + 30).reduce((sum, value) => sum + value, 0),
      )
      falls.push(sums.indexOf(Math.min(...sums)))
      expect(Math.min(...sums)).toBeLessThan(Math.log(0.9))
      for (const value of returns.slice(0, HISTORY_BARS)) {
        if (Math.abs(value) > 0.006) {
          jumps++
          expect(Math.abs(value)).toBeLessThan(0.035)
        } else {
          plain++
          squares += value * value
        }
      }
    }
    expect(Math.sqrt(squares / plain)).toBeCloseTo(0.0008, 4)
    expect(jumps).toBeGreaterThan(8)
    expect(jumps).toBeLessThan(48)
    expect(Math.min(...falls)).toBeGreaterThanOrEqual(230)
    expect(Math.max(...falls)).toBeLessThanOrEqual(730)
    expect(new Set(falls).size).toBeGreaterThan(6)
  })

  test('symbols start at 60000, 3000 and 600, every bar opens at the last close and lies on the price step', () => {
    for (const [symbol, start] of [
      ['BTCUSDT', '60000.00000000'],
      ['ETHUSDT', '3000.00000000'],
      ['BNBUSDT', '600.00000000'],
    ] as const) {
      const bars = generate('3', 300, symbol)
      expect(bars[0]?.open).toBe(start)
      for (const [index, bar] of bars.entries()) {
        if (index > 0) expect(bar.open).toBe(bars[index - 1]?.close)
        expect(bar.close).toMatch(/^\d+\.\d\d000000$/)
        expect(Number(bar.volume)).toBeGreaterThan(0)
      }
    }
    expect(spec.symbol).toBe('BTCUSDT')
  })
})

describe('levers', () => {
  test('bars closes n bars at once, gapless, and the next one starts now', () => {
    const { engine, market, timeline } = createHarness()
    timeline.advance(20_000)
    must(engine.closeBars(undefined, 3))
    const byTime = createHarness()
    byTime.timeline.advance(180_000)
    for (const symbol of engine.symbols) {
      expect(barsOf(market, symbol).map(rowOf)).toEqual(barsOf(byTime.market, symbol).map(rowOf))
    }
    const opens = must(engine.klines({ symbol: 'BTCUSDT', limit: 5 })).map(row => row[0])
    expect(opens).toEqual([-1, 0, 1, 2, 3].map(bar => START_MS + bar * 60_000))
    timeline.advance(59_999)
    expect(barsOf(market, 'BTCUSDT')).toHaveLength(3)
    timeline.advance(1)
    expect(barsOf(market, 'BTCUSDT')).toHaveLength(4)
  })

  test('a paused symbol stands still while others move, and goes on where it stood', () => {
    const { engine, market, timeline } = createHarness()
    timeline.advance(50_000)
    must(engine.setPaused('BTCUSDT', true))
    const still = must(engine.depth('BTCUSDT'))
    timeline.advance(600_000)
    expect(must(engine.depth('BTCUSDT'))).toEqual(still)
    expect([barsOf(market, 'BTCUSDT').length, barsOf(market, 'ETHUSDT').length]).toEqual([0, 10])
    must(engine.setPaused('BTCUSDT', false))
    timeline.advance(9999)
    expect(barsOf(market, 'BTCUSDT')).toHaveLength(0)
    timeline.advance(1)
    expect(barsOf(market, 'BTCUSDT')).toHaveLength(1)
  })

  test('bars closed while paused leave a whole bar to come', () => {
    const { engine, market, timeline } = createHarness()
    timeline.advance(50_000)
    must(engine.setPaused('BTCUSDT', true))
    timeline.advance(1000)
    must(engine.closeBars('BTCUSDT', 1))
    timeline.advance(1000)
    must(engine.setPaused('BTCUSDT', false))
    timeline.advance(59_999)
    expect(barsOf(market, 'BTCUSDT')).toHaveLength(1)
    timeline.advance(1)
    expect(barsOf(market, 'BTCUSDT')).toHaveLength(2)
  })

  test('a set price is a tick of its own, the bar reaches it and the feed goes on from there', () => {
    const { engine, market, timeline, best } = createHarness()
    must(engine.setPrice('BTCUSDT', '40000'))
    expect(best()).toEqual({ bid: '40000.00000000', ask: '40000.01000000' })
    timeline.advance(60_000)
    const { k } = barsOf(market, 'BTCUSDT')[0] as KlineEvent
    expect(k.n).toBe(13)
    expect(Math.abs(Number(k.c) / 40_000 - 1)).toBeLessThan(0.02)
    expect(rowOf(barsOf(market, 'BTCUSDT')[0] as KlineEvent)).toEqual(
      must(engine.klines({ symbol: 'BTCUSDT', limit: 2 }))[0],
    )
    for (const price of ['40000.001', '0', '-1', '1e5', '1000000.01']) {
      expect(refusalOf(engine.setPrice('BTCUSDT', price)).msg).toBe('Filter failure: PRICE_FILTER')
    }
    expect(refusalOf(engine.setPrice('NOPE', '1')).code).toBe(-1121)
  })

  test('levers are told to the truth log before what they cause', () => {
    const { engine } = createHarness()
    must(engine.setStatus('BTCUSDT', 'HALT'))
    must(engine.setPrice('BTCUSDT', '40000'))
    must(engine.setPaused('BTCUSDT', true))
    must(engine.closeBars('BTCUSDT', 1))
    must(engine.setPaused('BTCUSDT', false))
    const told = engine.truth.query({ type: 'market' }).entries
    expect(told.map(entry => entry.type === 'market' && entry.action)).toEqual([
      'status',
      'price',
      'pause',
      'bar',
      'resume',
    ])
  })

  test('a stopped engine leaves nothing on the timeline', () => {
    const { engine, timeline } = createHarness()
    expect(timeline.pending).toBe(3)
    engine.stop()
    expect(timeline.pending).toBe(0)
  })
})

describe('options', () => {
  test.each([
    [{ barMs: 11 }, 'barMs'],
    [{ barMs: 0.5 }, 'barMs'],
    [{ symbols: [] }, 'symbols'],
    [{ symbols: ['BTCUSDT', 'BTCUSDT'] }, 'symbols'],
    [{ symbols: ['BTCEUR'] }, 'symbols'],
    [{ readLagMs: -1 }, 'readLagMs'],
    [{ orders10s: 0 }, 'orders10s'],
    [{ candles: { DOGEUSDT: generate('1', 1) } }, 'candles'],
  ])('%j is refused and names %s', (options, field) => {
    expect(() => createHarness(options)).toThrow(expect.objectContaining({ code: 'ERR_PAPER_OPTIONS', field }))
  })

  test('another USDT pair is generated from 100', () => {
    const { engine } = createHarness({ symbols: ['DOGEUSDT'] })
    expect(must(engine.klines({ symbol: 'DOGEUSDT', limit: 1000 }))[0]?.[1]).not.toBe(undefined)
    expect(engine.symbolInfo('DOGEUSDT')?.baseAsset).toBe('DOGE')
  })
})
