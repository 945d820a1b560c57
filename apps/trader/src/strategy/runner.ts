import type { Clock } from '@safety/redis-core'
import type { TraderConfig } from '../config.ts'
import type { ClosedBar } from '../exchange/bar-feed.ts'
import type { ClockSync } from '../exchange/clock-sync.ts'
import { failedFilter, roundQuantity, type SymbolRules } from '../exchange/filters.ts'
import type { Intent } from '../orders/intent.ts'
import type { Journal } from '../orders/journal.ts'
import { mintIntent } from '../orders/mint.ts'
import { beliefOf, type IntentState } from '../orders/state.ts'
import { detailOf, reasonOf, type Report } from '../report.ts'
import { refusalOf } from '../risk.ts'
import type { Bar, Strategy } from './strategy.ts'

export interface RunnerOptions {
  readonly strategy: Strategy
  readonly journal: Journal
  readonly rulesOf: (symbol: string) => SymbolRules
  readonly clockSync: ClockSync
  readonly clock: Clock
  readonly config: TraderConfig
  /** Since the last market frame of a symbol, in milliseconds. */
  readonly silentMs: (symbol: string) => number
  /** Whether entries have to wait because Redis may have forgotten leases. */
  readonly holdOff: () => boolean
  readonly take: (id: string) => void
  /** Resolves when Redis can be used, or rejects when the runner should give up. */
  readonly storeReady: (options: { signal: AbortSignal }) => Promise<void>
  readonly report: Report
}

/** Turns each closed bar into intents in the journal, in order and per symbol, and never skips one. */
export interface Runner {
  onClosed(closed: ClosedBar): void
  /** Mints nothing more. */
  stop(): void
  /** Every bar handed on so far is in the journal. */
  readonly idle: boolean
}

function traded(options: RunnerOptions, barOpenMs: number): boolean {
  if (options.config.tradeFromMs !== undefined && barOpenMs < options.config.tradeFromMs) return false
  return options.config.tradeUntilMs === undefined || barOpenMs <= options.config.tradeUntilMs
}

function moved(options: RunnerOptions, intent: Intent, from: string | null, to: string, reason: string): void {
  const { id: key, symbol, side } = intent
  options.report({
    type: 'transition',
    key,
    symbol,
    side,
    from,
    to,
    by: 'strategy',
    ...(reason === '' ? {} : { reason }),
  })
}

/** What is held of a symbol as far as it can be sold: dust below the lot or the least notional counts as flat. */
async function sellable(options: RunnerOptions, symbol: string, bar: Bar): Promise<string> {
  const rules = options.rulesOf(symbol)
  const type = options.config.orderType
  const quantity = roundQuantity(rules, type, await options.journal.position(symbol))
  return failedFilter(rules, { type, quantity, price: bar.close }) === undefined ? quantity : '0'
}

async function mint(options: RunnerOptions, closed: ClosedBar): Promise<Intent[]> {
  const { symbol, bars } = closed
  const bar = bars.at(-1)
  if (bar === undefined || !traded(options, bar.openMs)) return []
  const position = { quantity: options.strategy.usesPosition ? await sellable(options, symbol, bar) : '0' }
  const signals = options.strategy.decide({ symbol, bars, position, orderNotional: options.config.orderNotional })
  const minting = {
    strategy: options.strategy.name,
    rules: options.rulesOf(symbol),
    bar,
    orderType: options.config.orderType,
    validUntilMs: Math.round(closed.arrivedAtMs + options.config.validMs),
  }
  return signals.map(signal => mintIntent(signal, minting))
}

async function propose(options: RunnerOptions, intent: Intent): Promise<void> {
  const missed = options.clockSync.now() > intent.validUntilMs
  const proposed = await options.journal.propose(intent, { missed })
  if (proposed.created) moved(options, intent, null, proposed.state, proposed.reason)
  if (beliefOf(proposed.state as IntentState) !== 'unknown') return
  const rules = options.rulesOf(intent.symbol)
  const silentMs = options.silentMs(intent.symbol)
  const { staleDataMs } = options.config
  const reason = refusalOf(intent, { rules, silentMs, staleDataMs, holdOff: options.holdOff() })
  if (reason !== undefined) {
    const { id, symbol } = intent
    const settled = await options.journal.settle({ id, symbol, to: 'DENIED', reason, by: 'risk' })
    if (settled.changed) moved(options, intent, settled.from, 'DENIED', reason)
    if (settled.changed || beliefOf(settled.state as IntentState) !== 'unknown') return
  }
  options.take(intent.id)
}

/** One bar until its intents are in the journal. While Redis is away they are denied, and decided when it is back. */
async function run(options: RunnerOptions, closed: ClosedBar, stopping: AbortSignal): Promise<void> {
  const bar = closed.bars.at(-1)
  if (bar === undefined) return
  const told = new Set<string>()
  for (;;) {
    if (stopping.aborted) return
    let intents: Intent[] = []
    try {
      intents = await mint(options, closed)
      for (const intent of intents) await propose(options, intent)
      await options.journal.advance(closed.symbol, { barOpenMs: bar.openMs, arrivedAtMs: closed.arrivedAtMs })
      return
    } catch (error) {
      for (const intent of intents) {
        if (!told.has(intent.id)) moved(options, intent, null, 'DENIED', 'redis-away')
        told.add(intent.id)
      }
      options.report({ type: 'error', reason: reasonOf(error), detail: detailOf(error) })
      await options.storeReady({ signal: stopping })
    }
  }
}

export function createRunner(options: RunnerOptions): Runner {
  const queues = new Map<string, Promise<void>>()
  const stopping = new AbortController()
  let waiting = 0
  const failed = (error: unknown): void => {
    if (stopping.signal.aborted) return
    options.report({ type: 'error', reason: reasonOf(error), detail: detailOf(error) })
  }
  return {
    onClosed(closed) {
      waiting += 1
      const before = queues.get(closed.symbol) ?? Promise.resolve()
      const turn = before
        .then(() => run(options, closed, stopping.signal))
        .catch(failed)
        .finally(() => {
          waiting -= 1
        })
      queues.set(closed.symbol, turn)
    },
    stop: () => stopping.abort(new Error('the runner was stopped')),
    get idle() {
      return waiting === 0
    },
  }
}
