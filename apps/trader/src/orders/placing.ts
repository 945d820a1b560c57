import { createHash } from 'node:crypto'
import type { Report } from '../report.ts'
import type { Placed } from '../safety.ts'
import type { Intent } from './intent.ts'

/** Numbers the calls of one worker and writes each down with its end, so that a history of the run can be judged. */
export interface Placing {
  place(intent: Intent): Promise<Placed>
  /** The call under way for an intent. */
  operationOf(id: string): string
}

function fingerprintOf(intent: Intent): string {
  const text = `${intent.symbol}|${intent.side}|${intent.type}|${intent.quantity}`
  return createHash('sha256').update(text).digest('base64url').slice(0, 22)
}

function endOf(placed: Placed): {
  outcome: 'ran' | 'not-run' | 'unknown' | 'busy' | 'mismatch'
  value?: string
  replayed?: boolean
  recorded?: boolean
  code?: string
} {
  switch (placed.kind) {
    case 'placed': {
      const { placement, replayed, recorded } = placed
      // A refusal is on record like an order, but it is no effect: the exchange's books hold nothing for it.
      return placement.outcome === 'ordered'
        ? { outcome: 'ran', value: placement.orderId, replayed, recorded }
        : { outcome: 'not-run', code: `${placement.state} ${placement.reason}`, replayed, recorded }
    }
    case 'busy':
      return { outcome: 'busy' }
    case 'in-doubt':
      return { outcome: 'unknown', code: placed.code }
    case 'not-placed':
      return { outcome: 'not-run', code: placed.code }
    case 'mismatch':
      return { outcome: 'mismatch', code: placed.code }
    default:
      return placed satisfies never
  }
}

export function createPlacing(worker: string, place: (intent: Intent) => Promise<Placed>, report: Report): Placing {
  const current = new Map<string, string>()
  let count = 0
  return {
    operationOf: id => current.get(id) ?? '',
    async place(intent) {
      count += 1
      const op = `${worker}-${count}`
      const key = intent.id
      current.set(key, op)
      report({ type: 'invoke', op, key, fp: fingerprintOf(intent) })
      const placed = await place(intent)
      current.delete(key)
      report({ type: 'return', op, key, ...endOf(placed) })
      return placed
    },
  }
}
