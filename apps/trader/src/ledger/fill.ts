import { Big } from 'big.js'
import type { Side } from '../orders/intent.ts'
import { negated, toUnits } from './units.ts'

/** One trade of one of our orders, in the shape that the answer, the stream and myTrades share. */
export interface Fill {
  readonly symbol: string
  readonly tradeId: string
  readonly orderId: string
  readonly side: Side
  readonly quantity: string
  readonly price: string
  readonly commission: string
  readonly commissionAsset: string
  /** Server time of the exchange. */
  readonly timeMs: number
}

/** The assets a symbol trades. */
export interface Pair {
  readonly baseAsset: string
  readonly quoteAsset: string
}

/** What a fill does to the balances, in 1e-8 units. */
export interface FillDeltas {
  readonly base: string
  readonly quote: string
  readonly fee: string
  readonly filled: string
}

/**
 * The changes of balance a fill stands for. The quote amount is price times quantity cut to eight digits; the answer
 * of an order does not state it, so it is computed alike for every source.
 */
export function fillDeltas(fill: Fill): FillDeltas {
  const filled = toUnits(fill.quantity)
  const worth = toUnits(new Big(fill.quantity).times(fill.price).toFixed())
  const bought = fill.side === 'BUY'
  return {
    base: bought ? filled : negated(filled),
    quote: bought ? negated(worth) : worth,
    fee: negated(toUnits(fill.commission)),
    filled,
  }
}

/** How a fill is kept with its intent: `quantity|price|commission|asset|timeMs`. */
export function fillLine(fill: Fill): string {
  return [fill.quantity, fill.price, fill.commission, fill.commissionAsset, fill.timeMs].join('|')
}
