import { Big } from 'big.js'
import type { Fill, Pair } from './fill.ts'

export interface Profit {
  /** Quote gained or lost by what was sold, commissions included; a decimal string. */
  readonly realised: string
  /** Base still held from buying. */
  readonly held: string
  /** Average quote paid per base held; '0' when nothing is held. */
  readonly averageCost: string
}

/** Commission in quote terms: as it is, or at the fill's own price when it was paid in base; other assets are not priced. */
function feeInQuote(fill: Fill, pair: Pair): Big {
  if (fill.commissionAsset === pair.quoteAsset) return new Big(fill.commission)
  if (fill.commissionAsset === pair.baseAsset) return new Big(fill.commission).times(fill.price)
  return new Big(0)
}

/** A pure view over the fills of one symbol in the order they happened: average cost, realised at each sale. */
export function profitOf(fills: readonly Fill[], pair: Pair): Profit {
  let held = new Big(0)
  let cost = new Big(0)
  let realised = new Big(0)
  for (const fill of fills) {
    const quantity = new Big(fill.quantity)
    const worth = quantity.times(fill.price)
    const fee = feeInQuote(fill, pair)
    if (fill.side === 'BUY') {
      held = held.plus(quantity)
      cost = cost.plus(worth)
      realised = realised.minus(fee)
      continue
    }
    // What was not bought here came with the account and has no cost to compare with.
    const own = quantity.gt(held) ? held : quantity
    const spent = held.eq(0) ? new Big(0) : cost.times(own).div(held)
    realised = realised.plus(own.times(fill.price)).minus(spent).minus(fee)
    held = held.minus(own)
    cost = cost.minus(spent)
  }
  const average = held.eq(0) ? new Big(0) : cost.div(held)
  return { realised: realised.toFixed(8), held: held.toFixed(8), averageCost: average.toFixed(8) }
}
