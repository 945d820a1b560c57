import { settleMsOf, type TraderConfig } from '../config.ts'
import type { ExchangeApi } from '../exchange/api.ts'
import type { ClockSync } from '../exchange/clock-sync.ts'
import type { Report } from '../report.ts'
import type { Adopter } from './adopt.ts'
import { intentIdOf } from './intent.ts'
import type { Journal } from './journal.ts'
import type { JournalEntry } from './journal-entry.ts'
import type { Placement } from './placement.ts'
import { placementIn, type IntentState } from './state.ts'

/** What a lookup learnt. `unknown` is an answer too: ask again, not before `retryAfterMs`. */
export type LookupResult =
  | { readonly outcome: 'ran'; readonly value: Placement }
  | { readonly outcome: 'not-run' }
  | { readonly outcome: 'unknown'; readonly retryAfterMs: number }

export interface LookupOptions {
  readonly journal: Journal
  readonly api: ExchangeApi
  readonly adopter: Adopter
  readonly clockSync: ClockSync
  readonly config: TraderConfig
  readonly report: Report
}

/** Finds out what became of an intent, or proves that nothing can come of it any more. */
export type Lookup = (intent: { id: string; symbol: string }, options: { fence: number }) => Promise<LookupResult>

/** Two "not found" count only if they are this far apart. */
const apartMs = 1000
const minPauseMs = 200
const maxPauseMs = 5000

function unknown(retryAfterMs: number): LookupResult {
  return { outcome: 'unknown', retryAfterMs: Math.max(1, Math.ceil(retryAfterMs)) }
}

/** The last moment from which something may still become an order: its signature, or the reservation before it. */
function lastTraceMs(entry: JournalEntry): number {
  return Math.max(entry.signedAtMs ?? 0, entry.reservedAtMs ?? 0)
}

function moved(options: LookupOptions, entry: JournalEntry, from: string, to: string, reason: string): void {
  const { id, symbol, side } = entry
  options.report({ type: 'transition', key: id, symbol, side, from, to, reason, by: 'lookup' })
}

/** A worker that died left its intent reserved or sent: from here on that is doubt, and is seen as such. */
async function resume(options: LookupOptions, entry: JournalEntry): Promise<void> {
  if (entry.state !== 'RESERVED' && entry.state !== 'SENT') return
  const { id, symbol } = entry
  const settled = await options.journal.settle({ id, symbol, to: 'UNKNOWN', reason: 'left-behind', by: 'lookup' })
  if (settled.changed) moved(options, entry, settled.from, 'UNKNOWN', 'left-behind')
}

/** Neither list may know the intent, and no trade may belong to an order the list does not show yet. */
async function traces(options: LookupOptions, entry: JournalEntry): Promise<LookupResult | undefined> {
  const startTime = (entry.firstSignedAtMs ?? lastTraceMs(entry)) - 1000
  const trades = await options.api.myTrades(entry.symbol, { startTime })
  if (!trades.ok) return unknown(trades.outcome.retryAfterMs ?? apartMs)
  const orders = await options.api.allOrders(entry.symbol, { startTime })
  if (!orders.ok) return unknown(orders.outcome.retryAfterMs ?? apartMs)
  const ours = orders.value.find(order => intentIdOf(order.clientOrderId) === entry.id)
  if (ours !== undefined) {
    await options.adopter.order({ ...ours, id: entry.id }, 'lookup')
    return { outcome: 'ran', value: { outcome: 'ordered', orderId: ours.orderId } }
  }
  const listed = new Set(orders.value.map(order => order.orderId))
  for (const { orderId } of trades.value) {
    if (listed.has(orderId)) continue
    const owner = await options.journal.intentOfOrder(entry.symbol, orderId)
    if (owner === undefined || owner === entry.id) return unknown(apartMs)
  }
  return undefined
}

async function absent(options: LookupOptions, entry: JournalEntry, fence: number): Promise<LookupResult> {
  const { id, symbol } = entry
  const atMs = entry.signedAtMs ?? 0
  const settled = await options.journal.settle({
    id,
    symbol,
    to: 'ABSENT',
    reason: 'proven',
    by: 'lookup',
    fence,
    atMs,
  })
  if (settled.changed) {
    moved(options, entry, settled.from, 'ABSENT', 'proven')
    return { outcome: 'not-run' }
  }
  // A fact that arrived during the proof beats it, and so does a request that was signed meanwhile.
  const state = settled.state as IntentState
  const known = placementIn(state, settled.reason, settled.orderId)
  if (known !== undefined) return { outcome: 'ran', value: known }
  return state === 'PROPOSED' || state === 'ABSENT' ? { outcome: 'not-run' } : unknown(apartMs)
}

async function proveAbsence(
  options: LookupOptions,
  entry: JournalEntry,
  fence: number,
  askedAtMs: number,
): Promise<LookupResult> {
  if (options.config.mutant === 'trust-not-found') return absent(options, entry, fence)
  // Dispatch writes the journal before anything is signed, and this proof shuts the old executor out of dispatch.
  if (entry.signedAtMs === undefined) return absent(options, entry, fence)
  const traceMs = lastTraceMs(entry)
  const leftMs = traceMs + settleMsOf(options.config) - askedAtMs
  const pauseMs = Math.min(maxPauseMs, Math.max(minPauseMs, askedAtMs - traceMs))
  if (leftMs > 0) return unknown(Math.min(leftMs + 1, pauseMs))
  const firstMs = await options.journal.noteNotFound(entry.id, entry.signedAtMs ?? 0, askedAtMs)
  if (askedAtMs - firstMs < apartMs) return unknown(apartMs - (askedAtMs - firstMs))
  return (await traces(options, entry)) ?? absent(options, entry, fence)
}

export function createLookup(options: LookupOptions): Lookup {
  return async ({ id, symbol }, { fence }) => {
    const entry = await options.journal.read(id)
    if (entry === undefined) {
      // The claim outlived its journal entry: without a trace in Redis nothing can be proven by time.
      const found = await options.api.order(symbol, id)
      if (!found.ok) return unknown(maxPauseMs)
      await options.adopter.order({ ...found.value, id }, 'lookup')
      return { outcome: 'ran', value: { outcome: 'ordered', orderId: found.value.orderId } }
    }
    const known = placementIn(entry.state, entry.reason, entry.orderId)
    if (known !== undefined) return { outcome: 'ran', value: known }
    await resume(options, entry)
    const askedAtMs = options.clockSync.atLeast()
    const found = await options.api.order(symbol, id)
    if (found.ok) {
      await options.adopter.order({ ...found.value, id }, 'lookup')
      return { outcome: 'ran', value: { outcome: 'ordered', orderId: found.value.orderId } }
    }
    if (found.outcome.class === 'NOT_FOUND') return proveAbsence(options, entry, fence, askedAtMs)
    // The query failed, so nothing was learnt.
    return unknown(found.outcome.retryAfterMs ?? apartMs)
  }
}
