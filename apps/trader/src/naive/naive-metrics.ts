import { Counter, Histogram, Registry } from 'prom-client'
import { countSeries } from '../observe/series.ts'

/** The metrics a first version of a bot has: orders, how long they took, and errors by their message. */
export interface NaiveMetrics {
  ordered(symbol: string, side: string, elapsedMs: number): void
  failed(message: string): void
  /** Samples in the registry of this worker. */
  series(): Promise<number>
}

export function createNaiveMetrics(): NaiveMetrics {
  const registry = new Registry()
  const orders = new Counter({
    name: 'bot_orders_total',
    help: 'Orders placed',
    labelNames: ['symbol', 'side'],
    registers: [registry],
  })
  const seconds = new Histogram({
    name: 'bot_order_seconds',
    help: 'Seconds from sending an order to its answer',
    labelNames: ['symbol'],
    buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1],
    registers: [registry],
  })
  const errors = new Counter({
    name: 'bot_errors_total',
    help: 'Errors by message',
    labelNames: ['message'],
    registers: [registry],
  })
  return {
    ordered(symbol, side, elapsedMs) {
      orders.inc({ symbol, side })
      seconds.observe({ symbol }, elapsedMs / 1000)
    },
    failed(message) {
      errors.inc({ message })
    },
    series: () => countSeries(registry),
  }
}
