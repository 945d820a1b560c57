import { describe, expect, test } from 'vitest'
import { CandleFileError, parseCandles } from '../src/market/candle-file.ts'
import type { Candle } from '../src/market/candle.ts'
import { createHarness, must, START_MS } from './engine-harness.ts'

const FIRST_MS = 1_735_689_600_000
const row = (index: number, unit = 1): (number | string)[] => {
  const openMs = FIRST_MS + index * 60_000
  const open = 100 + index
  const prices = [open, open + 2, open - 2, open + 1].map(price => price.toFixed(2))
  return [openMs * unit, ...prices, '12.5', (openMs + 59_999) * unit, '1250.0', 12, '6.25', '625.0', '0']
}
const rows = (count: number, unit = 1): (number | string)[][] =>
  Array.from({ length: count }, (_, index) => row(index, unit))
const csv = (lines: readonly (readonly (number | string)[])[]): string => lines.map(line => line.join(',')).join('\n')
const objects = (count: number): object[] =>
  rows(count).map(([openTime, open, high, low, close, volume]) => ({
    openTime,
    open,
    high,
    low,
    close,
    volume: Number(volume),
  }))

const bad = (text: string): CandleFileError => {
  try {
    parseCandles(text)
  } catch (error) {
    if (error instanceof CandleFileError) return error
    throw error
  }
  throw new Error('was read')
}

describe('candle files [claim 17]', () => {
  test('CSV in ms, CSV in us, JSON rows and JSON objects give equal bars', () => {
    const expected = parseCandles(csv(rows(5)))
    expect(expected).toHaveLength(5)
    expect(expected[1]).toEqual({
      openTime: FIRST_MS + 60_000,
      open: '101.00000000',
      high: '103.00000000',
      low: '99.00000000',
      close: '102.00000000',
      volume: '12.50000000',
    })
    const header = 'open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_base,taker_quote,ignore'
    for (const text of [
      csv(rows(5, 1000)),
      `${header}\r\n${csv(rows(5)).replaceAll('\n', '\r\n')}\r\n\r\n`,
      `\uFEFF${csv(rows(5))}`,
      JSON.stringify(rows(5)),
      JSON.stringify(rows(5, 1000), null, 2),
      JSON.stringify(objects(5)),
      JSON.stringify(objects(5), null, 2),
    ]) {
      expect(parseCandles(text)).toEqual(expected)
    }
  })

  test('the same file in every form plays the same market', () => {
    const play = (text: string): unknown => {
      const { engine, timeline } = createHarness({ candles: { BTCUSDT: parseCandles(text) }, barMs: 500 })
      timeline.advance(2000)
      return must(engine.klines({ symbol: 'BTCUSDT', limit: 1000 }))
    }
    const expected = play(csv(rows(1005)))
    expect(play(csv(rows(1005, 1000)))).toEqual(expected)
    expect(play(JSON.stringify(objects(1005)))).toEqual(expected)
  })

  const cut = (index: number, change: (line: (number | string)[]) => void): (number | string)[][] => {
    const lines = rows(5)
    change(lines[index] as (number | string)[])
    return lines
  }
  test.each<[string, string, number, RegExp]>([
    ['a gap in CSV', csv(rows(5).toSpliced(2, 1)), 3, /after 1735689660000 comes 1735689720000/],
    ['a bar twice', csv([...rows(2), ...rows(1)]), 3, /opens at/],
    ['a missing column', csv(cut(3, line => line.pop())), 4, /has 11 columns/],
    ['a word for a price', csv(cut(1, line => line.splice(2, 1, 'high'))), 2, /high must be a decimal/],
    ['an exponent', csv(cut(1, line => line.splice(5, 1, '1e3'))), 2, /volume must be a decimal/],
    ['a negative volume', csv(cut(4, line => line.splice(5, 1, '-1'))), 5, /volume must be a decimal/],
    ['an open above the high', csv(cut(2, line => line.splice(1, 1, '999'))), 3, /open lies outside/],
    ['a time within a minute', csv(cut(0, line => line.splice(0, 1, FIRST_MS + 1))), 1, /not a whole minute/],
    ['a time in seconds', csv(cut(0, line => line.splice(0, 1, FIRST_MS / 1000))), 1, /ms or us/],
    ['a gap in JSON', JSON.stringify(rows(5).toSpliced(2, 1), null, 0).replaceAll('],[', '],\n['), 3, /opens at/],
    [
      'a field missing in JSON',
      `[\n${objects(1)
        .map(one => JSON.stringify({ ...one, low: undefined }))
        .join()}\n]`,
      2,
      /low must/,
    ],
    ['a short JSON row', '[\n\n[1, 2]]', 3, /has 2 columns/],
    ['a JSON value that is no bar', '[\n7]', 2, /neither a row of 12 nor an object/],
    ['broken JSON', `[\n${JSON.stringify(row(0))},\n{"openTime": }]`, 3, /no JSON value/],
    ['JSON that does not end', `[\n${JSON.stringify(row(0))},\n`, 3, /does not end|neither/],
    ['an empty file', '', 1, /no bar/],
    ['an empty array', '[]', 1, /no bar/],
    ['text', 'hello', 1, /no bar|columns/],
  ])('%s names the line', (_, text, line, message) => {
    const error = bad(text)
    expect(error.message).toMatch(message)
    expect(error.message).toContain(`line ${line}: `)
    expect(error).toMatchObject({ line, code: 'ERR_PAPER_CANDLES' })
  })

  test('brackets, quotes and commas inside JSON strings do not move the line', () => {
    const text = `[\n${JSON.stringify({ ...objects(1)[0], note: 'a ], [ "b\\" {' })},\n7]`
    expect(bad(text)).toMatchObject({ line: 3 })
  })
})

describe('trading on a file', () => {
  const file = (count: number): Candle[] => parseCandles(csv(rows(count)))

  test('1000 rows are history, row 1001 trades first, the feed stops with a market entry at the end', () => {
    const { engine, market, timeline } = createHarness({ candles: { BTCUSDT: file(1003) }, barMs: 500 })
    const running = must(engine.klines({ symbol: 'BTCUSDT', limit: 1 }))
    expect(running[0]?.[0]).toBe(FIRST_MS + 1000 * 60_000)
    timeline.advance(10_000)
    const closed = market.filter(notice => notice.type === 'bar' && notice.symbol === 'BTCUSDT')
    expect(closed).toHaveLength(3)
    const ends = engine.truth
      .query({ type: 'market' })
      .entries.filter(entry => entry.type === 'market' && entry.action === 'end')
    expect(ends.map(entry => [entry.type === 'market' && entry.symbol, entry.atMs])).toEqual([
      ['BTCUSDT', START_MS + 1500],
      ['ETHUSDT', START_MS + 1500],
      ['BNBUSDT', START_MS + 1500],
    ])
    expect(timeline.pending).toBe(0)
    expect(engine.klineEvent('BTCUSDT')?.k).toMatchObject({ x: true, t: FIRST_MS + 1002 * 60_000 })
  })

  test('symbols without a file keep the generator on the bar times of the file', () => {
    const { engine } = createHarness({ candles: { BTCUSDT: file(1003) }, barMs: 500 })
    const opens = (symbol: string): number[] => must(engine.klines({ symbol, limit: 1000 })).map(one => one[0])
    expect(opens('ETHUSDT')).toEqual(opens('BTCUSDT'))
    const withoutFile = createHarness({ barMs: 500 })
    const closes = (harness: typeof withoutFile): string[] =>
      must(harness.engine.klines({ symbol: 'ETHUSDT', limit: 1000 })).map(one => one[4])
    expect(closes(createHarness({ candles: { BTCUSDT: file(1003) }, barMs: 500 }))).toEqual(closes(withoutFile))
  })

  test('after the end orders meet the last book and nothing rests for ever wrongly', () => {
    const { accepted, engine, timeline, best } = createHarness({ candles: { BTCUSDT: file(4) }, symbols: ['BTCUSDT'] })
    expect(engine.truth.query({ type: 'market' }).entries).toMatchObject([{ action: 'end' }])
    expect(best().bid).toBe('104.00000000')
    expect(accepted({ type: 'MARKET', quantity: '1' }).answer).toMatchObject({ status: 'FILLED' })
    accepted({ newClientOrderId: 'low', price: '100', quantity: '1' })
    timeline.advance(10_000_000)
    expect(must(engine.openOrders({ account: 'demo' }))).toHaveLength(1)
    must(engine.setPrice('BTCUSDT', '99.5'))
    expect(must(engine.openOrders({ account: 'demo' }))).toHaveLength(0)
    expect(engine.closeBars(undefined, 1).ok).toBe(false)
  })

  test('files that open at different minutes are refused', () => {
    const candles = { BTCUSDT: file(3), ETHUSDT: file(3).slice(1) }
    expect(() => createHarness({ candles })).toThrow(expect.objectContaining({ field: 'candles' }))
  })
})
