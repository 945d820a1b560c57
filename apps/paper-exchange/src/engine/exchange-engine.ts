import type { AuditClaims } from '../audit/claims.ts'
import type { AuditReport } from '../audit/report.ts'
import type { FaultBook, FaultDecision, FaultSubject } from '../faults/fault-book.ts'
import type { Candle } from '../market/candle.ts'
import type {
  AveragePrice,
  BookTicker,
  BookTickerEvent,
  Depth,
  KlineEvent,
  KlineRow,
  TradeEvent,
} from '../market/payloads.ts'
import type { BalanceRow, TradeRow, TruthFact, TruthLog } from '../truth/entry.ts'
import type { AccountAnswer, CancelReport, OrderCountLimit, OrderReport } from './order-answers.ts'
import type { Result } from './result.ts'
import type { SymbolInfo, SymbolStatus } from './symbol.ts'
import type { Timeline } from './timeline.ts'
import type { UserEvent } from './user-events.ts'

/** Where history ends when equal seeds must give equal ids: 2023-11-14T22:14:00Z. A manual clock starts one minute later. */
export const HISTORY_END_MS = 1_700_000_040_000

export type OrderSide = 'BUY' | 'SELL'
export type OrderType = 'LIMIT' | 'MARKET' | 'LIMIT_MAKER'
export type TimeInForce = 'GTC' | 'IOC' | 'FOK'
export type OrderResponseType = 'ACK' | 'RESULT' | 'FULL'

export interface EngineOptions {
  /** Decides market, book, fault shares and generated ids. */
  readonly seed: string
  readonly timeline: Timeline
  readonly truth: TruthLog
  /** @default ['BTCUSDT', 'ETHUSDT', 'BNBUSDT'] */
  readonly symbols?: readonly string[] | undefined
  /** Symbol to bars. The first 1000 are history, trading starts at the next. All files start at the same minute. */
  readonly candles?: Readonly<Record<string, readonly Candle[]>> | undefined
  /** Server milliseconds a one-minute bar lasts. 12..86400000. @default 60000 */
  readonly barMs?: number | undefined
  /**
   * Market time at which the last bar of history opens; the first live bar then starts at once. Without it bars align to server time.
   * `candles` bring their own times. @default {@link HISTORY_END_MS} on a manual clock
   */
  readonly historyEndMs?: number | undefined
  /** @default 50 */
  readonly orders10s?: number | undefined
  /** @default 160000 */
  readonly orders1d?: number | undefined
  /** How old the books are that the five reads show, ms. @default 0 */
  readonly readLagMs?: number | undefined
}

/** Parameters have passed the syntax checks of section 4.4; amounts are plain decimal strings with at most 8 places. */
export interface OrderRequest {
  readonly account: string
  readonly symbol: string
  readonly side: OrderSide
  readonly type: OrderType
  /** LIMIT only. @default 'GTC' */
  readonly timeInForce?: TimeInForce | undefined
  readonly quantity?: string | undefined
  /** MARKET only, instead of `quantity`. */
  readonly quoteOrderQty?: string | undefined
  readonly price?: string | undefined
  /** @default generated */
  readonly newClientOrderId?: string | undefined
  readonly selfTradePreventionMode?: string | undefined
  readonly strategyId?: number | undefined
  readonly strategyType?: number | undefined
  /** @default FULL for LIMIT and MARKET, else ACK */
  readonly newOrderRespType?: OrderResponseType | undefined
  /** The request's timestamp in ms; goes to the truth log. */
  readonly signedAtMs?: number | undefined
}

export interface SubmittedOrder {
  readonly orderId: number
  readonly clientOrderId: string
  /** Body of the 200 answer in the asked response type. */
  readonly answer: Readonly<Record<string, unknown>>
  /** For `X-MBX-ORDER-COUNT-10S` and `-1D`. */
  readonly orderCount: OrderCount
}

export interface OrderCount {
  readonly tenSeconds: number
  readonly day: number
}

export interface OrderReference {
  readonly account: string
  readonly symbol: string
  readonly orderId?: number | undefined
  readonly origClientOrderId?: string | undefined
}

export interface CancelRequest extends OrderReference {
  /** @default generated */
  readonly newClientOrderId?: string | undefined
  readonly cancelRestrictions?: 'ONLY_NEW' | 'ONLY_PARTIALLY_FILLED' | undefined
}

export interface AllOrdersQuery {
  readonly account: string
  readonly symbol: string
  readonly orderId?: number | undefined
  readonly startTime?: number | undefined
  readonly endTime?: number | undefined
  /** 1..1000. @default 500 */
  readonly limit?: number | undefined
}

export interface TradesQuery extends AllOrdersQuery {
  readonly fromId?: number | undefined
}

export interface KlinesQuery {
  readonly symbol: string
  /** 1..1000. @default 500 */
  readonly limit?: number | undefined
  readonly startTime?: number | undefined
  readonly endTime?: number | undefined
}

/** Something for a user stream. Sent to all of the account's subscriptions; decide its fault once, before the fan-out. */
export interface UserNotice {
  readonly type: 'user'
  readonly account: string
  readonly symbol: string | undefined
  readonly side: OrderSide | undefined
  /** The order's own id (`C` on a cancel, else `c`). */
  readonly clientOrderId: string | undefined
  readonly event: UserEvent
}

/** Something for the market streams. */
export type MarketNotice =
  | {
      readonly type: 'tick'
      readonly symbol: string
      readonly bookTicker: BookTickerEvent
      readonly trade: TradeEvent
    }
  | { readonly type: 'bar'; readonly symbol: string; readonly kline: KlineEvent }

export interface AccountState {
  readonly balances: Readonly<Record<string, BalanceRow>>
  readonly openOrders: readonly OrderReport[]
  readonly orderCount: OrderCount
}

/**
 * The books, the market, the truth and the judge, without sockets. Synchronous; every call first runs what is due on the timeline.
 * Refusals are values; an exception is a defect of the exchange.
 */
export interface ExchangeEngine {
  readonly timeline: Timeline
  readonly truth: TruthLog
  readonly faults: FaultBook
  readonly symbols: readonly string[]

  /** Opens an account and logs a `wipe` entry with its balances. Refuses a used or malformed name and negative amounts. */
  addAccount(account: { name: string; balances: Readonly<Record<string, string>> }): Result<{ name: string }>
  accounts(): readonly string[]
  /** Fresh balances, no orders, no trades; ids keep counting. */
  wipe(account: string): Result<{ account: string }>

  /** Sections 4.7 to 4.9: filters, state, budget, engine; logs accepted or rejected, fills, expiry, and sends the events. */
  submitOrder(request: OrderRequest): Result<SubmittedOrder>
  /** order/test: symbol and filters only; changes nothing. */
  testOrder(request: OrderRequest): Result<Record<string, never>>
  /** A POST order whose second time test failed adds 1 to the budget; logs `rejected` with -1021. */
  refuseLate(request: OrderRequest, error: { code: number; msg: string }): OrderCount
  cancelOrder(request: CancelRequest): Result<CancelReport>
  /** -2011 when nothing is open. */
  cancelOpenOrders(request: { account: string; symbol: string }): Result<readonly CancelReport[]>

  /** The five reads show the books of `readLagMs` ago, without orders under `hideOrder`. -2013, -2039. */
  getOrder(reference: OrderReference): Result<OrderReport>
  openOrders(query: { account: string; symbol?: string | undefined }): Result<readonly OrderReport[]>
  /** -1127 over 24 h between the times. */
  allOrders(query: AllOrdersQuery): Result<readonly OrderReport[]>
  /** -1127, and -1128 for an undocumented combination. */
  myTrades(query: TradesQuery): Result<readonly TradeRow[]>
  account(query: { account: string; omitZeroBalances?: boolean | undefined }): Result<AccountAnswer>
  rateLimitOrder(account: string): Result<readonly OrderCountLimit[]>
  orderCount(account: string): OrderCount
  /** Reads do not see this order for `ms`. Balances are not hidden. */
  hideOrder(orderId: number, ms: number): void

  symbolInfo(symbol: string): SymbolInfo | undefined
  klines(query: KlinesQuery): Result<readonly KlineRow[]>
  /** The running bar, or the last closed one (`x: true`) once the feed has stopped; for the two-second kline push. */
  klineEvent(symbol: string): KlineEvent | undefined
  bookTicker(symbol: string): Result<BookTicker>
  bookTickerEvent(symbol: string): BookTickerEvent | undefined
  /** `limit` 1..5000, five levels exist. @default 100 */
  depth(symbol: string, limit?: number): Result<Depth>
  avgPrice(symbol: string): Result<AveragePrice>

  /** Without a symbol: all of them. */
  setStatus(symbol: string | undefined, status: SymbolStatus): Result<{ symbols: readonly string[] }>
  /** The market jumps there in a tick of its own and the feed goes on from there, scaled. -1013 off the price step. */
  setPrice(symbol: string, price: string): Result<{ symbols: readonly string[] }>
  setPaused(symbol: string | undefined, paused: boolean): Result<{ symbols: readonly string[] }>
  /** Plays the rest of the running bar and `bars` - 1 further ones at once. 1..10000. Works while paused. */
  closeBars(symbol: string | undefined, bars: number): Result<{ symbols: readonly string[] }>

  /** Synchronous, in order, inside the engine's action; a listener must only queue. */
  onUserEvent(listener: (notice: UserNotice) => void): () => void
  onMarketEvent(listener: (notice: MarketNotice) => void): () => void

  /** Counts, decides, and logs a `fault` entry when one acts. */
  decideFault(
    subject: Omit<FaultSubject, 'sinceStartMs'>,
    context?: { requestSeq?: number | undefined },
  ): FaultDecision | undefined
  append(fact: TruthFact): number
  state(account: string): Result<AccountState>
  audit(claims: AuditClaims): AuditReport
  /** Cancels the market's tasks on the timeline. */
  stop(): void
}
