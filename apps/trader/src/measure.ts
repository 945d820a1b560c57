import type { BreakerEvent } from '@safety/breaker'
import type { IdempotencyEvent } from '@safety/idempotency'
import type { RedisChecksEvent } from '@safety/redis-checks'
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

/** What of a breaker's event a person hears. A move of the fleet is told once, by the process whose script made it. */
export function breakerNews(event: BreakerEvent): TraderEvent | undefined {
  const { breaker } = event
  if (event.type === 'degraded') {
    const detail = `${breaker} decides by what this process sees (${event.code})`
    return { type: 'notice', notice: 'breaker:degraded', detail }
  }
  if (event.type === 'recovered') {
    return {
      type: 'notice',
      notice: 'breaker:recovered',
      detail: `${breaker} was without Redis for ${event.awayMs} ms`,
    }
  }
  if (!event.first) return undefined
  if (event.type === 'opened') {
    const detail = `${breaker}: ${event.why}; tried again in ${event.coolOffMs} ms`
    return { type: 'alert', alert: 'BreakerOpen', detail }
  }
  if (event.type !== 'closed' && event.type !== 'ramped') return undefined
  return { type: 'notice', notice: `breaker:${event.type}`, detail: `${breaker} was open for ${event.openForMs} ms` }
}

/** What of an event of the checks a person hears. */
export function checksNews(event: RedisChecksEvent): TraderEvent | undefined {
  if (event.type === 'data-loss-suspected') {
    const detail = `${event.node} may have lost ${event.suspected} (${event.signal})`
    return { type: 'alert', alert: 'RedisUnsafe', detail }
  }
  if (event.type === 'hold-off-started') {
    return { type: 'notice', notice: 'redis-hold-off', detail: 'no entries until every old lease has run out' }
  }
  if (event.type === 'hold-off-ended') {
    return { type: 'notice', notice: 'redis-hold-off-ended', detail: 'entries are allowed again' }
  }
  if (event.type !== 'changed' || event.to !== 'fail') return undefined
  return { type: 'alert', alert: 'RedisUnsafe', detail: `${event.id} fails on ${event.node ?? 'the deployment'}` }
}
