import { readJson } from './passing.ts'
import type { UpstreamAnswer } from './upstream.ts'

/** Orders the proxy keeps out of reads for a while, by their ids. */
export interface HiddenOrders {
  hide(orderId: number, untilMs: number): void
  /** Takes hidden orders out of the answer of a read. */
  filter(path: string, answer: UpstreamAnswer, nowMs: number): UpstreamAnswer
}

const LISTS = ['/api/v3/openOrders', '/api/v3/allOrders', '/api/v3/myTrades']
const NOT_FOUND = Buffer.from('{"code":-2013,"msg":"Order does not exist."}')

/** Creates an empty list. */
export function createHiddenOrders(): HiddenOrders {
  const untilByOrder = new Map<number, number>()
  return {
    hide: (orderId, untilMs) => void untilByOrder.set(orderId, untilMs),
    filter: (path, answer, nowMs) => {
      for (const [orderId, untilMs] of untilByOrder) if (untilMs <= nowMs) untilByOrder.delete(orderId)
      if (untilByOrder.size === 0 || answer.status !== 200) return answer
      const isHidden = (row: unknown): boolean => untilByOrder.has((row as { orderId?: number }).orderId ?? -1)
      const body = readJson(answer.body)
      if (path === '/api/v3/order' && typeof body === 'object' && body !== null && isHidden(body)) {
        return { ...answer, status: 400, body: NOT_FOUND }
      }
      if (!LISTS.includes(path) || !Array.isArray(body) || !body.some(isHidden)) return answer
      return { ...answer, body: Buffer.from(JSON.stringify(body.filter(row => !isHidden(row)))) }
    },
  }
}
