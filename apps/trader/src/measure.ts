import type { IdempotencyEvent } from '@safety/idempotency'
import type { TraderMetrics } from './observe/trader-metrics.ts'
import type { TraderEvent } from './report.ts'

/** Keeps the metrics by what happens. Label values come from closed sets: symbols, sides, states, codes. */
export function measure(metrics: TraderMetrics, event: TraderEvent): void {
  switch (event.type) {
    case 'transition':
      metrics.order(event.symbol, event.side, event.to)
      return
    case 'alert':
      if (event.alert === 'DuplicateOrder') metrics.duplicateOrder()
      return
    case 'error':
      metrics.error(event.reason)
      return
    case 'ready':
    case 'invoke':
    case 'request':
    case 'return':
    case 'notice':
    case 'status':
    case 'drained':
    case 'stopped':
      return
    default:
      event satisfies never
  }
}

const rare: ReadonlySet<IdempotencyEvent['type']> = new Set<IdempotencyEvent['type']>([
  'overturned',
  'claim-lost',
  'lease-lost',
  'record-delayed',
  'recorded-late',
  'store-loss',
  'doubt-stuck',
  'lapsed',
])

/** What of an idempotency event a person reads in the log; `undefined` for the everyday ones. */
export function noticeOf(event: IdempotencyEvent): string | undefined {
  return rare.has(event.type) ? `idempotency:${event.type}` : undefined
}
