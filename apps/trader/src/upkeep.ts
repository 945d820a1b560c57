import type { Clock, RedisClient } from '@safety/redis-core'
import type { TraderConfig } from './config.ts'
import type { SymbolRules } from './exchange/filters.ts'
import type { ExchangeLink } from './exchange/link.ts'
import type { TraderMetrics } from './observe/trader-metrics.ts'
import type { Journal } from './orders/journal.ts'
import type { Resolver } from './orders/resolver.ts'
import type { Reconciler } from './reconcile.ts'
import { detailOf, reasonOf, type Report } from './report.ts'

export interface UpkeepOptions {
  readonly redis: RedisClient
  readonly journal: Journal
  readonly link: ExchangeLink
  readonly reconciler: Reconciler
  readonly resolver: Resolver
  /** Kept up to date in place. */
  readonly rules: Map<string, SymbolRules>
  readonly metrics: TraderMetrics
  readonly config: TraderConfig
  readonly worker: string
  readonly clock: Clock
  readonly report: Report
}

/** What recurs: reconciliation, the exchange's clock and rules, the state of the metrics. */
export interface Upkeep {
  start(): void
  stop(): void
  /** Reconciles as soon as possible: something may have been missed. */
  soon(reason: string): void
  /** Where the silence of the user stream is read. */
  watch(silentMs: () => number): void
}

/** The options and what is scheduled. */
interface Context extends UpkeepOptions {
  readonly timers: Set<{ cancel(): void }>
  readonly state: { stopped: boolean; pending: string | undefined; silentMs: () => number }
}

const statusMs = 2000
const settleDownMs = 100

function failed(context: Context, error: unknown): void {
  context.report({ type: 'error', reason: reasonOf(error), detail: detailOf(error) })
}

function later(context: Context, delayMs: number, step: () => Promise<void>): void {
  if (context.state.stopped) return
  const timer = context.clock.setTimeout(() => {
    context.timers.delete(timer)
    if (!context.state.stopped) void step().catch((error: unknown) => failed(context, error))
  }, delayMs)
  context.timers.add(timer)
}

async function reconcile(context: Context, reason: string): Promise<void> {
  const result = await context.reconciler.run(reason).catch((error: unknown) => {
    failed(context, error)
    return { done: false as const, reason: reasonOf(error) }
  })
  // What made it necessary is still there, so it is tried again.
  if (!result.done && reason !== 'periodic') later(context, 1000, () => reconcile(context, reason))
}

function soon(context: Context, reason: string): void {
  if (context.state.stopped || context.state.pending !== undefined) return
  context.state.pending = reason
  later(context, settleDownMs, async () => {
    context.state.pending = undefined
    await reconcile(context, reason)
  })
}

async function refreshRules(context: Context): Promise<void> {
  const info = await context.link.api.exchangeInfo(context.config.symbols)
  if (!info.ok) return
  for (const rule of info.value.rules) context.rules.set(rule.symbol, rule)
  if (info.value.weightPerMinute !== undefined) context.link.gate.setLimit(info.value.weightPerMinute)
}

async function periodic(context: Context): Promise<void> {
  try {
    await context.link.clockSync.sync()
    await refreshRules(context)
    // One worker at a time is enough; each starts its own when it has missed something itself.
    const mine = await context.journal.takeTurn(context.worker, context.config.reconcileMs * 0.8)
    if (mine) await reconcile(context, 'periodic')
  } catch (error) {
    failed(context, error)
  }
  later(context, context.config.reconcileMs, () => periodic(context))
}

async function status(context: Context): Promise<void> {
  context.metrics.streamSilence(Math.min(context.state.silentMs(), 86_400_000))
  context.metrics.retryAfter(context.link.gate.closedMs())
  context.metrics.intents({ open: context.resolver.open })
  context.report({ type: 'status', series: await context.metrics.series() })
  later(context, statusMs, () => status(context))
}

function onReady(context: Context): void {
  context.report({ type: 'notice', notice: 'redis-back', detail: 'the connection to Redis is usable again' })
  soon(context, 'redis-back')
}

export function createUpkeep(options: UpkeepOptions): Upkeep {
  const { redis, config } = options
  const state: Context['state'] = { stopped: true, pending: undefined, silentMs: () => 0 }
  const context: Context = { ...options, timers: new Set(), state }
  const ready = (): void => onReady(context)
  return {
    start() {
      state.stopped = false
      redis.on('ready', ready)
      later(context, config.reconcileMs, () => periodic(context))
      later(context, statusMs, () => status(context))
    },
    stop() {
      state.stopped = true
      redis.off('ready', ready)
      for (const timer of context.timers) timer.cancel()
      context.timers.clear()
    },
    soon: reason => soon(context, reason),
    watch(read) {
      state.silentMs = read
    },
  }
}
