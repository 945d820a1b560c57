import type { Clock } from '@safety/redis-core'
import type { TraderConfig } from '../config.ts'
import type { ExchangeApi } from '../exchange/api.ts'
import type { ClockSync } from '../exchange/clock-sync.ts'
import { detailOf, reasonOf, type Report } from '../report.ts'
import type { Placed } from '../safety.ts'
import type { Adopter } from './adopt.ts'
import type { Intent } from './intent.ts'
import type { Journal } from './journal.ts'
import type { JournalEntry } from './journal-entry.ts'
import { beliefOf } from './state.ts'

export interface ResolverOptions {
  readonly journal: Journal
  readonly api: ExchangeApi
  readonly adopter: Adopter
  readonly place: (intent: Intent) => Promise<Placed>
  /** Cancels the order of an intent; true once it is cancelled. */
  readonly cancel: (symbol: string, id: string) => Promise<boolean>
  readonly clockSync: ClockSync
  readonly clock: Clock
  readonly config: TraderConfig
  readonly report: Report
}

/** Carries every intent of the book that is not settled on to its end, whoever proposed it. */
export interface Resolver {
  /** Takes an intent up now. */
  take(id: string): void
  /** Something was learnt about an intent: look again at once. */
  wake(id: string): void
  start(): void
  /** Takes up nothing new; resolves when what runs has ended, or after `timeoutMs`. */
  stop(options: { timeoutMs: number }): Promise<void>
  /** Intents this worker knows to be unsettled. */
  readonly open: number
  /** Reads the open intents of the book now. */
  refresh(): Promise<number>
}

interface Work {
  dueMs: number
  running: boolean
  /** Looks at an order whose fills are missing, so far. */
  looks: number
}

/** The options and what is under way. */
interface Context extends ResolverOptions {
  readonly works: Map<string, Work>
  /** Resting orders by id, kept here too so that a cancel needs no Redis. */
  readonly resting: Map<string, { symbol: string; validUntilMs: number }>
  readonly running: Set<Promise<void>>
  readonly tickMs: number
  readonly state: { stopped: boolean; refreshedMs: number; timer: { cancel(): void } | undefined }
}

const concurrency = 16
const refreshMs = 1000

/** How long until an order is looked at again for fills that have not arrived. */
function lookPauseMs(looks: number, readLagMs: number): number {
  return Math.min(5000, Math.max(200, readLagMs / 4) * 2 ** Math.min(looks, 5))
}

function failed(context: Context, error: unknown): void {
  context.report({ type: 'error', reason: reasonOf(error), detail: detailOf(error) })
}

/** The record is the last word on what was decided; the journal may have missed it while Redis was away. */
async function follow(
  context: Context,
  entry: JournalEntry,
  placed: Extract<Placed, { kind: 'placed' }>,
): Promise<void> {
  const { id, symbol, side } = entry
  const { placement } = placed
  const said =
    placement.outcome === 'ordered'
      ? ({ to: 'ACCEPTED', orderId: placement.orderId } as const)
      : ({ to: placement.state, reason: placement.reason } as const)
  const settled = await context.journal.settle({ id, symbol, by: 'record', ...said })
  if (settled.changed) {
    context.report({ type: 'transition', key: id, symbol, side, from: settled.from, to: settled.state, by: 'record' })
  }
}

async function markStuck(context: Context, entry: JournalEntry): Promise<void> {
  const { id, symbol, side } = entry
  const said = {
    id,
    symbol,
    to: 'STUCK',
    reason: 'stuck',
    by: 'resolver',
    stuckAfterMs: context.config.stuckAfterMs,
  } as const
  const settled = await context.journal.settle(said)
  if (!settled.changed) return
  context.report({ type: 'transition', key: id, symbol, side, from: settled.from, to: 'STUCK', by: 'resolver' })
  const detail = `nobody knows since ${settled.doubtMs} ms whether it was ordered`
  context.report({ type: 'alert', alert: 'UnknownStuck', key: id, symbol, detail })
}

/** Answers how long to wait before the intent is looked at again. */
async function decide(context: Context, entry: JournalEntry): Promise<number> {
  const placed = await context.place(entry)
  switch (placed.kind) {
    case 'placed':
      await follow(context, entry, placed)
      return 0
    case 'busy':
      return Math.min(placed.retryAfterMs, refreshMs)
    case 'in-doubt':
      await markStuck(context, entry)
      return placed.retryAfterMs
    case 'not-placed':
      return placed.retryAfterMs
    case 'mismatch':
      context.report({ type: 'error', reason: placed.code, detail: 'workers of one book disagree about an intent' })
      return context.config.validMs
    default:
      return placed satisfies never
  }
}

async function cancel(context: Context, id: string, symbol: string): Promise<void> {
  if (await context.cancel(symbol, id)) context.resting.delete(id)
}

/** An order exists; what is missing is its end or some of its fills. */
async function complete(context: Context, entry: JournalEntry, work: Work): Promise<number> {
  const { id, symbol, orderId, validUntilMs } = entry
  if (entry.type === 'LIMIT' && (entry.state === 'ACCEPTED' || entry.state === 'PARTIAL')) {
    context.resting.set(id, { symbol, validUntilMs })
    if (context.clockSync.now() <= validUntilMs) return Math.min(refreshMs, validUntilMs - context.clockSync.now() + 1)
    await cancel(context, id, symbol)
  }
  work.looks += 1
  const order = await context.api.orderById(symbol, orderId)
  if (order.ok) await context.adopter.order({ ...order.value, id }, 'reconcile')
  const trades = await context.api.tradesOfOrder(symbol, orderId)
  if (trades.ok) for (const fill of trades.value) await context.adopter.fill(fill, id)
  return lookPauseMs(work.looks, context.config.readLagMs)
}

async function drive(context: Context, id: string, work: Work): Promise<void> {
  const entry = await context.journal.read(id)
  const settled = entry === undefined || beliefOf(entry.state) === 'refused'
  const ended = entry !== undefined && ['FILLED', 'CANCELED', 'EXPIRED'].includes(entry.state)
  if (settled || (ended && BigInt(entry.filled) >= BigInt(entry.executed))) {
    context.works.delete(id)
    context.resting.delete(id)
    return
  }
  const ordered = beliefOf(entry.state) === 'ordered'
  // A fresh order's fills are on their way by the answer and the stream; asking at once would only repeat them.
  const fresh = ordered && work.looks === 0 && entry.type === 'MARKET'
  if (fresh) work.looks = 1
  const pauseMs = fresh
    ? lookPauseMs(0, context.config.readLagMs)
    : await (ordered ? complete(context, entry, work) : decide(context, entry))
  work.dueMs = context.clock.monotonic() + pauseMs
}

function begin(context: Context, id: string, work: Work): void {
  work.running = true
  const run = drive(context, id, work)
    .catch((error: unknown) => {
      failed(context, error)
      work.dueMs = context.clock.monotonic() + refreshMs
    })
    .finally(() => {
      work.running = false
      context.running.delete(run)
    })
  context.running.add(run)
}

function add(context: Context, id: string): void {
  if (!context.works.has(id)) context.works.set(id, { dueMs: context.clock.monotonic(), running: false, looks: 0 })
}

function pump(context: Context): void {
  const nowMs = context.clock.monotonic()
  for (const [id, work] of context.works) {
    if (context.running.size >= concurrency) return
    if (!work.running && work.dueMs <= nowMs) begin(context, id, work)
  }
}

async function refresh(context: Context): Promise<number> {
  const ids = await context.journal.open()
  for (const id of ids) add(context, id)
  return ids.length
}

async function cancelOverdue(context: Context): Promise<void> {
  const nowMs = context.clockSync.now()
  for (const [id, order] of context.resting) if (nowMs > order.validUntilMs) await cancel(context, id, order.symbol)
}

async function tick(context: Context): Promise<void> {
  if (context.clock.monotonic() - context.state.refreshedMs >= refreshMs) {
    context.state.refreshedMs = context.clock.monotonic()
    // With Redis away the known intents wait for it; the connection reports itself.
    await refresh(context).catch(() => cancelOverdue(context).catch((error: unknown) => failed(context, error)))
  }
  if (context.state.stopped) return
  pump(context)
  context.state.timer = context.clock.setTimeout(() => void tick(context), context.tickMs)
}

export function createResolver(options: ResolverOptions): Resolver {
  const context: Context = {
    ...options,
    works: new Map(),
    resting: new Map(),
    running: new Set(),
    tickMs: Math.min(500, Math.max(50, options.config.leaseMs / 20)),
    state: { stopped: false, refreshedMs: Number.NEGATIVE_INFINITY, timer: undefined },
  }
  const { works, running, state } = context
  return {
    take(id) {
      add(context, id)
      if (!state.stopped) pump(context)
    },
    wake(id) {
      const work = works.get(id)
      if (work === undefined) return
      work.dueMs = options.clock.monotonic()
      if (!state.stopped) pump(context)
    },
    start: () => void tick(context),
    async stop({ timeoutMs }) {
      state.stopped = true
      state.timer?.cancel()
      const late = new AbortController()
      const timeout = options.clock.sleep(timeoutMs, { signal: late.signal }).catch(() => {})
      await Promise.race([Promise.allSettled(running), timeout])
      late.abort()
    },
    get open() {
      return works.size
    },
    refresh: () => refresh(context),
  }
}
