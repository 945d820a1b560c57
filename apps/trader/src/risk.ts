import { failedFilter, type SymbolRules } from './exchange/filters.ts'
import type { Intent } from './orders/intent.ts'

export interface RiskView {
  readonly rules: SymbolRules
  /** Since the last market frame of the symbol, in milliseconds. */
  readonly silentMs: number
  readonly staleDataMs: number
  /** Redis may have forgotten who holds a lease; entries wait until every old one has run out. */
  readonly holdOff: boolean
}

/**
 * What speaks against sending an intent, before anything is claimed for it: `undefined` is nothing. Only what one
 * worker can judge alone is judged here; the limits that all workers share are counted in dispatch.
 */
export function refusalOf(intent: Intent, view: RiskView): string | undefined {
  const { rules } = view
  if (rules.status !== 'TRADING') return 'symbol-not-trading'
  const failed = failedFilter(rules, intent)
  if (failed !== undefined) return `filter-${failed}`
  if (intent.leg === 'entry' && view.holdOff) return 'redis-hold-off'
  if (intent.leg === 'entry' && view.silentMs > view.staleDataMs) return 'stale-data'
  return undefined
}
