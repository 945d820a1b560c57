import type { Bar } from '../strategy/strategy.ts'
import type { ExchangeApi } from './api.ts'

/** A closed bar with the closed bars before it, and when it arrived in server time. */
export interface ClosedBar {
  readonly symbol: string
  /** In order; the last one is the bar that closed. */
  readonly bars: readonly Bar[]
  readonly arrivedAtMs: number
}

/** A bar and when it arrived; later bars are dated from it. */
export interface Anchor {
  readonly barOpenMs: number
  /** Server time; `undefined` when nobody saw it arrive. */
  readonly arrivedAtMs: number | undefined
}

export interface BarFeedOptions {
  readonly symbol: string
  readonly api: ExchangeApi
  /** Server time of the exchange. */
  readonly now: () => number
  /** Bars kept. */
  readonly historyBars: number
  /** Server time one bar lasts. */
  readonly barMs: number
  /** Bars that open after it are handed on; without one, the bars that close from now on. */
  readonly after: Anchor | undefined
  readonly onClosed: (closed: ClosedBar) => void
}

/** The closed bars of one symbol, in order and without gaps: what the stream missed is read back. */
export interface BarFeed {
  /** Reads the history, and hands on what closed since `after`. Answers whether it could be read. */
  prime(): Promise<boolean>
  /** Takes a closed bar of the stream. */
  push(bar: Bar): Promise<void>
  /** Reads back what the stream may have missed. */
  catchUp(): Promise<boolean>
  /** Open time of the last closed bar, or -1. */
  readonly lastOpenMs: number
}

/** The options and what has been read. */
interface Context extends BarFeedOptions {
  readonly state: { bars: Bar[]; anchor: Anchor | undefined; queue: Promise<unknown>; primed: boolean }
}

const marketBarMs = 60_000
const maxKlines = 1000

function lastOpenMs(context: Context): number {
  return context.state.bars.at(-1)?.openMs ?? -1
}

/** One step at a time, so that bars keep their order while history is read. */
function inTurn<T>(context: Context, step: () => Promise<T>): Promise<T> {
  const turn = context.state.queue.then(step)
  context.state.queue = turn.catch(() => {})
  return turn
}

/** A bar read back arrived when the clock says bars of that number do, and not later than now. */
function arrivalOf(context: Context, bar: Bar, newest: Bar): number {
  const dated = context.state.anchor
  if (dated?.arrivedAtMs === undefined)
    return context.now() - ((newest.openMs - bar.openMs) / marketBarMs) * context.barMs
  return Math.min(context.now(), dated.arrivedAtMs + ((bar.openMs - dated.barOpenMs) / marketBarMs) * context.barMs)
}

function append(context: Context, bar: Bar): void {
  context.state.bars.push(bar)
  if (context.state.bars.length > context.historyBars * 2)
    context.state.bars = context.state.bars.slice(-context.historyBars)
}

function handOn(context: Context, arrivedAtMs: number): void {
  context.onClosed({ symbol: context.symbol, bars: context.state.bars.slice(-context.historyBars), arrivedAtMs })
}

/** Reads bars from `startTime` on. The last one may still be running and is left out; `more` says there are further ones. */
async function closedSince(
  context: Context,
  startTime: number | undefined,
): Promise<{ found: Bar[]; more: boolean } | undefined> {
  const answer = await context.api.klines(
    context.symbol,
    startTime === undefined ? { limit: maxKlines } : { startTime, limit: maxKlines },
  )
  if (!answer.ok) return undefined
  return { found: answer.value.slice(0, -1), more: answer.value.length === maxKlines }
}

async function readBack(context: Context): Promise<boolean> {
  for (;;) {
    const page = await closedSince(context, lastOpenMs(context) + marketBarMs)
    if (page === undefined) return false
    const { found, more } = page
    const newest = found.at(-1)
    if (newest === undefined) return true
    for (const bar of found) {
      if (bar.openMs <= lastOpenMs(context)) continue
      append(context, bar)
      handOn(context, arrivalOf(context, bar, newest))
    }
    if (!more) return true
  }
}

async function prime(context: Context): Promise<boolean> {
  const page = await closedSince(context, undefined)
  if (page === undefined) return false
  const { found } = page
  const newest = found.at(-1)
  context.state.primed = true
  for (const bar of found) {
    append(context, bar)
    if (context.after !== undefined && bar.openMs > context.after.barOpenMs && newest !== undefined) {
      handOn(context, arrivalOf(context, bar, newest))
    }
  }
  return true
}

async function push(context: Context, bar: Bar): Promise<void> {
  const { state } = context
  if (!state.primed || bar.openMs <= lastOpenMs(context)) return
  if (state.bars.length > 0 && bar.openMs > lastOpenMs(context) + marketBarMs && !(await readBack(context))) return
  if (bar.openMs <= lastOpenMs(context)) return
  const arrivedAtMs = context.now()
  state.anchor = { barOpenMs: bar.openMs, arrivedAtMs }
  append(context, bar)
  handOn(context, arrivedAtMs)
}

export function createBarFeed(options: BarFeedOptions): BarFeed {
  const state: Context['state'] = { bars: [], anchor: options.after, queue: Promise.resolve(), primed: false }
  const context: Context = { ...options, state }
  return {
    prime: () => inTurn(context, () => prime(context)),
    catchUp: () => inTurn(context, async () => state.primed && (await readBack(context))),
    push: bar => inTurn(context, () => push(context, bar)),
    get lastOpenMs() {
      return lastOpenMs(context)
    },
  }
}
