import { floorTo, money, roundTo, type Money } from '../engine/money.ts'
import type { SymbolSpec } from '../engine/symbol.ts'
import { createSeededDraws } from './seeded-draws.ts'

export interface BookLevel {
  readonly price: Money
  readonly qty: Money
}

/** Best level first on both sides. */
export interface Book {
  readonly bids: readonly BookLevel[]
  readonly asks: readonly BookLevel[]
}

/** Twentieths of a side's depth, best level first. */
const WEIGHTS = ['1', '2', '4', '6', '7'] as const
const GAP = money('0.00005')

/**
 * The whole book at a price: the best bid stands at it, the best ask one price step above; further levels follow half a basis point
 * apart. Quantities vary by up to a tenth with seed, symbol and tick. Orders never change it.
 */
export function bookAt(spec: SymbolSpec, price: Money, seed: string, tick: number): Book {
  const draws = createSeededDraws(`book|${seed}|${spec.symbol}|${tick}`)
  const rounded = roundTo(price.times(GAP), spec.priceStep)
  const gap = rounded.lt(spec.priceStep) ? spec.priceStep : rounded
  const side = (best: Money, step: Money): BookLevel[] =>
    WEIGHTS.map((weight, level) => ({
      price: best.plus(step.times(String(level))),
      qty: levelQty(spec, weight, draws.uniform()),
    })).filter(level => level.price.gt('0'))
  return { bids: side(price, gap.neg()), asks: side(price.plus(spec.priceStep), gap) }
}

function levelQty(spec: SymbolSpec, weight: string, draw: number): Money {
  const thousandths = String(900 + Math.floor(draw * 201))
  const qty = floorTo(spec.depth.times(weight).times(thousandths).div('20000'), spec.lotStep)
  return qty.lt(spec.lotStep) ? spec.lotStep : qty
}
