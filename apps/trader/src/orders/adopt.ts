import type { SymbolRules } from '../exchange/filters.ts'
import type { Fill } from '../ledger/fill.ts'
import type { FillResult } from '../redis/apply-fill.ts'
import type { Settled } from '../redis/settle.ts'
import type { Report } from '../report.ts'
import type { Intent } from './intent.ts'
import type { Journal } from './journal.ts'
import type { Placement } from './placement.ts'
import { beliefOf, stateOfOrder, type IntentState } from './state.ts'

/** What is seen of one of our orders, from whichever source. */
export interface Sighting {
  readonly id: string
  readonly symbol: string
  readonly side: 'BUY' | 'SELL'
  readonly orderId: string
  readonly status: string
  readonly executedQuantity: string
  readonly quantity: string
  readonly price: string
  readonly type: string
}

export type SightingSource = 'answer' | 'stream' | 'lookup' | 'reconcile' | 'duplicate'

export interface AdopterOptions {
  readonly journal: Journal
  readonly rulesOf: (symbol: string) => SymbolRules
  readonly report: Report
  /** Closes the idempotency record of an intent by evidence of its order. */
  readonly confirm: (id: string, placement: Placement, evidenceId: string) => Promise<void>
}

/** Writes down what is seen of our orders and their fills. Seeing a thing twice, or late, changes nothing. */
export interface Adopter {
  order(sighting: Sighting, by: SightingSource, afterMs?: number): Promise<Settled>
  fill(fill: Fill, id: string): Promise<FillResult>
}

function orphan(sighting: Sighting): Intent {
  return {
    id: sighting.id,
    strategy: 'orphan',
    symbol: sighting.symbol,
    barOpenMs: 0,
    leg: 'entry',
    seq: 0,
    side: sighting.side,
    type: sighting.type === 'LIMIT' ? 'LIMIT' : 'MARKET',
    quantity: sighting.quantity,
    price: sighting.price,
    validUntilMs: 0,
  }
}

function undecided(from: string): boolean {
  return from === '' || beliefOf(from as IntentState) !== 'ordered'
}

export function createAdopter(options: AdopterOptions): Adopter {
  const { journal, report } = options

  async function settle(sighting: Sighting, by: SightingSource): Promise<Settled> {
    const { id, symbol, orderId, executedQuantity } = sighting
    const said = { id, symbol, to: stateOfOrder(sighting.status), by, orderId, executedQuantity }
    const settled = await journal.settle(said)
    if (settled.state !== '') return settled
    report({
      type: 'alert',
      alert: 'Orphan',
      key: id,
      symbol,
      detail: `order ${orderId} is ours and was not in the journal`,
    })
    await journal.propose(orphan(sighting), { missed: false })
    return journal.settle(said)
  }

  function tell(sighting: Sighting, settled: Settled, by: SightingSource, afterMs: number | undefined): void {
    const { id, symbol, side, orderId } = sighting
    if (settled.duplicate) {
      const detail = `orders ${settled.orderId} and ${orderId} both carry this id`
      report({ type: 'alert', alert: 'DuplicateOrder', key: id, symbol, detail })
    }
    if (!settled.changed) return
    if (settled.from !== '' && beliefOf(settled.from as IntentState) === 'refused') {
      report({
        type: 'alert',
        alert: 'Overturned',
        key: id,
        symbol,
        detail: `${settled.from} was wrong: order ${orderId} exists`,
      })
    }
    const age = settled.doubtMs > 0 ? settled.doubtMs : afterMs
    report({
      type: 'transition',
      key: id,
      symbol,
      side,
      from: settled.from,
      to: settled.state,
      by,
      orderId,
      ...(age === undefined ? {} : { afterMs: Math.round(age) }),
    })
  }

  return {
    async order(sighting, by, afterMs) {
      const settled = await settle(sighting, by)
      tell(sighting, settled, by, afterMs)
      // The executor records its own answer; every other sighting is evidence for whoever waits or died.
      const news = settled.changed && undecided(settled.from)
      if (news && by !== 'answer' && by !== 'lookup' && by !== 'duplicate') {
        const placement: Placement = { outcome: 'ordered', orderId: sighting.orderId }
        await options.confirm(sighting.id, placement, `order:${sighting.symbol}:${sighting.orderId}`)
      }
      return settled
    },
    fill: (fill, id) => journal.applyFill(fill, options.rulesOf(fill.symbol), id),
  }
}
