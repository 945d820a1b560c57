import { print, ZERO, type Money } from './money.ts'
import type { OrderReport, OrderStatus } from './order-answers.ts'
import type { SymbolSpec } from './symbol.ts'

/** The part of an order that changes, as it was from `seenMs` on. */
export interface OrderState {
  /** Elapsed server time. */
  readonly seenMs: number
  readonly updateTime: number
  readonly status: OrderStatus
  readonly executedQty: Money
  readonly quoteQty: Money
}

export interface Order {
  readonly account: string
  readonly spec: SymbolSpec
  readonly orderId: number
  readonly clientOrderId: string
  readonly side: 'BUY' | 'SELL'
  readonly type: 'LIMIT' | 'MARKET' | 'LIMIT_MAKER'
  readonly timeInForce: 'GTC' | 'IOC' | 'FOK'
  /** Zero for MARKET. */
  readonly price: Money
  readonly origQty: Money
  /** Zero unless ordered by worth. */
  readonly quoteOrderQty: Money
  readonly selfTradePreventionMode: string
  readonly strategyId?: number | undefined
  readonly strategyType?: number | undefined
  readonly createdMs: number
  /** Oldest first, never empty once accepted. */
  readonly states: OrderState[]
  cancelId: string | undefined
  /** Elapsed server time until which reads do not see it. */
  hiddenUntilMs: number
}

export function stateOf(order: Order): OrderState {
  return order.states.at(-1) as OrderState
}

export function isOpen(state: OrderState): boolean {
  return state.status === 'NEW' || state.status === 'PARTIALLY_FILLED'
}

export function restOf(order: Order): Money {
  return order.origQty.minus(stateOf(order).executedQty)
}

/** What one unit of the rest keeps locked: the price for a BUY, one of the base asset for a SELL. */
export function lockOf(order: Order, qty: Money): { asset: string; amount: Money } {
  return order.side === 'BUY'
    ? { asset: order.spec.quote, amount: order.price.times(qty) }
    : { asset: order.spec.base, amount: qty }
}

export function describeOrder(order: Order, state: OrderState): OrderReport {
  return {
    symbol: order.spec.symbol,
    orderId: order.orderId,
    orderListId: -1,
    clientOrderId: order.clientOrderId,
    price: print(order.price),
    origQty: print(order.origQty),
    executedQty: print(state.executedQty),
    cummulativeQuoteQty: print(state.quoteQty),
    status: state.status,
    timeInForce: order.timeInForce,
    type: order.type,
    side: order.side,
    stopPrice: print(ZERO),
    icebergQty: print(ZERO),
    time: order.createdMs,
    updateTime: state.updateTime,
    isWorking: true,
    workingTime: order.createdMs,
    origQuoteOrderQty: print(order.quoteOrderQty),
    selfTradePreventionMode: order.selfTradePreventionMode,
    ...strategyOf(order),
  }
}

/** Shown only on orders that were placed with them. */
export function strategyOf(order: Order): { strategyId?: number; strategyType?: number } {
  return {
    ...(order.strategyId === undefined ? {} : { strategyId: order.strategyId }),
    ...(order.strategyType === undefined ? {} : { strategyType: order.strategyType }),
  }
}
