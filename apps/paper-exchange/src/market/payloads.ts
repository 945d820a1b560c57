/** Row of GET klines: open time, o, h, l, c, volume, close time, quote volume, trades, taker base, taker quote, "0". */
export type KlineRow = readonly [
  number,
  string,
  string,
  string,
  string,
  string,
  number,
  string,
  number,
  string,
  string,
  string,
]

/** Payload of `<symbol>@kline_1m`. */
export interface KlineEvent {
  readonly e: 'kline'
  readonly E: number
  readonly s: string
  readonly k: {
    readonly t: number
    readonly T: number
    readonly s: string
    readonly i: '1m'
    readonly f: number
    readonly L: number
    readonly o: string
    readonly c: string
    readonly h: string
    readonly l: string
    readonly v: string
    readonly n: number
    readonly x: boolean
    readonly q: string
    readonly V: string
    readonly Q: string
    readonly B: string
  }
}

/** Payload of `<symbol>@bookTicker`. */
export interface BookTickerEvent {
  readonly u: number
  readonly s: string
  readonly b: string
  readonly B: string
  readonly a: string
  readonly A: string
}

/** Payload of `<symbol>@trade`. */
export interface TradeEvent {
  readonly e: 'trade'
  readonly E: number
  readonly s: string
  readonly t: number
  readonly p: string
  readonly q: string
  readonly T: number
  readonly m: boolean
  readonly M: boolean
}

/** Answer of GET ticker/bookTicker. */
export interface BookTicker {
  readonly symbol: string
  readonly bidPrice: string
  readonly bidQty: string
  readonly askPrice: string
  readonly askQty: string
}

/** Answer of GET depth. */
export interface Depth {
  readonly lastUpdateId: number
  readonly bids: readonly (readonly [string, string])[]
  readonly asks: readonly (readonly [string, string])[]
}

/** Answer of GET avgPrice. */
export interface AveragePrice {
  readonly mins: number
  readonly price: string
  readonly closeTime: number
}
