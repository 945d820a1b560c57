import type { Strategy } from './strategy.ts'

const minuteMs = 60_000

/** One intent per bar and symbol: BUY on even minutes, SELL on odd ones, both leg `entry`. */
export const pulse: Strategy = {
  name: 'pulse',
  historyBars: 1,
  usesPosition: false,
  loadOnly: true,
  decide({ bars, orderNotional }) {
    const bar = bars.at(-1)
    if (bar === undefined) return []
    const side = Math.floor(bar.openMs / minuteMs) % 2 === 0 ? 'BUY' : 'SELL'
    return [{ leg: 'entry', seq: 0, side, wish: { kind: 'quote', amount: orderNotional } }]
  },
}
