import { print, ZERO, type Money } from './money.ts'
import { isOpen, type Order, type OrderState } from './order.ts'
import type { BalanceRow, TradeRow } from '../truth/entry.ts'

export type ExecutionType = 'NEW' | 'TRADE' | 'CANCELED' | 'EXPIRED'

/** The documented fields, in the documented order. `D`, `d` and the list and prevention fields belong to order kinds not offered. */
export interface ExecutionReport {
  readonly e: 'executionReport'
  /** Event time, ms. */
  readonly E: number
  readonly s: string
  /** Client order id; on a cancel the cancel's own. */
  readonly c: string
  readonly S: 'BUY' | 'SELL'
  readonly o: string
  readonly f: string
  readonly q: string
  readonly p: string
  readonly P: string
  readonly F: string
  readonly g: -1
  /** On a cancel the order's own id, else empty. */
  readonly C: string
  readonly x: ExecutionType
  readonly X: string
  readonly r: 'NONE'
  readonly i: number
  readonly l: string
  readonly z: string
  readonly L: string
  readonly n: string
  readonly N: string | null
  readonly T: number
  readonly t: number
  readonly I: number
  readonly w: boolean
  readonly m: boolean
  readonly M: boolean
  readonly O: number
  readonly Z: string
  readonly Y: string
  readonly Q: string
  readonly j?: number
  readonly J?: number
  readonly W: number
  readonly V: string
}

export interface AccountPosition {
  readonly e: 'outboundAccountPosition'
  readonly E: number
  /** Time of the last account update, ms. */
  readonly u: number
  readonly B: readonly { readonly a: string; readonly f: string; readonly l: string }[]
}

export type UserEvent = ExecutionReport | AccountPosition

export function executionReport(
  order: Order,
  state: OrderState,
  detail: { execution: ExecutionType; executionId: number; nowMs: number; trade?: TradeRow | undefined },
): ExecutionReport {
  const { execution, nowMs, trade } = detail
  const canceled = execution === 'CANCELED'
  return {
    e: 'executionReport',
    E: nowMs,
    s: order.spec.symbol,
    c: canceled ? (order.cancelId ?? '') : order.clientOrderId,
    S: order.side,
    o: order.type,
    f: order.timeInForce,
    q: print(order.origQty),
    p: print(order.price),
    P: print(ZERO),
    F: print(ZERO),
    g: -1,
    C: canceled ? order.clientOrderId : '',
    x: execution,
    X: state.status,
    r: 'NONE',
    i: order.orderId,
    l: trade?.qty ?? print(ZERO),
    z: print(state.executedQty),
    L: trade?.price ?? print(ZERO),
    n: trade?.commission ?? '0',
    N: trade?.commissionAsset ?? null,
    T: nowMs,
    t: trade?.id ?? -1,
    I: detail.executionId,
    w: isOpen(state),
    m: trade?.isMaker ?? false,
    M: trade !== undefined,
    O: order.createdMs,
    Z: print(state.quoteQty),
    Y: trade?.quoteQty ?? print(ZERO),
    Q: print(order.quoteOrderQty),
    ...(order.strategyId === undefined ? {} : { j: order.strategyId }),
    ...(order.strategyType === undefined ? {} : { J: order.strategyType }),
    W: order.createdMs,
    V: order.selfTradePreventionMode,
  }
}

export function accountPosition(balances: Readonly<Record<string, BalanceRow>>, nowMs: number): AccountPosition {
  return {
    e: 'outboundAccountPosition',
    E: nowMs,
    u: nowMs,
    B: Object.entries(balances).map(([a, { free, locked }]) => ({ a, f: free, l: locked })),
  }
}

/** A thousandth of what arrives, cut to eight decimals. */
export function commissionOn(received: Money): Money {
  return received.times(COMMISSION_RATE).round(8, 0)
}

const COMMISSION_RATE = '0.001'
