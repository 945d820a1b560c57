import { beginAction } from './action.ts'
import { nameOrder, refile, type Account, type Books } from './books.ts'
import type { CancelRequest } from './exchange-engine.ts'
import { generatedId } from './generated-id.ts'
import { print } from './money.ts'
import { isOpen, lockOf, restOf, stateOf, strategyOf, type Order } from './order.ts'
import type { CancelReport } from './order-answers.ts'
import { refusal, success, type ExchangeError, type Result } from './result.ts'

const UNKNOWN_ORDER: ExchangeError = { code: -2011, msg: 'Unknown order sent.' }

export function cancelOrder(books: Books, request: CancelRequest): Result<CancelReport> {
  const found = findOpen(books, request)
  if (!found.ok) return found
  const { account, order } = found.value
  const { status } = stateOf(order)
  const restricted =
    (request.cancelRestrictions === 'ONLY_NEW' && status !== 'NEW') ||
    (request.cancelRestrictions === 'ONLY_PARTIALLY_FILLED' && status !== 'PARTIALLY_FILLED')
  if (restricted) return refusal(-2011, 'Order was not canceled due to cancel restrictions.')
  return success(cancel(books, account, order, request.newClientOrderId))
}

export function cancelOpenOrders(
  books: Books,
  request: { account: string; symbol: string },
): Result<readonly CancelReport[]> {
  const at = locate(books, request)
  if (!at.ok) return at
  const orders = [...at.value.open.values()].filter(order => order.spec.symbol === request.symbol)
  if (orders.length === 0) return { ok: false, error: UNKNOWN_ORDER }
  orders.sort((one, other) => one.orderId - other.orderId)
  return success(orders.map(order => cancel(books, at.value, order, undefined)))
}

function locate(books: Books, request: { account: string; symbol: string }): Result<Account> {
  const account = books.accounts.get(request.account)
  if (account === undefined) return refusal(-2015, 'Invalid API-key, IP, or permissions for action.', { status: 401 })
  const market = books.market.get(request.symbol)
  if (market === undefined) return refusal(-1121, 'Invalid symbol.')
  if (market.status === 'HALT') return refusal(-1013, 'Market is closed.')
  return success(account)
}

function findOpen(books: Books, request: CancelRequest): Result<{ account: Account; order: Order }> {
  if (request.orderId === undefined && request.origClientOrderId === undefined) {
    return refusal(-1102, `Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!`)
  }
  const at = locate(books, request)
  if (!at.ok) return at
  const account = at.value
  const order =
    request.orderId === undefined
      ? account.open.get(request.origClientOrderId ?? '')
      : account.orders.get(request.orderId)
  const matches =
    order !== undefined &&
    isOpen(stateOf(order)) &&
    order.spec.symbol === request.symbol &&
    (request.origClientOrderId === undefined || request.origClientOrderId === order.clientOrderId)
  return matches ? success({ account, order }) : { ok: false, error: UNKNOWN_ORDER }
}

function cancel(books: Books, account: Account, order: Order, asked: string | undefined): CancelReport {
  const nowMs = books.timeline.nowMs()
  const cancelId = asked ?? generatedId(books.seed, `cancel|${order.orderId}`)
  order.cancelId = cancelId
  nameOrder(books, account, cancelId, order)
  books.truth.append({
    type: 'canceled',
    account: account.name,
    orderId: order.orderId,
    clientOrderId: order.clientOrderId,
    cancelId,
    symbol: order.spec.symbol,
  })
  const { asset, amount } = lockOf(order, restOf(order))
  const action = beginAction(books, account)
  action.tell(order, 'CANCELED', 'CANCELED')
  action.lock(asset, amount.neg())
  refile(books, account, order)
  action.finish()
  return describeCancel(order, cancelId, nowMs)
}

function describeCancel(order: Order, cancelId: string, nowMs: number): CancelReport {
  const state = stateOf(order)
  return {
    symbol: order.spec.symbol,
    origClientOrderId: order.clientOrderId,
    orderId: order.orderId,
    orderListId: -1,
    clientOrderId: cancelId,
    transactTime: nowMs,
    price: print(order.price),
    origQty: print(order.origQty),
    executedQty: print(state.executedQty),
    origQuoteOrderQty: print(order.quoteOrderQty),
    cummulativeQuoteQty: print(state.quoteQty),
    status: state.status,
    timeInForce: order.timeInForce,
    type: order.type,
    side: order.side,
    ...strategyOf(order),
    selfTradePreventionMode: order.selfTradePreventionMode,
  }
}
