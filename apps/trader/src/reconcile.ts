import { settleMsOf, type TraderConfig } from './config.ts'
import type { Answer, ExchangeApi } from './exchange/api.ts'
import type { ClockSync } from './exchange/clock-sync.ts'
import { createRecent, type Recent } from './exchange/recent.ts'
import type { OrderView } from './exchange/wire.ts'
import type { Fill } from './ledger/fill.ts'
import { driftOf, type Amounts } from './ledger/ledger.ts'
import { sumUnits, toUnits } from './ledger/units.ts'
import type { Adopter } from './orders/adopt.ts'
import { intentIdOf } from './orders/intent.ts'
import type { Journal } from './orders/journal.ts'
import type { Report } from './report.ts'

export interface ReconcilerOptions {
  readonly journal: Journal
  readonly api: ExchangeApi
  readonly adopter: Adopter
  readonly clockSync: ClockSync
  readonly config: TraderConfig
  readonly report: Report
  readonly onDrift: (drift: Readonly<Record<string, string>>) => void
}

export type ReconcileResult =
  /** Some call failed, so nothing can be said. */
  | { readonly done: false; readonly reason: string }
  | {
      readonly done: true
      /** Fills that had come by no other way. */
      readonly applied: number
      /** `undefined` when fills were still arriving, so the two sides could not be compared. */
      readonly drift: Readonly<Record<string, string>> | undefined
    }

/** Compares the book with the exchange's, and takes over what it missed. */
export interface Reconciler {
  /** Waits for a reconciliation that runs already, then runs one. Rejects only when Redis fails. */
  run(reason: string): Promise<ReconcileResult>
}

interface Snapshot {
  readonly balances: Amounts
  readonly orders: readonly OrderView[]
  readonly fills: readonly Fill[]
  /** Server time before the first call. */
  readonly askedAtMs: number
}

/** What one reconciliation remembers for the next. */
interface Context extends ReconcilerOptions {
  readonly memory: {
    /** Foreign orders that were told of. */
    readonly foreign: Recent
    lastDrift: string
    first: boolean
  }
}

/** Overlap of two windows beyond the time in which a request may still turn into an order. */
const overlapMs = 60_000

export function balancesInUnits(balances: readonly { asset: string; free: string; locked: string }[]): Amounts {
  return Object.fromEntries(
    balances.map(({ asset, free, locked }) => [asset, sumUnits(toUnits(free), toUnits(locked))]),
  )
}

function alertForeign(options: Context, order: OrderView): void {
  const key = `${order.symbol}:${order.orderId}`
  if (!options.memory.foreign.isNew(key)) return
  const detail = `order ${order.orderId} is not ours; it is left alone`
  options.report({ type: 'alert', alert: 'ForeignOrder', symbol: order.symbol, detail })
}

async function snapshot(options: Context, sinceMs: number): Promise<Snapshot | string> {
  const askedAtMs = options.clockSync.atLeast()
  const orders = new Map<string, OrderView>()
  const fills: Fill[] = []
  const window = { startTime: sinceMs }
  const account = await options.api.account()
  if (!account.ok) return account.outcome.reason
  for (const symbol of options.config.symbols) {
    // Trades come before orders, so that each trade's order is in the list that is read after it.
    const trades = await options.api.myTrades(symbol, window)
    if (!trades.ok) return trades.outcome.reason
    const lists: Answer<OrderView[]>[] = [
      await options.api.allOrders(symbol, window),
      await options.api.openOrders(symbol),
    ]
    for (const list of lists) {
      if (!list.ok) return list.outcome.reason
      for (const order of list.value) orders.set(`${symbol}:${order.orderId}`, order)
    }
    fills.push(...trades.value)
  }
  return { askedAtMs, balances: balancesInUnits(account.value), orders: [...orders.values()], fills }
}

async function takeOrders(
  options: Context,
  orders: readonly OrderView[],
  baselineAtMs: number,
): Promise<Map<string, string>> {
  const owners = new Map<string, string>()
  for (const order of orders) {
    const id = intentIdOf(order.clientOrderId)
    const before = order.timeMs <= baselineAtMs
    if (id === undefined) {
      if (!before) alertForeign(options, order)
      continue
    }
    const open = order.status === 'NEW' || order.status === 'PARTIALLY_FILLED'
    if (before && !open) continue
    owners.set(`${order.symbol}:${order.orderId}`, id)
    await options.adopter.order({ ...order, id }, 'reconcile')
  }
  return owners
}

/** Answers how many fills were new, and the age of the oldest of them in server time. */
async function takeFills(
  options: Context,
  fills: readonly Fill[],
  owners: ReadonlyMap<string, string>,
): Promise<{ applied: number; oldestMs: number }> {
  let applied = 0
  let oldestMs = 0
  for (const fill of fills) {
    const owner =
      owners.get(`${fill.symbol}:${fill.orderId}`) ?? (await options.journal.intentOfOrder(fill.symbol, fill.orderId))
    if (owner === undefined || (await options.adopter.fill(fill, owner)) !== 'applied') continue
    applied += 1
    oldestMs = Math.max(oldestMs, options.clockSync.now() - fill.timeMs)
  }
  return { applied, oldestMs }
}

/** Orders the journal knows since the baseline, none of which the exchange has: it forgot the account. */
async function isReset(options: Context, orders: readonly OrderView[], baselineAtMs: number): Promise<boolean> {
  const recent = await options.journal.recentOrders(options.clockSync.now() - settleMsOf(options.config), baselineAtMs)
  if (recent.length === 0) return false
  const listed = new Map(orders.map(order => [`${order.symbol}:${order.orderId}`, intentIdOf(order.clientOrderId)]))
  for (const { id, symbol, orderId } of recent) {
    if (listed.get(`${symbol}:${orderId}`) === id) return false
    const found = await options.api.order(symbol, id)
    if (found.ok || found.outcome.class !== 'NOT_FOUND') return false
  }
  return true
}

async function compare(
  options: Context,
  taken: Snapshot,
  baseline: Amounts,
  version: number,
): Promise<Record<string, string> | undefined> {
  const ledger = await options.journal.ledger()
  // What the account call showed is up to a read lag old; fills since then make the sides incomparable.
  const quiet =
    ledger.version === version &&
    (await options.journal.lastFillAgeMs()) > options.config.readLagMs + (options.clockSync.now() - taken.askedAtMs)
  return quiet ? driftOf(taken.balances, baseline, ledger.amounts) : undefined
}

function tellDrift(options: Context, drift: Record<string, string>): void {
  options.onDrift(drift)
  const text = Object.entries(drift)
    .map(([asset, amount]) => `${asset} ${amount}`)
    .join(', ')
  if (text !== '' && text !== options.memory.lastDrift) {
    options.report({ type: 'alert', alert: 'Drift', detail: `exchange less ledger: ${text}` })
  }
  options.memory.lastDrift = text
}

async function reconcile(options: Context, reason: string): Promise<ReconcileResult> {
  const baseline = await options.journal.baseline()
  if (baseline === undefined) return { done: false, reason: 'no baseline' }
  const before = await options.journal.ledger()
  const last = await options.journal.reconciledAtMs()
  const sinceMs = Math.max(baseline.atMs, (last ?? baseline.atMs) - settleMsOf(options.config) - overlapMs)
  const taken = await snapshot(options, sinceMs)
  if (typeof taken === 'string') return { done: false, reason: taken }
  if (await isReset(options, taken.orders, baseline.atMs)) {
    const detail = 'the exchange knows none of our recent orders; entries are halted until --accept-baseline'
    if (await options.journal.halt('account-reset', detail))
      options.report({ type: 'alert', alert: 'AccountReset', detail })
    return { done: true, applied: 0, drift: undefined }
  }
  const owners = await takeOrders(options, taken.orders, baseline.atMs)
  const { applied, oldestMs } = await takeFills(options, taken.fills, owners)
  // At a start or after a gap, missing fills are expected; in between, the stream should have brought them.
  if (applied > 0 && reason === 'periodic' && oldestMs > options.config.readLagMs && !options.memory.first) {
    options.report({
      type: 'alert',
      alert: 'UserStreamSilent',
      detail: `${applied} fills were found that the stream did not bring`,
    })
  }
  options.memory.first = false
  const drift = applied === 0 ? await compare(options, taken, baseline.amounts, before.version) : undefined
  if (drift !== undefined) tellDrift(options, drift)
  await options.journal.setReconciledAt(taken.askedAtMs)
  return { done: true, applied, drift }
}

export function createReconciler(options: ReconcilerOptions): Reconciler {
  const context: Context = { ...options, memory: { foreign: createRecent(10_000), lastDrift: '', first: true } }
  let running: Promise<unknown> = Promise.resolve()

  return {
    run(reason) {
      const turn = running.then(() => reconcile(context, reason))
      running = turn.catch(() => {})
      return turn
    },
  }
}
