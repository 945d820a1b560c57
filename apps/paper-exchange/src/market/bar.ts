import { money, print, ZERO, type Money } from '../engine/money.ts'
import { MINUTE_MS, type Candle } from './candle.ts'
import type { KlineEvent, KlineRow } from './payloads.ts'

/** A bar as the exchange publishes it, closed or running. */
export interface Bar extends Candle {
  readonly quoteVolume: Money
  readonly baseVolume: Money
  readonly trades: number
  readonly takerBase: Money
  readonly takerQuote: Money
  readonly firstTradeId: number
  readonly lastTradeId: number
  readonly closed: boolean
}

/** A print of the market's own trade; accounts' fills are not among them. */
export interface MarketTrade {
  readonly id: number
  readonly price: Money
  readonly qty: Money
  /** The price went down or stood: the buyer was the maker. */
  readonly buyerIsMaker: boolean
}

/** Adds ticks up to a bar. */
export interface BarBuilder {
  add(trade: MarketTrade): void
  snapshot(closed: boolean): Bar
}

export function createBarBuilder(openTime: number): BarBuilder {
  const trades = { count: 0, first: 0, last: 0 }
  let [open, high, low, close] = [ZERO, ZERO, ZERO, ZERO]
  let [base, quote, takerBase, takerQuote] = [ZERO, ZERO, ZERO, ZERO]

  return {
    add: trade => {
      const worth = trade.price.times(trade.qty)
      if (trades.count === 0) {
        open = high = low = trade.price
        trades.first = trade.id
      }
      if (trade.price.gt(high)) high = trade.price
      if (trade.price.lt(low)) low = trade.price
      close = trade.price
      base = base.plus(trade.qty)
      quote = quote.plus(worth)
      if (!trade.buyerIsMaker) {
        takerBase = takerBase.plus(trade.qty)
        takerQuote = takerQuote.plus(worth)
      }
      trades.count++
      trades.last = trade.id
    },
    snapshot: closed => ({
      openTime,
      open: print(open),
      high: print(high),
      low: print(low),
      close: print(close),
      volume: print(base),
      baseVolume: base,
      quoteVolume: quote,
      trades: trades.count,
      takerBase,
      takerQuote,
      firstTradeId: trades.first,
      lastTradeId: trades.last,
      closed,
    }),
  }
}

/**
 * A bar of the history, which was never ticked: its worth is volume times the mean of its four prices, half of it bought. Worked out
 * when first read, for most of a thousand bars never are.
 */
export function historyBar(candle: Candle, firstTradeId: number, trades: number): Bar {
  const { openTime, open, high, low, close, volume } = candle
  let base: Money | undefined
  let quote: Money | undefined
  const baseVolume = (): Money => (base ??= money(volume))
  const quoteVolume = (): Money => {
    const mean = (): Money => money(open).plus(high).plus(low).plus(close).div('4')
    return (quote ??= money(print(mean().times(baseVolume()))))
  }
  return {
    openTime,
    open,
    high,
    low,
    close,
    volume,
    get baseVolume() {
      return baseVolume()
    },
    get quoteVolume() {
      return quoteVolume()
    },
    trades,
    get takerBase() {
      return baseVolume().div('2')
    },
    get takerQuote() {
      return quoteVolume().div('2')
    },
    firstTradeId,
    lastTradeId: firstTradeId + trades - 1,
    closed: true,
  }
}

export function klineRow(bar: Bar): KlineRow {
  return [
    bar.openTime,
    bar.open,
    bar.high,
    bar.low,
    bar.close,
    bar.volume,
    bar.openTime + MINUTE_MS - 1,
    print(bar.quoteVolume),
    bar.trades,
    print(bar.takerBase),
    print(bar.takerQuote),
    '0',
  ]
}

export function klineEvent(symbol: string, bar: Bar, nowMs: number): KlineEvent {
  return {
    e: 'kline',
    E: nowMs,
    s: symbol,
    k: {
      t: bar.openTime,
      T: bar.openTime + MINUTE_MS - 1,
      s: symbol,
      i: '1m',
      f: bar.firstTradeId,
      L: bar.lastTradeId,
      o: bar.open,
      c: bar.close,
      h: bar.high,
      l: bar.low,
      v: bar.volume,
      n: bar.trades,
      x: bar.closed,
      q: print(bar.quoteVolume),
      V: print(bar.takerBase),
      Q: print(bar.takerQuote),
      B: '0',
    },
  }
}
