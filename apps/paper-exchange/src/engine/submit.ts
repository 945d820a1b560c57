import type { SymbolMarket } from '../market/market.ts'
import type { TradeRow } from '../truth/entry.ts'
import { beginAction } from './action.ts'
import { enterOrder, refile, type Account, type Books } from './books.ts'
import type { OrderCount, OrderRequest, SubmittedOrder } from './exchange-engine.ts'
import { checkFilters, filterFailure } from './filters.ts'
import { generatedId } from './generated-id.ts'
import { planByQuantity, planByWorth, reachableLevels, type TakerPlan } from './matching.ts'
import { money, print, ZERO, type Money } from './money.ts'
import { newOrderAnswer } from './new-order-answer.ts'
import { lockOf, restOf, stateOf, type Order } from './order.ts'
import { refusal, success, type Result } from './result.ts'

/** Everything decided about an order before it exists. */
interface Draft {
  readonly account: Account
  readonly market: SymbolMarket
  readonly request: OrderRequest
  readonly plan: TakerPlan
  /** FOK that cannot be filled whole takes nothing. */
  readonly takes: boolean
  readonly rests: boolean
}

/** Sections 4.7 to 4.9 in order; see `ExchangeEngine.submitOrder`. */
export function submitOrder(books: Books, request: OrderRequest): Result<SubmittedOrder> {
  const draft = admit(books, request)
  if (!draft.ok) {
    logRefusal(books, request, draft.error)
    return draft
  }
  return success(execute(books, draft.value))
}

/** Symbol and filters alone. */
export function testOrder(books: Books, request: OrderRequest): Result<Record<string, never>> {
  const checked = passFilters(books, request)
  return checked.ok ? success({}) : checked
}

/** The second time test failed: nothing is ordered, but the budget is charged. */
export function refuseLate(books: Books, request: OrderRequest, error: { code: number; msg: string }): OrderCount {
  const nowMs = books.timeline.nowMs()
  const account = books.accounts.get(request.account)
  account?.budget.add(nowMs)
  logRefusal(books, request, error)
  return account?.budget.count(nowMs) ?? { tenSeconds: 0, day: 0 }
}

function logRefusal(books: Books, request: OrderRequest, error: { code: number; msg: string }): void {
  books.truth.append({
    type: 'rejected',
    account: request.account,
    clientOrderId: request.newClientOrderId ?? null,
    symbol: request.symbol,
    side: request.side,
    kind: request.type,
    code: error.code,
    msg: error.msg,
    signedAtMs: request.signedAtMs ?? null,
  })
}

function passFilters(books: Books, request: OrderRequest): Result<{ account: Account; market: SymbolMarket }> {
  const account = books.accounts.get(request.account)
  if (account === undefined) return refusal(-2015, 'Invalid API-key, IP, or permissions for action.', { status: 401 })
  const market = books.market.get(request.symbol)
  if (market === undefined) return refusal(-1121, 'Invalid symbol.')
  const missing = missingParameter(request)
  if (missing !== undefined) {
    return refusal(-1102, `Mandatory parameter '${missing}' was not sent, was empty/null, or malformed.`)
  }
  let open = 0
  for (const order of account.open.values()) if (order.spec === market.spec) open++
  const error = checkFilters(request, market, open)
  return error === undefined ? success({ account, market }) : { ok: false, error }
}

function missingParameter(request: OrderRequest): string | undefined {
  if (request.type === 'MARKET') {
    return request.quantity === undefined && request.quoteOrderQty === undefined ? 'quantity' : undefined
  }
  if (request.price === undefined) return 'price'
  return request.quantity === undefined ? 'quantity' : undefined
}

function admit(books: Books, request: OrderRequest): Result<Draft> {
  const passed = passFilters(books, request)
  if (!passed.ok) return passed
  const { account, market } = passed.value
  const draft = planOrder(account, market, request)
  if (request.quoteOrderQty !== undefined && draft.plan.qty.lt(market.spec.lotStep)) {
    return { ok: false, error: filterFailure('LOT_SIZE') }
  }
  if (market.status !== 'TRADING') return refusal(-1013, 'Market is closed.')
  const overBudget = account.budget.check(books.timeline.nowMs())
  if (overBudget !== undefined) return { ok: false, error: overBudget }
  return decide(draft)
}

function planOrder(account: Account, market: SymbolMarket, request: OrderRequest): Draft {
  const limit = request.type === 'MARKET' ? undefined : money(request.price ?? '0')
  const levels = reachableLevels(market.book(), request.side, limit)
  const plan =
    request.quoteOrderQty === undefined
      ? planByQuantity(levels, money(request.quantity ?? '0'))
      : planByWorth(levels, money(request.quoteOrderQty), market.spec)
  const timeInForce = request.type === 'LIMIT' ? (request.timeInForce ?? 'GTC') : 'GTC'
  return {
    account,
    market,
    request,
    plan,
    takes: plan.fills.length > 0 && !(timeInForce === 'FOK' && plan.exhausted),
    rests: request.type !== 'MARKET' && timeInForce === 'GTC' && plan.exhausted,
  }
}

/** The engine's own refusals. */
function decide(draft: Draft): Result<Draft> {
  const { account, request } = draft
  if (request.newClientOrderId !== undefined && account.open.has(request.newClientOrderId)) {
    return refusal(-2010, 'Duplicate order sent.')
  }
  const { asset, amount } = neededFunds(draft)
  if (account.ledger.free(asset).lt(amount)) {
    return refusal(-2010, 'Account has insufficient balance for requested action.')
  }
  if (request.type === 'LIMIT_MAKER' && draft.plan.fills.length > 0) {
    return refusal(-2010, 'Order would immediately match and take.')
  }
  return success(draft)
}

function neededFunds({ market, request, plan }: Draft): { asset: string; amount: Money } {
  const { base, quote } = market.spec
  if (request.side === 'SELL') return { asset: base, amount: money(request.quantity ?? plan.qty.toFixed()) }
  if (request.quoteOrderQty !== undefined) return { asset: quote, amount: money(request.quoteOrderQty) }
  if (request.type === 'MARKET') return { asset: quote, amount: plan.quote }
  return { asset: quote, amount: money(request.price ?? '0').times(request.quantity ?? '0') }
}

function execute(books: Books, draft: Draft): SubmittedOrder {
  const { account, plan, request } = draft
  const { truth, timeline } = books
  const order = createOrder(books, draft)
  const { orderId, clientOrderId } = order
  const head = { account: account.name, orderId, clientOrderId, symbol: order.spec.symbol }
  account.budget.add(timeline.nowMs())
  enterOrder(books, account, order)
  truth.append({
    type: 'accepted',
    ...head,
    side: order.side,
    kind: order.type,
    qty: print(order.origQty),
    price: print(order.price),
    signedAtMs: request.signedAtMs ?? null,
  })
  const action = beginAction(books, account)
  action.tell(order, 'NEW', 'NEW')
  const trades: TradeRow[] = []
  if (draft.takes) for (const fill of plan.fills) trades.push(action.fill(order, fill.price, fill.qty, 'taker'))
  if (draft.rests) {
    const { asset, amount } = lockOf(order, restOf(order))
    action.lock(asset, amount)
  } else if (stateOf(order).status !== 'FILLED' || plan.exhausted) {
    truth.append({ type: 'expired', ...head })
    action.tell(order, 'EXPIRED', 'EXPIRED')
  }
  refile(books, account, order)
  action.finish()
  const orderCount = account.budget.count(timeline.nowMs())
  return { orderId, clientOrderId, answer: newOrderAnswer(order, trades, request.newOrderRespType), orderCount }
}

function createOrder(books: Books, { account, market, plan, request }: Draft): Order {
  const orderId = ++books.ids.order
  return {
    account: account.name,
    spec: market.spec,
    orderId,
    clientOrderId: request.newClientOrderId ?? generatedId(books.seed, `order|${orderId}`),
    side: request.side,
    type: request.type,
    timeInForce: request.type === 'LIMIT' ? (request.timeInForce ?? 'GTC') : 'GTC',
    price: request.type === 'MARKET' ? ZERO : money(request.price ?? '0'),
    origQty: request.quantity === undefined ? plan.qty : money(request.quantity),
    quoteOrderQty: request.quoteOrderQty === undefined ? ZERO : money(request.quoteOrderQty),
    selfTradePreventionMode: request.selfTradePreventionMode ?? 'NONE',
    strategyId: request.strategyId,
    strategyType: request.strategyType,
    createdMs: books.timeline.nowMs(),
    states: [],
    cancelId: undefined,
    hiddenUntilMs: 0,
  }
}
