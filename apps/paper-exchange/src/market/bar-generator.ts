import { decimalsOf, printSteps } from '../engine/money.ts'
import type { SymbolSpec } from '../engine/symbol.ts'
import { HISTORY_BARS, MINUTE_MS, type Candle } from './candle.ts'
import { createSeededDraws, type SeededDraws } from './seeded-draws.ts'

const SIGMA = 0.0008
const WICK = 0.0004
const JUMP_PROBABILITY = 0.002
const FALL_BARS = 30
/** ln 0.85 over the bars of the fall. */
const FALL_RETURN = -0.162_518_929_497_774_94 / FALL_BARS
const FALL_EARLIEST = 240
const FALL_LATEST = 720

/**
 * An endless walk: log return sigma 0.0008 a minute, a jump of 1 to 3 % with probability 0.002, and one fall of 15 % over 30 bars
 * that starts between live bar 240 and 720 (the first bar after the history is live bar 0).
 *
 * Every bar takes the same number of draws, so the walk depends on seed, symbol and bar number alone.
 */
export function createBarGenerator(options: { seed: string; spec: SymbolSpec; firstOpenMs: number }): () => Candle {
  const { spec } = options
  const draws = createSeededDraws(`market|${options.seed}|${spec.symbol}`)
  const fallFrom = FALL_EARLIEST + Math.floor(draws.uniform() * (FALL_LATEST - FALL_EARLIEST + 1))
  const medianLots = Number(spec.depth.div(spec.lotStep).round(0).toFixed())
  let openSteps = Number(spec.startPrice.div(spec.priceStep).round(0).toFixed())
  let bar = 0
  const [priceDecimals, lotDecimals] = [decimalsOf(spec.priceStep), decimalsOf(spec.lotStep)]
  const price = (steps: number): string => printSteps(steps, priceDecimals)

  return () => {
    const live = bar - HISTORY_BARS
    const falling = live >= fallFrom && live < fallFrom + FALL_BARS
    const drawn = drawReturn(draws)
    const closeSteps = atLeastTen(openSteps * grow(drawn + (falling ? FALL_RETURN : 0)))
    const high = Math.round(Math.max(openSteps, closeSteps) * (1 + WICK * Math.abs(draws.normal())))
    const low = atLeastTen(Math.min(openSteps, closeSteps) * (1 - WICK * Math.abs(draws.normal())))
    const lots = Math.max(12, Math.round(medianLots * (0.5 + draws.uniform()) * (1 + 100 * Math.abs(drawn))))
    const candle: Candle = {
      openTime: options.firstOpenMs + bar * MINUTE_MS,
      open: price(openSteps),
      high: price(high),
      low: price(Math.min(low, openSteps, closeSteps)),
      close: price(closeSteps),
      volume: printSteps(lots, lotDecimals),
    }
    openSteps = closeSteps
    bar++
    return candle
  }
}

function drawReturn(draws: SeededDraws): number {
  const walk = SIGMA * draws.normal()
  const jumps = draws.uniform() < JUMP_PROBABILITY
  const size = 0.01 + 0.02 * draws.uniform()
  const sign = draws.uniform() < 0.5 ? -1 : 1
  return jumps ? walk + sign * size : walk
}

/** e^x by its series: four terms are exact to 1e-8 for the largest return here, and the same on every engine. */
function grow(x: number): number {
  return 1 + x * (1 + (x / 2) * (1 + (x / 3) * (1 + x / 4)))
}

/** Keeps all five levels of the book above zero. */
function atLeastTen(steps: number): number {
  return Math.max(10, Math.round(steps))
}
