/** `myTrades` row, and the body of a `fill` entry. All amounts are decimal strings with 8 places. */
export interface TradeRow {
  readonly symbol: string
  readonly id: number
  readonly orderId: number
  readonly orderListId: -1
  readonly price: string
  readonly qty: string
  readonly quoteQty: string
  readonly commission: string
  readonly commissionAsset: string
  readonly time: number
  readonly isBuyer: boolean
  readonly isMaker: boolean
  readonly isBestMatch: boolean
}

/** What happened, before the log numbers and stamps it. `account` is `null` where the fact concerns no account. */
export type TruthFact =
  | {
      readonly type: 'request'
      readonly account: string | null
      readonly method: string
      readonly path: string
      readonly clientOrderId: string | null
      readonly signedAtMs: number | null
      /** More than 250 ms after a 429 or 418 was sent to this source, while its Retry-After still ran. */
      readonly duringRetryAfter: boolean
    }
  | {
      readonly type: 'answer'
      readonly account: string | null
      readonly requestSeq: number
      readonly status: number
      readonly code: number | null
      readonly sent: 'full' | 'cut' | 'none'
      readonly faultId: string | null
    }
  | {
      readonly type: 'accepted'
      readonly account: string
      readonly orderId: number
      readonly clientOrderId: string
      readonly symbol: string
      readonly side: 'BUY' | 'SELL'
      /** Order type, e.g. LIMIT. */
      readonly kind: string
      readonly qty: string
      readonly price: string
      readonly signedAtMs: number | null
    }
  | {
      readonly type: 'rejected'
      readonly account: string
      readonly clientOrderId: string | null
      readonly symbol: string
      readonly side: string
      readonly kind: string
      readonly code: number
      readonly msg: string
      readonly signedAtMs: number | null
    }
  | ({ readonly type: 'fill'; readonly account: string } & TradeRow)
  | {
      readonly type: 'canceled'
      readonly account: string
      readonly orderId: number
      readonly clientOrderId: string
      readonly cancelId: string
      readonly symbol: string
    }
  | {
      readonly type: 'expired'
      readonly account: string
      readonly orderId: number
      readonly clientOrderId: string
      readonly symbol: string
    }
  | {
      readonly type: 'event'
      readonly account: string
      readonly event: 'executionReport'
      readonly orderId: number
      readonly clientOrderId: string
      /** Execution type: NEW, TRADE, CANCELED, EXPIRED. */
      readonly execution: string
      readonly status: string
    }
  | {
      readonly type: 'event'
      readonly account: string
      readonly event: 'outboundAccountPosition'
      readonly balances: Readonly<Record<string, BalanceRow>>
    }
  | {
      readonly type: 'fault'
      readonly account: string | null
      readonly faultId: string
      readonly action: string
      readonly phase: string
      readonly requestSeq: number | null
      readonly clientOrderId: string | null
    }
  | {
      readonly type: 'market'
      readonly account: null
      readonly symbol: string
      readonly action: 'bar' | 'status' | 'price' | 'pause' | 'resume' | 'end'
      /** The bar's `[openTime, open, high, low, close, volume]`, the new status or price. */
      readonly detail: string
    }
  | {
      readonly type: 'clock'
      readonly account: null
      readonly mode: 'real' | 'manual'
      readonly advanceMs: number
      readonly skewMs: number
    }
  | {
      readonly type: 'wipe'
      readonly account: string
      readonly reason: 'opened' | 'wiped'
      /** The fresh balances, asset to amount. */
      readonly balances: Readonly<Record<string, string>>
    }

export interface BalanceRow {
  readonly free: string
  readonly locked: string
}

export type TruthType = TruthFact['type']

/** One numbered line of the truth log. `seq` starts at 1 and has no gap; `atMs` is server time. */
export type TruthEntry = { readonly seq: number; readonly atMs: number } & TruthFact

export interface TruthQuery {
  readonly account?: string | undefined
  readonly type?: TruthType | undefined
  /** Only entries with a larger `seq`. @default 0 */
  readonly after?: number | undefined
  /** 1..10000. @default 1000 */
  readonly limit?: number | undefined
}

/** `next` is the `after` of the following page, or `null` at the end of the log. */
export interface TruthPage {
  readonly entries: readonly TruthEntry[]
  readonly next: number | null
}

/** Append-only: nothing in it is ever changed or removed. */
export interface TruthLog {
  /** Stamps server time, numbers, stores, hands the line to the sink; returns the entry. */
  append(fact: TruthFact): TruthEntry
  query(query?: TruthQuery): TruthPage
  /** Every entry, oldest first. A live view: do not keep across appends. */
  all(): readonly TruthEntry[]
  readonly lastSeq: number
}
