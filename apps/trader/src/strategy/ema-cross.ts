import type { Bar, Strategy } from './strategy.ts'

const fastBars = 12
const slowBars = 26
/** Ten slow periods: what the first bar of the window still weighs is below 1e-8. */
const windowBars = 10 * slowBars

/** The exponential moving averages of the closes, weight 2 / (bars + 1), begun with the first close. */
function ema(closes: readonly number[], bars: number): number[] {
  const weight = 2 / (bars + 1)
  const averages: number[] = []
  let average = closes[0] ?? 0
  for (const close of closes) {
    average += weight * (close - average)
    averages.push(average)
  }
  return averages
}

function cross(bars: readonly Bar[]): 'up' | 'down' | undefined {
  const closes = bars.map(bar => Number(bar.close))
  const fast = ema(closes, fastBars)
  const slow = ema(closes, slowBars)
  const above = (at: number): boolean => (fast.at(at) ?? 0) > (slow.at(at) ?? 0)
  if (above(-1) === above(-2)) return undefined
  return above(-1) ? 'up' : 'down'
}

/**
 * Enters when the 12-bar average crosses above the 26-bar one, exits when it crosses below.
 *
 * It always looks at exactly the last 260 bars, so a worker that started an hour ago and one that starts now compute
 * the same numbers. The averages are floating point, which decides a time; quantities never are.
 */
export const emaCross: Strategy = {
  name: 'ema-cross',
  historyBars: windowBars,
  usesPosition: true,
  loadOnly: false,
  decide({ bars, position, orderNotional }) {
    if (bars.length < windowBars) return []
    const direction = cross(bars.slice(-windowBars))
    const flat = Number(position.quantity) === 0
    if (direction === 'up' && flat) {
      return [{ leg: 'entry', seq: 0, side: 'BUY', wish: { kind: 'quote', amount: orderNotional } }]
    }
    if (direction === 'down' && !flat) {
      return [{ leg: 'exit', seq: 0, side: 'SELL', wish: { kind: 'base', amount: position.quantity } }]
    }
    return []
  },
}
