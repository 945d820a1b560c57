import type { ExchangeCore, Prepared } from '../exchange-core.ts'
import type { OrderRequest } from '../engine/exchange-engine.ts'
import type { Endpoint } from './admission.ts'
import { outcomeOf } from './engine-outcome.ts'
import { CANCEL_PARAMETERS, ORDER_PARAMETERS, readCancel, readOrder } from './order-parameters.ts'
import { isRefusal } from './parameters.ts'

/** Calls that change an account. They cost nothing unless they fail. */
export function createOrderEndpoints(core: ExchangeCore): Record<string, Endpoint> {
  const { engine } = core
  const changing = { security: 'signed', weight: () => 0, failureWeight: 1 } as const
  const place: Endpoint = {
    ...changing,
    parameters: ORDER_PARAMETERS,
    idParameter: 'newClientOrderId',
    prepare: (account, p, signedAtMs) => {
      const order = readOrder(account, p, signedAtMs)
      return isRefusal(order) ? order : placing(core, order)
    },
  }
  const test: Endpoint = {
    security: 'signed',
    weight: () => 1,
    parameters: ORDER_PARAMETERS,
    idParameter: 'newClientOrderId',
    prepare: (account, p, signedAtMs) => {
      const order = readOrder(account, p, signedAtMs)
      if (isRefusal(order)) return order
      return { run: () => outcomeOf(core, engine.testOrder(order)), symbol: order.symbol, side: order.side }
    },
  }
  const cancel: Endpoint = {
    ...changing,
    parameters: CANCEL_PARAMETERS,
    idParameter: 'origClientOrderId',
    prepare: (account, p) => {
      const request = readCancel(account, p)
      if (isRefusal(request)) return request
      return { run: () => outcomeOf(core, engine.cancelOrder(request)), symbol: request.symbol }
    },
  }
  const cancelAll: Endpoint = {
    ...changing,
    parameters: { symbol: 'symbol!' },
    prepare: (account, p) => {
      const symbol = p['symbol'] ?? ''
      return { run: () => outcomeOf(core, engine.cancelOpenOrders({ account, symbol })), symbol }
    },
  }
  return {
    'POST /api/v3/order': place,
    'POST /api/v3/order/test': test,
    'DELETE /api/v3/order': cancel,
    'DELETE /api/v3/openOrders': cancelAll,
  }
}

function placing(core: ExchangeCore, order: OrderRequest): Prepared {
  return {
    run: () =>
      outcomeOf(core, core.engine.submitOrder(order), ({ answer, orderId, orderCount }) => ({
        body: answer,
        orderId,
        orderCount,
      })),
    late: ({ code, msg }) => void core.engine.refuseLate(order, { code, msg }),
    symbol: order.symbol,
    side: order.side,
  }
}
