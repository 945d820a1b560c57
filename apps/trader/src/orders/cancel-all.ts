import type { ExchangeApi } from '../exchange/api.ts'
import type { Report } from '../report.ts'
import { intentIdOf } from './intent.ts'

/** Cancels every resting order of ours that the exchange shows; needs no Redis. Answers how many were cancelled. */
export async function cancelOurOrders(api: ExchangeApi, symbols: readonly string[], report: Report): Promise<number> {
  let cancelled = 0
  for (const symbol of symbols) {
    const open = await api.openOrders(symbol)
    if (!open.ok) {
      report({ type: 'error', reason: open.outcome.reason, detail: `open orders of ${symbol} cannot be read` })
      continue
    }
    for (const order of open.value) {
      const id = intentIdOf(order.clientOrderId)
      if (id === undefined) continue
      const answer = await api.cancel(symbol, order.clientOrderId)
      if (answer.ok) cancelled += 1
      // Another worker was faster, or it filled meanwhile.
      else if (answer.outcome.class !== 'CANCEL_UNKNOWN')
        report({ type: 'error', reason: answer.outcome.reason, detail: `order ${order.orderId} was not cancelled` })
    }
  }
  return cancelled
}
