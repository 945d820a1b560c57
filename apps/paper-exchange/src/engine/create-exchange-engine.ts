import { audit } from '../audit/audit.ts'
import { createFaultBook } from '../faults/fault-book.ts'
import type { MarketTrade, Bar } from '../market/bar.ts'
import { klineEvent } from '../market/bar.ts'
import { planMarket } from '../market/market-plan.ts'
import {
  bookTickerEvent,
  createMarket,
  findMarket,
  readAverage,
  readBookTicker,
  readDepth,
  readKlineEvent,
  readKlines,
  tradeEvent,
  type Market,
} from '../market/market.ts'
import { fillResting } from './action.ts'
import { createAccountDesk } from './account-desk.ts'
import type { Books } from './books.ts'
import type { Guard } from './guard.ts'
import { cancelOpenOrders, cancelOrder } from './cancel.ts'
import { HISTORY_END_MS, type EngineOptions, type ExchangeEngine, type MarketNotice } from './exchange-engine.ts'
import { createMarketDesk } from './market-desk.ts'
import { ExchangeOptionError } from './option-error.ts'
import { allOrders, getOrder, myTrades, openOrders, readAccount } from './reads.ts'
import { mapResult } from './result.ts'
import { refuseLate, submitOrder, testOrder } from './submit.ts'
import { describeSymbol } from './symbol.ts'

const DEFAULT_SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'BNBUSDT'] as const

/**
 * Creates the exchange without its sockets. The market starts at once, on the timeline.
 *
 * @throws {ExchangeOptionError} naming the option.
 */
export function createExchangeEngine(options: EngineOptions): ExchangeEngine {
  const { timeline, truth, seed } = options
  const books = createBooks(options)
  const faults = createFaultBook({ seed })
  const { market } = books
  market.start()

  /** Runs what is due first, so that a late real timer cannot let a request overtake a tick. */
  const after = <A extends unknown[], R>(call: (...given: A) => R): ((...given: A) => R) => {
    return (...given) => {
      timeline.runDue()
      return call(...given)
    }
  }

  return {
    timeline,
    truth,
    faults,
    symbols: market.symbols,
    ...createAccountDesk(books, after),
    submitOrder: after(request => submitOrder(books, request)),
    testOrder: after(request => testOrder(books, request)),
    refuseLate: after((request, error) => refuseLate(books, request, error)),
    cancelOrder: after(request => cancelOrder(books, request)),
    cancelOpenOrders: after(request => cancelOpenOrders(books, request)),
    getOrder: after(reference => getOrder(books, reference)),
    openOrders: after(query => openOrders(books, query)),
    allOrders: after(query => allOrders(books, query)),
    myTrades: after(query => myTrades(books, query)),
    account: after(query => readAccount(books, query)),
    hideOrder: (orderId, ms) => {
      const order = books.byOrderId.get(orderId)
      if (order !== undefined) order.hiddenUntilMs = Math.max(order.hiddenUntilMs, timeline.steadyMs() + ms)
    },
    ...marketReads(books, after),
    ...createMarketDesk(books, after),
    onUserEvent: listener => subscribe(books.userListeners, listener),
    onMarketEvent: listener => subscribe(books.marketListeners, listener),
    decideFault: (subject, context) => {
      const decision = faults.decide({ ...subject, sinceStartMs: timeline.steadyMs() })
      if (decision === undefined) return undefined
      truth.append({
        type: 'fault',
        account: subject.account ?? null,
        faultId: decision.fault.id,
        action: decision.fault.action.type,
        phase: decision.phase,
        requestSeq: context?.requestSeq ?? null,
        clientOrderId: subject.clientOrderId ?? null,
      })
      return decision
    },
    append: fact => truth.append(fact).seq,
    audit: after(claims => audit(truth.all(), claims)),
    stop: () => market.stop(),
  }
}

function marketReads(
  books: Books,
  after: Guard,
): Pick<
  ExchangeEngine,
  'symbolInfo' | 'klines' | 'klineEvent' | 'bookTicker' | 'bookTickerEvent' | 'depth' | 'avgPrice'
> {
  const { market, timeline } = books
  const find = (symbol: string): ReturnType<typeof findMarket> => findMarket(market, symbol)
  return {
    symbolInfo: after(symbol => {
      const found = market.get(symbol)
      return found && describeSymbol(found.spec, found.status)
    }),
    klines: after(query => mapResult(find(query.symbol), found => readKlines(found, query))),
    klineEvent: after(symbol => {
      const found = market.get(symbol)
      return found && readKlineEvent(found, timeline.nowMs())
    }),
    bookTicker: after(symbol => mapResult(find(symbol), readBookTicker)),
    bookTickerEvent: after(symbol => {
      const found = market.get(symbol)
      return found && bookTickerEvent(found)
    }),
    depth: after((symbol, limit = 100) => mapResult(find(symbol), found => readDepth(found, limit))),
    avgPrice: after(symbol => mapResult(find(symbol), found => readAverage(found, timeline.nowMs()))),
  }
}

function createBooks(options: EngineOptions): Books {
  const { timeline, truth, seed } = options
  const symbols = options.symbols ?? DEFAULT_SYMBOLS
  const barMs = options.barMs ?? 60_000
  const plans = planMarket({
    seed,
    symbols,
    candles: options.candles ?? {},
    barMs,
    historyEndMs: options.historyEndMs ?? (timeline.mode === 'manual' ? HISTORY_END_MS : undefined),
    nowMs: timeline.nowMs(),
    steadyMs: timeline.steadyMs(),
  })
  const holder: { books?: Books } = {}
  const market: Market = createMarket({ plans, timeline, barMs, seed, listener: listenTo(holder) })
  const books: Books = {
    timeline,
    truth,
    market,
    seed,
    readLagMs: whole('readLagMs', options.readLagMs ?? 0, 0, 86_400_000),
    limits: {
      tenSeconds: whole('orders10s', options.orders10s ?? 50, 1, 1_000_000_000),
      day: whole('orders1d', options.orders1d ?? 160_000, 1, 1_000_000_000),
    },
    accounts: new Map(),
    resting: new Map(symbols.map(symbol => [symbol, new Map()])),
    byOrderId: new Map(),
    ids: { order: 0, trade: 0, execution: 0 },
    userListeners: new Set(),
    marketListeners: new Set(),
  }
  holder.books = books
  return books
}

/** A tick first reaches the resting orders, then the streams. */
function listenTo(holder: { books?: Books }): Parameters<typeof createMarket>[0]['listener'] {
  const withBooks = (work: (books: Books) => void): void => {
    if (holder.books !== undefined) work(holder.books)
  }
  return {
    onTick: (symbol, trade) => withBooks(books => tellTick(books, symbol, trade)),
    onBar: (symbol, bar) => withBooks(books => tellBar(books, symbol, bar)),
    onEnd: symbol =>
      withBooks(books => books.truth.append({ type: 'market', account: null, symbol, action: 'end', detail: '' })),
  }
}

function tellTick(books: Books, symbol: string, trade: MarketTrade): void {
  fillResting(books, symbol, trade.price)
  const market = books.market.get(symbol)
  if (books.marketListeners.size === 0 || market === undefined) return
  publish(books, {
    type: 'tick',
    symbol,
    bookTicker: bookTickerEvent(market),
    trade: tradeEvent(symbol, trade, books.timeline.nowMs()),
  })
}

function tellBar(books: Books, symbol: string, bar: Bar): void {
  const { openTime, open, high, low, close, volume } = bar
  const detail = JSON.stringify([openTime, open, high, low, close, volume])
  books.truth.append({ type: 'market', account: null, symbol, action: 'bar', detail })
  if (books.marketListeners.size === 0) return
  publish(books, { type: 'bar', symbol, kline: klineEvent(symbol, bar, books.timeline.nowMs()) })
}

function publish(books: Books, notice: MarketNotice): void {
  for (const listener of books.marketListeners) listener(notice)
}

function subscribe<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

function whole(field: string, value: number, min: number, max: number): number {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value
  throw new ExchangeOptionError(field, `must be a whole number from ${min} to ${max}`)
}
