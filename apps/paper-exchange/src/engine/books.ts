import type { Market } from '../market/market.ts'
import type { TradeRow, TruthLog } from '../truth/entry.ts'
import type { MarketNotice, UserNotice } from './exchange-engine.ts'
import { createLedger, type Ledger } from './ledger.ts'
import type { Money } from './money.ts'
import { isOpen, stateOf, type Order } from './order.ts'
import { createOrderBudget, type OrderBudget } from './order-budget.ts'
import type { Timeline } from './timeline.ts'

/** One account's own trade, with the moment from which lagging reads see it. */
export interface AccountTrade {
  readonly row: TradeRow
  readonly order: Order
  readonly seenMs: number
}

export interface IdUse {
  readonly order: Order
  /** A cancel's id names the order from the cancel on. */
  readonly seenMs: number
}

export interface Account {
  readonly name: string
  readonly opening: Readonly<Record<string, Money>>
  readonly budget: OrderBudget
  ledger: Ledger
  /** By order id, which is also their order. */
  orders: Map<number, Order>
  /** Every order a client id ever named, oldest first; cancels' ids included. */
  byClientId: Map<string, IdUse[]>
  /** Open orders by their own client id. */
  open: Map<string, Order>
  trades: AccountTrade[]
}

/** Everything that changes, and the ports through which it is told. */
export interface Books {
  readonly timeline: Timeline
  readonly truth: TruthLog
  readonly market: Market
  readonly readLagMs: number
  readonly limits: { readonly tenSeconds: number; readonly day: number }
  readonly accounts: Map<string, Account>
  /** Open orders of all accounts per symbol, by order id. */
  readonly resting: Map<string, Map<number, Order>>
  readonly byOrderId: Map<number, Order>
  readonly ids: { order: number; trade: number; execution: number }
  readonly userListeners: Set<(notice: UserNotice) => void>
  readonly marketListeners: Set<(notice: MarketNotice) => void>
  readonly seed: string
}

export function openAccount(books: Books, name: string, opening: Readonly<Record<string, Money>>): Account {
  const account: Account = {
    name,
    opening,
    budget: createOrderBudget(books.limits),
    ...emptyBooks(books, opening),
  }
  books.accounts.set(name, account)
  return account
}

/** Back to the opening balances; the order budget's windows run on. */
export function wipeAccount(books: Books, account: Account): void {
  for (const order of account.open.values()) books.resting.get(order.spec.symbol)?.delete(order.orderId)
  for (const orderId of account.orders.keys()) books.byOrderId.delete(orderId)
  Object.assign(account, emptyBooks(books, account.opening))
}

function emptyBooks(
  books: Books,
  opening: Readonly<Record<string, Money>>,
): Pick<Account, 'ledger' | 'orders' | 'byClientId' | 'open' | 'trades'> {
  const { timeline, readLagMs } = books
  return {
    ledger: createLedger({
      balances: opening,
      readLagMs,
      elapsedMs: () => timeline.steadyMs(),
      nowMs: () => timeline.nowMs(),
    }),
    orders: new Map(),
    byClientId: new Map(),
    open: new Map(),
    trades: [],
  }
}

/** Enters a new order, open, under its own id. */
export function enterOrder(books: Books, account: Account, order: Order): void {
  account.orders.set(order.orderId, order)
  account.open.set(order.clientOrderId, order)
  books.byOrderId.set(order.orderId, order)
  nameOrder(books, account, order.clientOrderId, order)
}

export function nameOrder(books: Books, account: Account, id: string, order: Order): void {
  const use = { order, seenMs: books.timeline.steadyMs() }
  const uses = account.byClientId.get(id)
  if (uses === undefined) account.byClientId.set(id, [use])
  else uses.push(use)
}

/** Keeps the two indexes of open orders in step with an order's state. */
export function refile(books: Books, account: Account, order: Order): void {
  const resting = books.resting.get(order.spec.symbol)
  if (isOpen(stateOf(order))) {
    account.open.set(order.clientOrderId, order)
    resting?.set(order.orderId, order)
    return
  }
  if (account.open.get(order.clientOrderId) === order) account.open.delete(order.clientOrderId)
  resting?.delete(order.orderId)
}
