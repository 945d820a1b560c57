import type { TradeRow } from '../truth/entry.ts'
import type { OrderResponseType } from './exchange-engine.ts'
import { print } from './money.ts'
import { stateOf, strategyOf, type Order } from './order.ts'

/** Body of a 200 to POST order. @default FULL for LIMIT and MARKET, ACK for LIMIT_MAKER */
export function newOrderAnswer(
  order: Order,
  trades: readonly TradeRow[],
  asked: OrderResponseType | undefined,
): Readonly<Record<string, unknown>> {
  const responseType = asked ?? (order.type === 'LIMIT_MAKER' ? 'ACK' : 'FULL')
  const state = stateOf(order)
  const ack = {
    symbol: order.spec.symbol,
    orderId: order.orderId,
    orderListId: -1,
    clientOrderId: order.clientOrderId,
    transactTime: order.createdMs,
  }
  if (responseType === 'ACK') return ack
  const result = {
    ...ack,
    price: print(order.price),
    origQty: print(order.origQty),
    executedQty: print(state.executedQty),
    origQuoteOrderQty: print(order.quoteOrderQty),
    cummulativeQuoteQty: print(state.quoteQty),
    status: state.status,
    timeInForce: order.timeInForce,
    type: order.type,
    side: order.side,
    workingTime: order.createdMs,
    ...strategyOf(order),
    selfTradePreventionMode: order.selfTradePreventionMode,
  }
  return responseType === 'RESULT' ? result : { ...result, fills: trades.map(describeFill) }
}

function describeFill(trade: TradeRow): Readonly<Record<string, unknown>> {
  const { price, qty, commission, commissionAsset, id } = trade
  return { price, qty, commission, commissionAsset, tradeId: id }
}
