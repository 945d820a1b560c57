/** Answer of GET order, and row of openOrders and allOrders. */
export interface OrderReport {
  readonly symbol: string
  readonly orderId: number
  readonly orderListId: -1
  readonly clientOrderId: string
  readonly price: string
  readonly origQty: string
  readonly executedQty: string
  readonly cummulativeQuoteQty: string
  readonly status: OrderStatus
  readonly timeInForce: string
  readonly type: string
  readonly side: 'BUY' | 'SELL'
  readonly stopPrice: string
  readonly icebergQty: string
  readonly time: number
  readonly updateTime: number
  readonly isWorking: boolean
  readonly workingTime: number
  readonly origQuoteOrderQty: string
  readonly selfTradePreventionMode: string
  readonly strategyId?: number
  readonly strategyType?: number
}

export type OrderStatus = 'NEW' | 'PARTIALLY_FILLED' | 'FILLED' | 'CANCELED' | 'EXPIRED'

/** Answer of DELETE order, and row of DELETE openOrders. */
export interface CancelReport {
  readonly symbol: string
  readonly origClientOrderId: string
  readonly orderId: number
  readonly orderListId: -1
  readonly clientOrderId: string
  readonly transactTime: number
  readonly price: string
  readonly origQty: string
  readonly executedQty: string
  readonly origQuoteOrderQty: string
  readonly cummulativeQuoteQty: string
  readonly status: OrderStatus
  readonly timeInForce: string
  readonly type: string
  readonly side: 'BUY' | 'SELL'
  readonly selfTradePreventionMode: string
  readonly strategyId?: number
  readonly strategyType?: number
}

/** Answer of GET account. */
export interface AccountAnswer {
  readonly makerCommission: number
  readonly takerCommission: number
  readonly buyerCommission: number
  readonly sellerCommission: number
  readonly commissionRates: {
    readonly maker: string
    readonly taker: string
    readonly buyer: string
    readonly seller: string
  }
  readonly canTrade: boolean
  readonly canWithdraw: boolean
  readonly canDeposit: boolean
  readonly brokered: boolean
  readonly requireSelfTradePrevention: boolean
  readonly preventSor: boolean
  readonly updateTime: number
  readonly accountType: 'SPOT'
  readonly balances: readonly { readonly asset: string; readonly free: string; readonly locked: string }[]
  readonly permissions: readonly string[]
  readonly uid: number
}

/** Row of GET rateLimit/order. */
export interface OrderCountLimit {
  readonly rateLimitType: 'ORDERS'
  readonly interval: 'SECOND' | 'DAY'
  readonly intervalNum: number
  readonly limit: number
  readonly count: number
}
