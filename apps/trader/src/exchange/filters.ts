import { Big } from 'big.js'
import { z } from 'zod'

const text = z.string()
const filterSchema = z.looseObject({ filterType: text })
const symbolInfo = z.looseObject({
  symbol: text,
  status: text,
  baseAsset: text,
  quoteAsset: text,
  filters: z.array(filterSchema),
})

export interface StepRule {
  readonly min: string
  readonly max: string
  /** "0" is no rule. */
  readonly step: string
}

export interface SymbolRules {
  readonly symbol: string
  /** TRADING, HALT, CANCEL_ONLY, … */
  readonly status: string
  readonly baseAsset: string
  readonly quoteAsset: string
  readonly price: StepRule
  readonly lot: StepRule
  readonly marketLot: StepRule
  readonly minNotional: string
  readonly maxNotional: string
}

export type OrderType = 'MARKET' | 'LIMIT'

const noRule: StepRule = { min: '0', max: '0', step: '0' }

function fieldOf(filter: Record<string, unknown> | undefined, name: string): string {
  const value = filter?.[name]
  return typeof value === 'string' ? value : '0'
}

/** Reads one symbol of exchangeInfo, as far as an order needs it. A missing filter is no rule. */
export function symbolRules(raw: unknown): SymbolRules {
  const info = symbolInfo.parse(raw)
  const of = (type: string): Record<string, unknown> | undefined =>
    info.filters.find(filter => filter.filterType === type)
  const steps = (type: string, stem: string, step: string): StepRule => {
    const filter = of(type)
    if (filter === undefined) return noRule
    return { min: fieldOf(filter, `min${stem}`), max: fieldOf(filter, `max${stem}`), step: fieldOf(filter, step) }
  }
  const notional = of('NOTIONAL') ?? of('MIN_NOTIONAL')
  return {
    symbol: info.symbol,
    status: info.status,
    baseAsset: info.baseAsset,
    quoteAsset: info.quoteAsset,
    price: steps('PRICE_FILTER', 'Price', 'tickSize'),
    lot: steps('LOT_SIZE', 'Qty', 'stepSize'),
    marketLot: steps('MARKET_LOT_SIZE', 'Qty', 'stepSize'),
    minNotional: fieldOf(notional, 'minNotional'),
    maxNotional: fieldOf(notional, 'maxNotional'),
  }
}

function isZero(value: string): boolean {
  return new Big(value).eq(0)
}

/** The largest multiple of `step` (counted from zero) not above `value`; a zero step changes nothing. */
export function roundDown(value: string, step: string): string {
  const wish = new Big(value)
  if (isZero(step)) return wish.toFixed()
  return wish.div(step).round(0, Big.roundDown).times(step).toFixed()
}

/** The order quantity for a wish: never above it, a multiple of every step that applies to the order type. */
export function roundQuantity(rules: SymbolRules, type: OrderType, wish: string): string {
  const byLot = roundDown(wish, rules.lot.step)
  return type === 'MARKET' ? roundDown(byLot, rules.marketLot.step) : byLot
}

/** A price on the tick grid: a buyer's is never above the wish, a seller's never below. */
export function roundPrice(rules: SymbolRules, side: 'BUY' | 'SELL', wish: string): string {
  const down = roundDown(wish, rules.price.step)
  if (side === 'BUY' || new Big(down).eq(wish)) return down
  return new Big(down).plus(rules.price.step).toFixed()
}

/** `quote` worth of base at `price`, rounded down to the lot. 16 decimals are kept before rounding. */
export function quantityForNotional(rules: SymbolRules, type: OrderType, quote: string, price: string): string {
  const exact = new Big(quote).times('1e16').div(price).round(0, Big.roundDown).div('1e16')
  return roundQuantity(rules, type, exact.toFixed())
}

function outside(rule: StepRule, value: Big, zeroMaxIsNoRule = true): boolean {
  if (value.lt(rule.min)) return true
  return !(zeroMaxIsNoRule && isZero(rule.max)) && value.gt(rule.max)
}

/** The first filter an order would fail, or `undefined`. `price` is the limit price, or the last price of a MARKET order. */
export function failedFilter(
  rules: SymbolRules,
  order: { type: OrderType; quantity: string; price: string },
): string | undefined {
  const quantity = new Big(order.quantity)
  if (quantity.lte(0)) return 'LOT_SIZE'
  if (order.type === 'LIMIT' && outside(rules.price, new Big(order.price))) return 'PRICE_FILTER'
  if (outside(rules.lot, quantity)) return 'LOT_SIZE'
  if (order.type === 'MARKET' && outside(rules.marketLot, quantity)) return 'MARKET_LOT_SIZE'
  const notional = quantity.times(order.price)
  if (notional.lt(rules.minNotional)) return 'NOTIONAL'
  if (!isZero(rules.maxNotional) && notional.gt(rules.maxNotional)) return 'NOTIONAL'
  return undefined
}

/** The rules of a symbol that is traded, as the start made sure of. */
export function rulesIn(rules: ReadonlyMap<string, SymbolRules>, symbol: string): SymbolRules {
  const found = rules.get(symbol)
  if (found === undefined) throw new Error(`the rules of ${symbol} were not read`)
  return found
}
