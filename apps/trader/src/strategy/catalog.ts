import { emaCross } from './ema-cross.ts'
import { pulse } from './pulse.ts'
import type { Strategy } from './strategy.ts'

export const strategyNames = ['ema-cross', 'pulse'] as const
export type StrategyName = (typeof strategyNames)[number]

const strategies: Readonly<Record<StrategyName, Strategy>> = { 'ema-cross': emaCross, pulse }

export function strategyNamed(name: StrategyName): Strategy {
  return strategies[name]
}
