import { money, roundTo, type Money } from '../engine/money.ts'
import type { Candle } from './candle.ts'

export const TICKS_PER_BAR = 12

/** Tick numbers of open, first extreme, second extreme, close. */
const CORNERS = [0, 4, 7, 11] as const

/**
 * The bar's twelve prices, on straight lines through open, both extremes and close, on the price step. A rising bar meets its low
 * first, a falling one its high.
 */
export function ticksOf(candle: Candle, priceStep: Money): Money[] {
  const [open, high, low, close] = [candle.open, candle.high, candle.low, candle.close].map(text =>
    roundTo(money(text), priceStep),
  ) as [Money, Money, Money, Money]
  const corners = close.gte(open) ? [open, low, high, close] : [open, high, low, close]
  const ticks: Money[] = [open]
  for (let leg = 1; leg < CORNERS.length; leg++) {
    const [from, to] = [corners[leg - 1] as Money, corners[leg] as Money]
    const length = (CORNERS[leg] as number) - (CORNERS[leg - 1] as number)
    for (let step = 1; step < length; step++) {
      ticks.push(roundTo(from.plus(to.minus(from).times(String(step)).div(String(length))), priceStep))
    }
    ticks.push(to)
  }
  return ticks
}
