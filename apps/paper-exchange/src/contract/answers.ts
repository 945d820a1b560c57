import type { Shape } from './shape.ts'

const list = (rows: Shape, atLeast?: number): Shape => (atLeast === undefined ? { rows } : { rows, atLeast })

const orderHead = {
  symbol: 'string',
  orderId: 'number',
  orderListId: { equals: -1 },
  clientOrderId: 'string',
  transactTime: 'number',
} as const

const orderResult = {
  ...orderHead,
  price: 'decimal',
  origQty: 'decimal',
  executedQty: 'decimal',
  origQuoteOrderQty: 'decimal',
  cummulativeQuoteQty: 'decimal',
  status: 'string',
  timeInForce: 'string',
  type: 'string',
  side: 'string',
  workingTime: 'number',
  selfTradePreventionMode: 'string',
} as const

const orderReport: Shape = {
  fields: {
    symbol: 'string',
    orderId: 'number',
    orderListId: { equals: -1 },
    clientOrderId: 'string',
    price: 'decimal',
    origQty: 'decimal',
    executedQty: 'decimal',
    cummulativeQuoteQty: 'decimal',
    status: 'string',
    timeInForce: 'string',
    type: 'string',
    side: 'string',
    stopPrice: 'decimal',
    icebergQty: 'decimal',
    time: 'number',
    updateTime: 'number',
    isWorking: 'boolean',
    workingTime: 'number',
    origQuoteOrderQty: 'decimal',
    selfTradePreventionMode: 'string',
  },
}

const cancelReport: Shape = {
  fields: {
    symbol: 'string',
    origClientOrderId: 'string',
    orderId: 'number',
    orderListId: { equals: -1 },
    clientOrderId: 'string',
    transactTime: 'number',
    price: 'decimal',
    origQty: 'decimal',
    executedQty: 'decimal',
    origQuoteOrderQty: 'decimal',
    cummulativeQuoteQty: 'decimal',
    status: { equals: 'CANCELED' },
    timeInForce: 'string',
    type: 'string',
    side: 'string',
    selfTradePreventionMode: 'string',
  },
}

const bookTicker: Shape = {
  fields: { symbol: 'string', bidPrice: 'decimal', bidQty: 'decimal', askPrice: 'decimal', askQty: 'decimal' },
}

const klineKinds: readonly Shape[] = [
  'number',
  'decimal',
  'decimal',
  'decimal',
  'decimal',
  'decimal',
  'number',
  'decimal',
  'number',
  'decimal',
  'decimal',
  'string',
]

const exchangeInfo: Shape = {
  fields: {
    timezone: { equals: 'UTC' },
    serverTime: 'number',
    rateLimits: list(
      { fields: { rateLimitType: 'string', interval: 'string', intervalNum: 'number', limit: 'number' } },
      4,
    ),
    exchangeFilters: list('anything'),
    symbols: list(
      {
        open: true,
        fields: {
          symbol: 'string',
          status: 'string',
          baseAsset: 'string',
          baseAssetPrecision: 'number',
          quoteAsset: 'string',
          quotePrecision: 'number',
          orderTypes: list('string', 3),
          icebergAllowed: 'boolean',
          quoteOrderQtyMarketAllowed: 'boolean',
          isSpotTradingAllowed: 'boolean',
          filters: list({ open: true, fields: { filterType: 'string' } }, 5),
          permissions: list('string'),
          defaultSelfTradePreventionMode: 'string',
          allowedSelfTradePreventionModes: list('string', 1),
        },
      },
      1,
    ),
  },
}

const account: Shape = {
  fields: {
    makerCommission: 'number',
    takerCommission: 'number',
    buyerCommission: 'number',
    sellerCommission: 'number',
    commissionRates: { fields: { maker: 'decimal', taker: 'decimal', buyer: 'decimal', seller: 'decimal' } },
    canTrade: { equals: true },
    canWithdraw: 'boolean',
    canDeposit: 'boolean',
    brokered: 'boolean',
    requireSelfTradePrevention: 'boolean',
    preventSor: 'boolean',
    updateTime: 'number',
    accountType: { equals: 'SPOT' },
    balances: list({ fields: { asset: 'string', free: 'decimal', locked: 'decimal' } }, 1),
    permissions: list('string'),
    uid: 'number',
  },
}

/** Fields of an executionReport of a new limit order. */
const executionReport: Shape = {
  fields: {
    subscriptionId: 'number',
    event: {
      open: true,
      fields: {
        e: { equals: 'executionReport' },
        E: 'number',
        s: 'string',
        c: 'string',
        S: 'string',
        o: 'string',
        f: 'string',
        q: 'decimal',
        p: 'decimal',
        P: 'decimal',
        F: 'decimal',
        g: { equals: -1 },
        C: 'string',
        x: { equals: 'NEW' },
        X: { equals: 'NEW' },
        r: { equals: 'NONE' },
        i: 'number',
        l: 'decimal',
        z: 'decimal',
        L: 'decimal',
        n: 'string',
        N: { equals: null },
        T: 'number',
        t: { equals: -1 },
        I: 'number',
        w: { equals: true },
        m: 'boolean',
        M: 'boolean',
        O: 'number',
        Z: 'decimal',
        Y: 'decimal',
        Q: 'decimal',
        W: 'number',
        V: 'string',
      },
    },
  },
}

type AnswerName =
  | 'empty'
  | 'time'
  | 'exchangeInfo'
  | 'klines'
  | 'bookTicker'
  | 'bookTickers'
  | 'avgPrice'
  | 'depth'
  | 'account'
  | 'ack'
  | 'result'
  | 'full'
  | 'orderReport'
  | 'orderReports'
  | 'cancelReport'
  | 'cancelReports'
  | 'trades'
  | 'orderLimits'
  | 'subscribed'
  | 'sessionStatus'
  | 'executionReport'

/** What good answers look like, after rest-api.md, web-socket-api.md and user-data-stream.md. */
export const ANSWERS: Readonly<Record<AnswerName, Shape>> = {
  empty: { fields: {} },
  time: { fields: { serverTime: 'number' } },
  exchangeInfo,
  klines: list({ rows: 'anything', atLeast: klineKinds.length }, 2),
  bookTicker,
  bookTickers: list(bookTicker, 1),
  avgPrice: { fields: { mins: 'number', price: 'decimal', closeTime: 'number' } },
  depth: {
    fields: { lastUpdateId: 'number', bids: list(list('decimal', 2), 1), asks: list(list('decimal', 2), 1) },
  },
  account,
  ack: { fields: orderHead },
  result: { fields: orderResult },
  full: { fields: { ...orderResult, fills: list('anything') } },
  orderReport,
  orderReports: list(orderReport, 1),
  cancelReport,
  cancelReports: list(cancelReport, 1),
  trades: list('anything'),
  orderLimits: list(
    {
      fields: {
        rateLimitType: { equals: 'ORDERS' },
        interval: 'string',
        intervalNum: 'number',
        limit: 'number',
        count: 'number',
      },
    },
    2,
  ),
  subscribed: { fields: { subscriptionId: 'number' } },
  sessionStatus: {
    open: true,
    fields: { apiKey: { equals: null }, connectedSince: 'number', serverTime: 'number', userDataStream: 'boolean' },
  },
  executionReport,
}
