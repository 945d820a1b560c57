import type { Book, BookLevel } from '../market/book.ts'
import { floorTo, least, ZERO, type Money } from './money.ts'
import type { SymbolSpec } from './symbol.ts'

export interface PlannedFill {
  readonly price: Money
  readonly qty: Money
}

/** What a taker would get from the whole book, best level first. */
export interface TakerPlan {
  readonly fills: readonly PlannedFill[]
  readonly qty: Money
  readonly quote: Money
  /** The order wants more than the levels it may take hold. */
  readonly exhausted: boolean
}

/** The levels an order may take: the other side, up to the limit price if it has one. */
export function reachableLevels(book: Book, side: 'BUY' | 'SELL', limit: Money | undefined): readonly BookLevel[] {
  const levels = side === 'BUY' ? book.asks : book.bids
  if (limit === undefined) return levels
  return levels.filter(level => (side === 'BUY' ? level.price.lte(limit) : level.price.gte(limit)))
}

export function planByQuantity(levels: readonly BookLevel[], wanted: Money): TakerPlan {
  const fills: PlannedFill[] = []
  let [rest, quote] = [wanted, ZERO]
  for (const level of levels) {
    if (rest.eq('0')) break
    const qty = least(rest, level.qty)
    fills.push({ price: level.price, qty })
    rest = rest.minus(qty)
    quote = quote.plus(level.price.times(qty))
  }
  return { fills, qty: wanted.minus(rest), quote, exhausted: rest.gt('0') }
}

/** By worth: as many whole lots as `wanted` covers, never more than it. */
export function planByWorth(levels: readonly BookLevel[], wanted: Money, spec: SymbolSpec): TakerPlan {
  const fills: PlannedFill[] = []
  let [rest, total] = [wanted, ZERO]
  let exhausted = true
  for (const level of levels) {
    const affordable = floorTo(rest.div(level.price), spec.lotStep)
    const qty = least(affordable, level.qty)
    if (qty.gt('0')) {
      fills.push({ price: level.price, qty })
      rest = rest.minus(level.price.times(qty))
      total = total.plus(qty)
    }
    if (affordable.lte(level.qty)) {
      exhausted = false
      break
    }
  }
  return { fills, qty: total, quote: wanted.minus(rest), exhausted }
}
