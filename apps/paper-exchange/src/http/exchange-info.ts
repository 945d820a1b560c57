import type { ExchangeCore, Outcome } from '../exchange-core.ts'
import type { Parameters } from './parameters.ts'
import { RAW_REQUEST_LIMIT } from './rate-gate.ts'
import { invalidSymbol } from './refusal.ts'
import type { Refusal } from './refusal.ts'

/** Orders per day and account. */
export const ORDERS_PER_DAY = 160_000

/** Answer of GET exchangeInfo: every limit that is enforced, and the asked symbols with their filters. */
export function exchangeInfo(core: ExchangeCore, p: Parameters): Outcome | Refusal {
  const { symbol, symbols } = p
  const names =
    symbol === undefined ? (symbols === undefined ? core.engine.symbols : (JSON.parse(symbols) as string[])) : [symbol]
  const infos = names.map(name => core.engine.symbolInfo(name))
  if (infos.includes(undefined)) return invalidSymbol
  return {
    body: {
      timezone: 'UTC',
      serverTime: core.engine.timeline.nowMs(),
      rateLimits: rateLimits(core),
      exchangeFilters: [],
      symbols: infos,
    },
  }
}

interface RateLimit {
  rateLimitType: 'REQUEST_WEIGHT' | 'ORDERS' | 'RAW_REQUESTS'
  interval: 'SECOND' | 'MINUTE' | 'DAY'
  intervalNum: number
  limit: number
}

/** The limits in force. */
export function rateLimits(core: ExchangeCore): RateLimit[] {
  return [
    { rateLimitType: 'REQUEST_WEIGHT', interval: 'MINUTE', intervalNum: 1, limit: core.weightLimit },
    { rateLimitType: 'ORDERS', interval: 'SECOND', intervalNum: 10, limit: core.orders10s },
    { rateLimitType: 'ORDERS', interval: 'DAY', intervalNum: 1, limit: ORDERS_PER_DAY },
    { rateLimitType: 'RAW_REQUESTS', interval: 'MINUTE', intervalNum: 5, limit: RAW_REQUEST_LIMIT },
  ]
}
