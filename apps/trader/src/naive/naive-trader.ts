import type { Clock } from '@safety/redis-core'
import { failedFilter, type SymbolRules } from '../exchange/filters.ts'
import type { RestClient } from '../exchange/rest-client.ts'
import type { Intent } from '../orders/intent.ts'
import { mintIntent } from '../orders/mint.ts'
import type { Bar, Strategy } from '../strategy/strategy.ts'
import type { BookFile } from './book-file.ts'
import { changesOf, createOrder, ExchangeError, type OrderAnswer } from './create-order.ts'
import type { NaiveInit } from './naive-init.ts'
import type { NaiveMetrics } from './naive-metrics.ts'
import { orderWithRetry } from './order-with-retry.ts'

/** What the worker tells the demo; the trader itself never reads it back. */
export type NaiveReport =
  | { type: 'invoke'; op: string; key: string; fp: string }
  | { type: 'request'; op: string; key: string; attempt: number; signedAtMs: number }
  | { type: 'return'; op: string; key: string; outcome: 'ran'; value: string }
  | { type: 'return'; op: string; key: string; outcome: 'not-run'; code: string }

export interface NaiveTrader {
  /** Called with each closed bar of one of its symbols. */
  onBar(symbol: string, bar: Bar): void
  /** Resolves when no order is on its way. */
  idle(): Promise<void>
}

export interface NaiveTraderOptions {
  readonly init: NaiveInit
  readonly strategy: Strategy
  readonly rules: ReadonlyMap<string, SymbolRules>
  readonly client: RestClient
  readonly book: BookFile
  /** Intents the book has from before a restart. */
  readonly booked: ReadonlySet<string>
  readonly metrics: NaiveMetrics
  readonly clock: Clock
  readonly report: (line: NaiveReport) => void
}

/** Places one intent and books what became of it. */
async function run(options: NaiveTraderOptions, intent: Intent, rule: SymbolRules, op: string): Promise<void> {
  const { init, client, book, metrics, clock, report } = options
  const { id: key, symbol, side, quantity } = intent
  const startedAt = clock.monotonic()
  report({ type: 'invoke', op, key, fp: `${symbol}|${side}|${quantity}` })
  const send = (attempt: number): Promise<OrderAnswer> => {
    const timestampMs = clock.now()
    report({ type: 'request', op, key, attempt, signedAtMs: timestampMs })
    return createOrder(client, intent, { timestampMs, recvWindowMs: init.settings.recvWindowMs })
  }
  try {
    const filter = failedFilter(rule, intent)
    if (filter !== undefined) throw new ExchangeError(`filter ${filter}`, undefined)
    const answer = await orderWithRetry(clock, send, error =>
      metrics.failed(`Error submitting ${side} order for ${quantity} ${symbol}: ${error.message}`),
    )
    const value = String(answer.orderId)
    book.append({ id: key, status: 'ordered', orderId: value, changes: changesOf(answer, intent, rule) })
    metrics.ordered(symbol, side, clock.monotonic() - startedAt)
    report({ type: 'return', op, key, outcome: 'ran', value })
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error
    book.append({ id: key, status: 'failed', reason: error.message })
    report({ type: 'return', op, key, outcome: 'not-run', code: error.message })
  }
}

/**
 * A trader as first versions are written: it sends an order, tries again when that fails, and writes down what the
 * answer said. It uses the strategy, the ids, the client and the filters of the guarded side and none of its packages.
 */
export function createNaiveTrader(options: NaiveTraderOptions): NaiveTrader {
  const { init, strategy, rules } = options
  const seen = new Set(options.booked)
  const underway = new Set<Promise<void>>()
  let operations = 0

  function start(intent: Intent, rule: SymbolRules): void {
    seen.add(intent.id)
    operations += 1
    const running = run(options, intent, rule, `${init.worker}#${operations}`).finally(() => underway.delete(running))
    underway.add(running)
  }

  return {
    onBar(symbol, bar) {
      const rule = rules.get(symbol)
      if (rule === undefined || bar.openMs < init.fromBarMs || bar.openMs > init.untilBarMs) return
      const view = { symbol, bars: [bar], position: { quantity: '0' }, orderNotional: init.settings.orderNotional }
      for (const signal of strategy.decide(view)) {
        const intent = mintIntent(signal, {
          strategy: strategy.name,
          rules: rule,
          bar,
          orderType: 'MARKET',
          validUntilMs: Number.POSITIVE_INFINITY,
        })
        if (!seen.has(intent.id)) start(intent, rule)
      }
    },
    async idle() {
      while (underway.size > 0) await Promise.all(underway)
    },
  }
}
