import { money, print, ZERO, type Money } from '../engine/money.ts'
import { refusal, success, type Result } from '../engine/result.ts'
import type { SymbolSpec, SymbolStatus } from '../engine/symbol.ts'
import type { Timeline } from '../engine/timeline.ts'
import { klineEvent, klineRow, type Bar, type MarketTrade } from './bar.ts'
import { bookAt, type Book } from './book.ts'
import { createFeed, type Feed } from './feed.ts'
import type { SymbolPlan } from './market-plan.ts'
import type { AveragePrice, BookTicker, BookTickerEvent, Depth, KlineEvent, KlineRow, TradeEvent } from './payloads.ts'

const AVERAGE_BARS = 5

export interface MarketListener {
  onTick(symbol: string, trade: MarketTrade): void
  onBar(symbol: string, bar: Bar): void
  onEnd(symbol: string): void
}

/** One symbol: its feed, its book, its status. */
export interface SymbolMarket {
  readonly spec: SymbolSpec
  readonly feed: Feed
  status: SymbolStatus
  book(): Book
  averagePrice(): Money
}

export interface Market {
  readonly symbols: readonly string[]
  get(symbol: string): SymbolMarket | undefined
  /** Plays what is due already and sets the first tasks. */
  start(): void
  stop(): void
}

export function createMarket(options: {
  plans: readonly SymbolPlan[]
  timeline: Timeline
  barMs: number
  seed: string
  listener: MarketListener
}): Market {
  const markets = new Map<string, SymbolMarket>()
  for (const plan of options.plans) markets.set(plan.spec.symbol, createSymbolMarket(plan, options))
  return {
    symbols: [...markets.keys()],
    get: symbol => markets.get(symbol),
    start: () => {
      for (const market of markets.values()) market.feed.start()
    },
    stop: () => {
      for (const market of markets.values()) market.feed.stop()
    },
  }
}

function createSymbolMarket(
  plan: SymbolPlan,
  options: { timeline: Timeline; barMs: number; seed: string; listener: MarketListener },
): SymbolMarket {
  const { spec } = plan
  const { listener } = options
  const feed = createFeed({
    ...plan,
    timeline: options.timeline,
    barMs: options.barMs,
    onTick: trade => listener.onTick(spec.symbol, trade),
    onBar: bar => listener.onBar(spec.symbol, bar),
    onEnd: () => listener.onEnd(spec.symbol),
  })
  let cached: { tick: number; book: Book } | undefined
  let average: { tick: number; price: Money } | undefined
  return {
    spec,
    feed,
    status: 'TRADING',
    book: () => {
      const tick = feed.tick()
      if (cached?.tick !== tick) cached = { tick, book: bookAt(spec, feed.price(), options.seed, tick) }
      return cached.book
    },
    averagePrice: () => {
      const tick = feed.tick()
      if (average?.tick !== tick) average = { tick, price: weighAverage(feed) }
      return average.price
    },
  }
}

/** Volume-weighted over the last five bars, the running one included; the last price if nothing was traded. */
function weighAverage(feed: Feed): Money {
  let [base, quote] = [ZERO, ZERO]
  const running = feed.running()
  const recent = feed.closed().slice(running === undefined ? -AVERAGE_BARS : 1 - AVERAGE_BARS)
  for (const bar of running === undefined ? recent : [...recent, running]) {
    base = base.plus(bar.baseVolume)
    quote = quote.plus(bar.quoteVolume)
  }
  return base.gt('0') ? money(print(quote.div(base))) : feed.price()
}

/** GET klines: the newest, or from `startTime` on; the running bar is last. */
export function readKlines(
  market: SymbolMarket,
  query: { limit?: number | undefined; startTime?: number | undefined; endTime?: number | undefined },
): KlineRow[] {
  const running = market.feed.running()
  const bars = running === undefined ? market.feed.closed() : [...market.feed.closed(), running]
  const from = query.startTime ?? -Infinity
  const until = query.endTime ?? Infinity
  const inside = bars.filter(bar => bar.openTime >= from && bar.openTime <= until)
  const limit = Math.min(1000, query.limit ?? 500)
  const rows = query.startTime === undefined ? inside.slice(-limit) : inside.slice(0, limit)
  return rows.map(klineRow)
}

export function readKlineEvent(market: SymbolMarket, nowMs: number): KlineEvent | undefined {
  const bar = market.feed.running() ?? market.feed.closed().at(-1)
  return bar && klineEvent(market.spec.symbol, bar, nowMs)
}

export function readBookTicker(market: SymbolMarket): BookTicker {
  const { bids, asks } = market.book()
  const [bid, ask] = [bids[0], asks[0]]
  return {
    symbol: market.spec.symbol,
    bidPrice: print(bid?.price ?? ZERO),
    bidQty: print(bid?.qty ?? ZERO),
    askPrice: print(ask?.price ?? ZERO),
    askQty: print(ask?.qty ?? ZERO),
  }
}

export function bookTickerEvent(market: SymbolMarket): BookTickerEvent {
  const ticker = readBookTicker(market)
  return {
    u: market.feed.tick() + 1,
    s: ticker.symbol,
    b: ticker.bidPrice,
    B: ticker.bidQty,
    a: ticker.askPrice,
    A: ticker.askQty,
  }
}

export function tradeEvent(symbol: string, trade: MarketTrade, nowMs: number): TradeEvent {
  return {
    e: 'trade',
    E: nowMs,
    s: symbol,
    t: trade.id,
    p: print(trade.price),
    q: print(trade.qty),
    T: nowMs,
    m: trade.buyerIsMaker,
    M: true,
  }
}

export function readDepth(market: SymbolMarket, limit: number): Depth {
  const { bids, asks } = market.book()
  const side = (levels: Book['bids']): (readonly [string, string])[] =>
    levels.slice(0, limit).map(level => [print(level.price), print(level.qty)] as const)
  return { lastUpdateId: market.feed.tick() + 1, bids: side(bids), asks: side(asks) }
}

export function readAverage(market: SymbolMarket, nowMs: number): AveragePrice {
  return { mins: AVERAGE_BARS, price: print(market.averagePrice()), closeTime: nowMs }
}

/** The market of a symbol, or -1121. */
export function findMarket(market: Market, symbol: string): Result<SymbolMarket> {
  const found = market.get(symbol)
  return found === undefined ? refusal(-1121, 'Invalid symbol.') : success(found)
}
