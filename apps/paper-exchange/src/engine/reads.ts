import { createHash } from 'node:crypto'
import type { TradeRow } from '../truth/entry.ts'
import type { Account, Books } from './books.ts'
import type { AllOrdersQuery, OrderReference, TradesQuery } from './exchange-engine.ts'
import { describeOrder, isOpen, type Order, type OrderState } from './order.ts'
import type { AccountAnswer, OrderReport } from './order-answers.ts'
import { refusal, success, type Result } from './result.ts'

const DAY_MS = 86_400_000
const NO_ORDER = refusal(-2013, 'Order does not exist.')

/** What a read sees: the account as it was `readLagMs` ago. */
interface View {
  readonly account: Account
  /** Elapsed server time the read looks back to. */
  readonly seenMs: number
  readonly state: (order: Order) => OrderState | undefined
}

function look(books: Books, name: string, symbol?: string): Result<View> {
  const account = books.accounts.get(name)
  if (account === undefined) return refusal(-2015, 'Invalid API-key, IP, or permissions for action.', { status: 401 })
  if (symbol !== undefined && books.market.get(symbol) === undefined) return refusal(-1121, 'Invalid symbol.')
  const elapsedMs = books.timeline.steadyMs()
  const seenMs = elapsedMs - books.readLagMs
  return success({
    account,
    seenMs,
    state: order =>
      elapsedMs < order.hiddenUntilMs ? undefined : order.states.findLast(state => state.seenMs <= seenMs),
  })
}

export function getOrder(books: Books, reference: OrderReference): Result<OrderReport> {
  const { orderId, origClientOrderId, symbol } = reference
  if (orderId === undefined && origClientOrderId === undefined) {
    return refusal(-1102, `Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!`)
  }
  const view = look(books, reference.account, symbol)
  if (!view.ok) return view
  const order =
    orderId === undefined
      ? newestNamed(view.value, symbol, origClientOrderId ?? '')
      : view.value.account.orders.get(orderId)
  const state = order && order.spec.symbol === symbol ? view.value.state(order) : undefined
  if (order === undefined || state === undefined) return NO_ORDER
  if (orderId !== undefined && origClientOrderId !== undefined && !isNamed(order, origClientOrderId)) {
    return refusal(-2039, 'Client order ID is not correct for this order ID.')
  }
  return success(describeOrder(order, state))
}

function newestNamed(view: View, symbol: string, id: string): Order | undefined {
  const uses = view.account.byClientId.get(id) ?? []
  return uses.findLast(
    use => use.order.spec.symbol === symbol && use.seenMs <= view.seenMs && view.state(use.order) !== undefined,
  )?.order
}

function isNamed(order: Order, id: string): boolean {
  return order.clientOrderId === id || order.cancelId === id
}

export function openOrders(
  books: Books,
  query: { account: string; symbol?: string | undefined },
): Result<readonly OrderReport[]> {
  const view = look(books, query.account, query.symbol)
  if (!view.ok) return view
  const rows: OrderReport[] = []
  for (const order of view.value.account.orders.values()) {
    if (query.symbol !== undefined && order.spec.symbol !== query.symbol) continue
    const state = view.value.state(order)
    if (state !== undefined && isOpen(state)) rows.push(describeOrder(order, state))
  }
  return success(rows)
}

export function allOrders(books: Books, query: AllOrdersQuery): Result<readonly OrderReport[]> {
  const view = look(books, query.account, query.symbol)
  if (!view.ok) return view
  if (spansOverADay(query)) return refusal(-1127, 'More than 24 hours between startTime and endTime.')
  const rows: OrderReport[] = []
  for (const order of view.value.account.orders.values()) {
    if (order.spec.symbol !== query.symbol || order.orderId < (query.orderId ?? 0)) continue
    if (!isWithin(order.createdMs, query)) continue
    const state = view.value.state(order)
    if (state !== undefined) rows.push(describeOrder(order, state))
  }
  return success(page(rows, query, query.orderId !== undefined))
}

export function myTrades(books: Books, query: TradesQuery): Result<readonly TradeRow[]> {
  const view = look(books, query.account, query.symbol)
  if (!view.ok) return view
  if (!isDocumented(query)) return refusal(-1128, 'Combination of optional parameters invalid.')
  if (spansOverADay(query)) return refusal(-1127, 'More than 24 hours between startTime and endTime.')
  const { seenMs, account, state } = view.value
  const rows = account.trades
    .filter(trade => trade.seenMs <= seenMs && state(trade.order) !== undefined)
    .map(trade => trade.row)
    .filter(row => row.symbol === query.symbol && row.id >= (query.fromId ?? 0))
    .filter(row => query.orderId === undefined || row.orderId === query.orderId)
    .filter(row => isWithin(row.time, query))
  return success(page(rows, query, query.fromId !== undefined || query.orderId !== undefined))
}

/** symbol alone, or with orderId, fromId, both, startTime, endTime, or startTime and endTime. */
function isDocumented(query: TradesQuery): boolean {
  const timed = query.startTime !== undefined || query.endTime !== undefined
  return !(timed && (query.orderId !== undefined || query.fromId !== undefined))
}

function spansOverADay(query: { startTime?: number | undefined; endTime?: number | undefined }): boolean {
  return query.startTime !== undefined && query.endTime !== undefined && query.endTime - query.startTime > DAY_MS
}

function isWithin(atMs: number, query: { startTime?: number | undefined; endTime?: number | undefined }): boolean {
  return atMs >= (query.startTime ?? -Infinity) && atMs <= (query.endTime ?? Infinity)
}

/** With a starting point the oldest from there, else the newest; oldest first either way. */
function page<T>(
  rows: readonly T[],
  query: { limit?: number | undefined; startTime?: number | undefined },
  fromStart: boolean,
): readonly T[] {
  const limit = Math.min(1000, query.limit ?? 500)
  return fromStart || query.startTime !== undefined ? rows.slice(0, limit) : rows.slice(-limit)
}

export function readAccount(
  books: Books,
  query: { account: string; omitZeroBalances?: boolean | undefined },
): Result<AccountAnswer> {
  const view = look(books, query.account)
  if (!view.ok) return view
  const { account, seenMs } = view.value
  const balances = account.ledger
    .assets()
    .map(asset => ({ asset, ...account.ledger.at(asset, seenMs) }))
    .filter(({ free, locked }) => query.omitZeroBalances !== true || /[1-9]/.test(free + locked))
  return success({
    makerCommission: 10,
    takerCommission: 10,
    buyerCommission: 0,
    sellerCommission: 0,
    commissionRates: { maker: '0.00100000', taker: '0.00100000', buyer: '0.00000000', seller: '0.00000000' },
    canTrade: true,
    canWithdraw: false,
    canDeposit: false,
    brokered: false,
    requireSelfTradePrevention: false,
    preventSor: false,
    updateTime: account.ledger.updatedAt(seenMs),
    accountType: 'SPOT',
    balances,
    permissions: ['SPOT'],
    uid: createHash('sha256').update(`uid|${books.seed}|${account.name}`).digest().readUIntBE(0, 4),
  })
}
