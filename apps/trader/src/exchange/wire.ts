import { z } from 'zod'
import type { Fill } from '../ledger/fill.ts'
import type { Bar } from '../strategy/strategy.ts'

const id = z.union([z.number(), z.string()]).transform(String)
const side = z.enum(['BUY', 'SELL'])

/** An order as the exchange reports it. */
export interface OrderView {
  readonly symbol: string
  readonly orderId: string
  readonly clientOrderId: string
  readonly status: string
  readonly side: 'BUY' | 'SELL'
  readonly type: string
  readonly quantity: string
  readonly price: string
  readonly executedQuantity: string
  readonly timeMs: number
}

const order = z
  .object({
    symbol: z.string(),
    orderId: id,
    clientOrderId: z.string(),
    status: z.string(),
    side,
    type: z.string(),
    origQty: z.string(),
    price: z.string(),
    executedQty: z.string(),
    time: z.number(),
  })
  .transform((raw): OrderView => ({
    symbol: raw.symbol,
    orderId: raw.orderId,
    clientOrderId: raw.clientOrderId,
    status: raw.status,
    side: raw.side,
    type: raw.type,
    quantity: raw.origQty,
    price: raw.price,
    executedQuantity: raw.executedQty,
    timeMs: raw.time,
  }))

const trade = z
  .object({
    symbol: z.string(),
    id,
    orderId: id,
    price: z.string(),
    qty: z.string(),
    commission: z.string(),
    commissionAsset: z.string(),
    time: z.number(),
    isBuyer: z.boolean(),
  })
  .transform((raw): Fill => ({
    symbol: raw.symbol,
    tradeId: raw.id,
    orderId: raw.orderId,
    side: raw.isBuyer ? 'BUY' : 'SELL',
    quantity: raw.qty,
    price: raw.price,
    commission: raw.commission,
    commissionAsset: raw.commissionAsset,
    timeMs: raw.time,
  }))

/** The FULL answer to a new order. */
export interface OrderAnswer {
  readonly orderId: string
  readonly status: string
  readonly executedQuantity: string
  readonly fills: readonly Fill[]
}

const orderAnswer = z
  .object({
    symbol: z.string(),
    orderId: id,
    status: z.string(),
    side,
    executedQty: z.string(),
    transactTime: z.number(),
    fills: z
      .array(
        z.object({
          price: z.string(),
          qty: z.string(),
          commission: z.string(),
          commissionAsset: z.string(),
          tradeId: id,
        }),
      )
      .default([]),
  })
  .transform((raw): OrderAnswer => {
    const fills = raw.fills.map((fill): Fill => ({
      symbol: raw.symbol,
      tradeId: fill.tradeId,
      orderId: raw.orderId,
      side: raw.side,
      quantity: fill.qty,
      price: fill.price,
      commission: fill.commission,
      commissionAsset: fill.commissionAsset,
      timeMs: raw.transactTime,
    }))
    return { orderId: raw.orderId, status: raw.status, executedQuantity: raw.executedQty, fills }
  })

const cancelAnswer = z
  .object({ orderId: id, status: z.string(), executedQty: z.string() })
  .transform(raw => ({ orderId: raw.orderId, status: raw.status, executedQuantity: raw.executedQty }))

const balances = z
  .object({ balances: z.array(z.object({ asset: z.string(), free: z.string(), locked: z.string() })) })
  .transform(raw => raw.balances)

const kline = z
  .tuple([z.number(), z.string(), z.string(), z.string(), z.string(), z.string(), z.number()])
  .rest(z.unknown())
  .transform(([openMs, open, high, low, close, volume, closeMs]): Bar & { closeMs: number } => ({
    openMs,
    open,
    high,
    low,
    close,
    volume,
    closeMs,
  }))

/** The parts of exchangeInfo that are read; symbols are decoded where their filters are understood. */
export interface InfoView {
  readonly symbols: readonly unknown[]
  readonly rateLimits: readonly { rateLimitType: string; intervalNum: number; interval: string; limit: number }[]
}

const info: z.ZodType<InfoView> = z.object({
  symbols: z.array(z.unknown()),
  rateLimits: z.array(
    z.object({ rateLimitType: z.string(), intervalNum: z.number(), interval: z.string(), limit: z.number() }),
  ),
})

function reader<T>(schema: z.ZodType<T>): (body: unknown) => T | undefined {
  return body => schema.safeParse(body).data
}

/** Decoders of the bodies the trader reads; each answers `undefined` for a body that is not of the documented shape. */
export const read: {
  readonly time: (body: unknown) => { serverTime: number } | undefined
  readonly info: (body: unknown) => InfoView | undefined
  readonly klines: (body: unknown) => (Bar & { closeMs: number })[] | undefined
  readonly order: (body: unknown) => OrderView | undefined
  readonly orders: (body: unknown) => OrderView[] | undefined
  readonly trades: (body: unknown) => Fill[] | undefined
  readonly orderAnswer: (body: unknown) => OrderAnswer | undefined
  readonly cancelAnswer: (body: unknown) => Omit<OrderAnswer, 'fills'> | undefined
  readonly balances: (body: unknown) => { asset: string; free: string; locked: string }[] | undefined
} = {
  time: reader(z.object({ serverTime: z.number() })),
  info: reader(info),
  klines: reader(z.array(kline)),
  order: reader(order),
  orders: reader(z.array(order)),
  trades: reader(z.array(trade)),
  orderAnswer: reader(orderAnswer),
  cancelAnswer: reader(cancelAnswer),
  balances: reader(balances),
}

/** What an event of the user stream says about an order. */
export interface OrderEvent {
  readonly symbol: string
  /** Our id: `C` on a cancel, else `c`. */
  readonly clientOrderId: string
  readonly orderId: string
  readonly status: string
  readonly executedQuantity: string
  readonly side: 'BUY' | 'SELL'
  readonly quantity: string
  readonly price: string
  readonly type: string
  readonly timeMs: number
  readonly fill: Fill | undefined
}

const executionReport = z
  .object({
    e: z.literal('executionReport'),
    s: z.string(),
    c: z.string(),
    C: z.string().default(''),
    S: side,
    o: z.string(),
    q: z.string(),
    p: z.string(),
    x: z.string(),
    X: z.string(),
    i: id,
    l: z.string(),
    z: z.string(),
    L: z.string(),
    n: z.string().nullish(),
    N: z.string().nullish(),
    T: z.number(),
    t: id,
  })
  .transform((raw): OrderEvent => {
    const fill: Fill = {
      symbol: raw.s,
      tradeId: raw.t,
      orderId: raw.i,
      side: raw.S,
      quantity: raw.l,
      price: raw.L,
      commission: raw.n ?? '0',
      commissionAsset: raw.N ?? '',
      timeMs: raw.T,
    }
    return {
      symbol: raw.s,
      clientOrderId: raw.C === '' ? raw.c : raw.C,
      orderId: raw.i,
      status: raw.X,
      executedQuantity: raw.z,
      side: raw.S,
      quantity: raw.q,
      price: raw.p,
      type: raw.o,
      timeMs: raw.T,
      fill: raw.x === 'TRADE' ? fill : undefined,
    }
  })

export const readOrderEvent: (body: unknown) => OrderEvent | undefined = reader(executionReport)

const klineEvent = z
  .object({
    e: z.literal('kline'),
    s: z.string(),
    k: z.object({
      t: z.number(),
      o: z.string(),
      h: z.string(),
      l: z.string(),
      c: z.string(),
      v: z.string(),
      x: z.boolean(),
    }),
  })
  .transform(({ s, k }) => ({
    symbol: s,
    closed: k.x,
    bar: { openMs: k.t, open: k.o, high: k.h, low: k.l, close: k.c, volume: k.v },
  }))

export const readKlineEvent: (body: unknown) => { symbol: string; closed: boolean; bar: Bar } | undefined =
  reader(klineEvent)
