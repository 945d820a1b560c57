import { money, ZERO, type Money } from '../engine/money.ts'
import { splitSymbol } from '../engine/symbol.ts'
import type { TruthEntry } from '../truth/entry.ts'

type Accepted = Extract<TruthEntry, { type: 'accepted' }>
type Fill = Extract<TruthEntry, { type: 'fill' }>
type Wipe = Extract<TruthEntry, { type: 'wipe' }>
type Position = Extract<TruthEntry, { event: 'outboundAccountPosition' }>

interface ReplayedOrder {
  readonly accepted: Accepted
  filled: Money
}

/** An account's books worked out again from the facts alone, and held against every position the exchange told. */
export interface BooksReplay {
  /** Takes the account's entries in order. */
  take(entry: TruthEntry): void
  /** Ends the log: what is left untold is held against the last positions. */
  end(): void
  /** Balances (free and locked) as the exchange last told them. */
  told(): ReadonlyMap<string, Money>
  /** `seq` of the entry that last told an asset. */
  toldBy(asset: string): number | undefined
  /** `seq` of every entry that contradicts the facts before it. */
  readonly breaches: readonly number[]
}

/** What the facts so far amount to. */
interface Replayed {
  readonly breaches: number[]
  readonly tradeIds: Set<string>
  readonly told: Map<string, Money>
  readonly toldBy: Map<string, number>
  readonly totals: Map<string, Money>
  readonly open: Map<number, ReplayedOrder>
  lastFill: number | undefined
}

/** Replays one account for A7. */
export function createBooksReplay(): BooksReplay {
  const state: Replayed = {
    breaches: [],
    tradeIds: new Set(),
    told: new Map(),
    toldBy: new Map(),
    totals: new Map(),
    open: new Map(),
    lastFill: undefined,
  }
  const { breaches, told, toldBy, totals } = state
  return {
    take: entry => take(state, entry),
    end: () => {
      for (const [asset, total] of totals) {
        if (!total.eq(told.get(asset) ?? ZERO)) breaches.push(state.lastFill ?? toldBy.get(asset) ?? 0)
      }
    },
    told: () => told,
    toldBy: asset => toldBy.get(asset),
    breaches,
  }
}

function take(state: Replayed, entry: TruthEntry): void {
  if (entry.type === 'wipe') takeWipe(state, entry)
  else if (entry.type === 'accepted') state.open.set(entry.orderId, { accepted: entry, filled: ZERO })
  else if (entry.type === 'fill') takeFill(state, entry)
  else if (entry.type === 'canceled' || entry.type === 'expired') state.open.delete(entry.orderId)
  else if (entry.type === 'event' && entry.event === 'outboundAccountPosition') takePosition(state, entry)
}

function takeWipe({ breaches, open, told, toldBy, totals }: Replayed, entry: Wipe): void {
  open.clear()
  totals.clear()
  told.clear()
  for (const [asset, text] of Object.entries(entry.balances)) {
    const amount = money(text)
    totals.set(asset, amount)
    told.set(asset, amount)
    toldBy.set(asset, entry.seq)
    if (amount.lt('0')) breaches.push(entry.seq)
  }
}

function takeFill(state: Replayed, entry: Fill): void {
  const { breaches, open, totals, tradeIds } = state
  const order = open.get(entry.orderId)
  const tradeId = `${entry.symbol}|${entry.id}`
  if (!isSoundFill(entry, order) || tradeIds.has(tradeId)) breaches.push(entry.seq)
  tradeIds.add(tradeId)
  state.lastFill = entry.seq
  if (order !== undefined) {
    order.filled = order.filled.plus(entry.qty)
    if (order.filled.gte(order.accepted.qty)) open.delete(entry.orderId)
  }
  const move = (asset: string, by: Money): void => {
    totals.set(asset, (totals.get(asset) ?? ZERO).plus(by))
  }
  const assets = splitSymbol(entry.symbol)
  if (assets === undefined) return
  const [qty, quoteQty] = [money(entry.qty), money(entry.quoteQty)]
  move(assets.base, entry.isBuyer ? qty : qty.neg())
  move(assets.quote, entry.isBuyer ? quoteQty.neg() : quoteQty)
  move(entry.commissionAsset, money(entry.commission).neg())
}

function takePosition({ breaches, open, told, toldBy, totals }: Replayed, entry: Position): void {
  const locks = lockedBy(open.values())
  let sound = true
  for (const [asset, row] of Object.entries(entry.balances)) {
    const [free, locked] = [money(row.free), money(row.locked)]
    const total = free.plus(locked)
    told.set(asset, total)
    toldBy.set(asset, entry.seq)
    sound &&=
      free.gte('0') && locked.gte('0') && locked.eq(locks.get(asset) ?? ZERO) && total.eq(totals.get(asset) ?? ZERO)
  }
  if (!sound) breaches.push(entry.seq)
}

/** A fill of an accepted order, within its quantity and its limit, worth price times quantity. */
function isSoundFill(fill: Fill, order: ReplayedOrder | undefined): boolean {
  if (order === undefined || order.accepted.symbol !== fill.symbol) return false
  const { accepted } = order
  const limit = money(accepted.price)
  const withinLimit = limit.eq('0') || (fill.isBuyer ? money(fill.price).lte(limit) : money(fill.price).gte(limit))
  return (
    withinLimit &&
    fill.isBuyer === (accepted.side === 'BUY') &&
    money(fill.qty).gt('0') &&
    money(fill.commission).gte('0') &&
    money(fill.price).times(fill.qty).eq(fill.quoteQty) &&
    order.filled.plus(fill.qty).lte(accepted.qty)
  )
}

function lockedBy(orders: Iterable<ReplayedOrder>): Map<string, Money> {
  const locks = new Map<string, Money>()
  for (const { accepted, filled } of orders) {
    const assets = splitSymbol(accepted.symbol)
    if (assets === undefined) continue
    const rest = money(accepted.qty).minus(filled)
    const [asset, amount] = accepted.side === 'BUY' ? [assets.quote, rest.times(accepted.price)] : [assets.base, rest]
    locks.set(asset, (locks.get(asset) ?? ZERO).plus(amount))
  }
  return locks
}
