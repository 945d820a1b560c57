import type { BalanceRow, TradeRow } from '../truth/entry.ts'
import { refile, type Account, type Books } from './books.ts'
import type { UserNotice } from './exchange-engine.ts'
import { money, print, ZERO, type Money } from './money.ts'
import { restOf, stateOf, type Order, type OrderState } from './order.ts'
import type { OrderStatus } from './order-answers.ts'
import { accountPosition, commissionOn, executionReport, type ExecutionType, type UserEvent } from './user-events.ts'

/**
 * One action of the engine on one account: an order, a cancel, a tick's fill. Facts go to the truth log at once; events are built at
 * once but leave together in `finish`, when the books agree with themselves, followed by one position of all assets that changed.
 */
export interface Action {
  /** Adds a state to the order and an event that tells it. */
  tell(order: Order, execution: ExecutionType, status: OrderStatus): void
  /** Fills part of an order; the money it pays comes from free funds for a taker, from locked ones for a maker. */
  fill(order: Order, price: Money, qty: Money, role: 'taker' | 'maker'): TradeRow
  /** Moves from free to locked; a negative amount moves back. */
  lock(asset: string, amount: Money): void
  finish(): void
}

export function beginAction(books: Books, account: Account): Action {
  const { timeline, truth, ids } = books
  const nowMs = timeline.nowMs()
  const seenMs = timeline.steadyMs()
  const pending: { order: Order; event: UserEvent; execution: ExecutionType; status: OrderStatus }[] = []
  const changed = new Set<string>()

  const change = (asset: string, free: Money, locked: Money): void => {
    account.ledger.change(asset, free, locked)
    changed.add(asset)
  }

  const enter = (order: Order, state: OrderState, execution: ExecutionType, trade?: TradeRow): void => {
    order.states.push(state)
    const event = executionReport(order, state, { execution, executionId: ++ids.execution, nowMs, trade })
    pending.push({ order, event, execution, status: state.status })
  }

  const tell = (order: Order, execution: ExecutionType, status: OrderStatus): void => {
    const { executedQty, quoteQty } = order.states.at(-1) ?? { executedQty: ZERO, quoteQty: ZERO }
    enter(order, { seenMs, updateTime: nowMs, status, executedQty, quoteQty }, execution)
  }

  const fill = (order: Order, price: Money, qty: Money, role: 'taker' | 'maker'): TradeRow => {
    const trade = describeTrade(order, { id: ++ids.trade, price, qty, role, nowMs })
    settle(order, trade, role, change)
    const before = stateOf(order)
    if (before.executedQty.eq('0')) account.budget.giveBack(nowMs, role)
    const executedQty = before.executedQty.plus(qty)
    const status = executedQty.eq(order.origQty) ? 'FILLED' : 'PARTIALLY_FILLED'
    const quoteQty = before.quoteQty.plus(trade.quoteQty)
    account.trades.push({ row: trade, order, seenMs })
    truth.append({ type: 'fill', account: account.name, ...trade })
    enter(order, { seenMs, updateTime: nowMs, status, executedQty, quoteQty }, 'TRADE', trade)
    return trade
  }

  const finish = (): void => {
    for (const { order, event, execution, status } of pending) {
      const { orderId, clientOrderId } = order
      truth.append({
        type: 'event',
        account: account.name,
        event: 'executionReport',
        orderId,
        clientOrderId,
        execution,
        status,
      })
      send(books, { ...noticeOf(account, order), event })
    }
    if (changed.size > 0) tellPosition(books, account, [...changed].sort())
  }

  return { tell, fill, lock: (asset, amount) => change(asset, amount.neg(), amount), finish }
}

function noticeOf(account: Account, order: Order): Omit<UserNotice, 'event'> {
  return {
    type: 'user',
    account: account.name,
    symbol: order.spec.symbol,
    side: order.side,
    clientOrderId: order.clientOrderId,
  }
}

function tellPosition(books: Books, account: Account, assets: readonly string[]): void {
  const balances: Record<string, BalanceRow> = {}
  for (const asset of assets) balances[asset] = account.ledger.now(asset)
  books.truth.append({ type: 'event', account: account.name, event: 'outboundAccountPosition', balances })
  send(books, {
    type: 'user',
    account: account.name,
    symbol: undefined,
    side: undefined,
    clientOrderId: undefined,
    event: accountPosition(balances, books.timeline.nowMs()),
  })
}

function send(books: Books, notice: UserNotice): void {
  for (const listener of books.userListeners) listener(notice)
}

function describeTrade(
  order: Order,
  fill: { id: number; price: Money; qty: Money; role: 'taker' | 'maker'; nowMs: number },
): TradeRow {
  const { spec } = order
  const quoteQty = fill.price.times(fill.qty)
  const isBuyer = order.side === 'BUY'
  return {
    symbol: spec.symbol,
    id: fill.id,
    orderId: order.orderId,
    orderListId: -1,
    price: print(fill.price),
    qty: print(fill.qty),
    quoteQty: print(quoteQty),
    commission: print(commissionOn(isBuyer ? fill.qty : quoteQty)),
    commissionAsset: isBuyer ? spec.base : spec.quote,
    time: fill.nowMs,
    isBuyer,
    isMaker: fill.role === 'maker',
    isBestMatch: true,
  }
}

function settle(
  order: Order,
  trade: TradeRow,
  role: 'taker' | 'maker',
  change: (asset: string, free: Money, locked: Money) => void,
): void {
  const { base, quote } = order.spec
  const [paid, paidAsset] = trade.isBuyer ? [trade.quoteQty, quote] : [trade.qty, base]
  const [received, receivedAsset] = trade.isBuyer ? [trade.qty, base] : [trade.quoteQty, quote]
  const out = money(paid).neg()
  change(paidAsset, role === 'taker' ? out : ZERO, role === 'taker' ? ZERO : out)
  change(receivedAsset, money(received).minus(trade.commission), ZERO)
}

/** A tick at `price` reaches resting orders: each is filled at its own price, by one level's quantity at most. Only while TRADING. */
export function fillResting(books: Books, symbol: string, price: Money): void {
  const resting = books.resting.get(symbol)
  const market = books.market.get(symbol)
  if (resting === undefined || resting.size === 0 || market?.status !== 'TRADING') return
  const book = market.book()
  for (const order of resting.values()) {
    const reached = order.side === 'BUY' ? price.lte(order.price) : price.gte(order.price)
    const level = (order.side === 'BUY' ? book.bids : book.asks)[0]
    const account = books.accounts.get(order.account)
    if (!reached || level === undefined || account === undefined) continue
    const rest = restOf(order)
    const action = beginAction(books, account)
    action.fill(order, order.price, rest.lt(level.qty) ? rest : level.qty, 'maker')
    refile(books, account, order)
    action.finish()
  }
}
