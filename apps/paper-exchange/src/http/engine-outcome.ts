import { refusalOf } from '../exchange-core.ts'
import type { ExchangeCore, Outcome } from '../exchange-core.ts'
import type { Result } from '../engine/result.ts'
import type { Parameters } from './parameters.ts'
import { whole } from './order-parameters.ts'
import type { Refusal } from './refusal.ts'

const MAX_ROWS = 1000

/** What the engine has decided, as an answer. */
export function outcomeOf<T>(
  core: ExchangeCore,
  result: Result<T>,
  tell: (value: T) => Outcome = body => ({ body }),
): Outcome | Refusal {
  return result.ok ? tell(result.value) : refusalOf(result.error, core.engine.timeline.nowMs())
}

/** The window of a list. A larger limit is cut instead of refused, as the real one does. */
export function windowOf(p: Parameters): { startTime?: number; endTime?: number; limit?: number } {
  const startTime = whole(p['startTime'])
  const endTime = whole(p['endTime'])
  const limit = whole(p['limit'])
  return {
    ...(startTime === undefined ? {} : { startTime }),
    ...(endTime === undefined ? {} : { endTime }),
    ...(limit === undefined ? {} : { limit: Math.min(MAX_ROWS, Math.max(1, limit)) }),
  }
}
