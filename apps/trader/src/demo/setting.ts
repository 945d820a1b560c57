import { demoTiming, type Timing } from '../config.ts'
import { intentId } from '../orders/intent.ts'
import { DEMO_SYMBOLS } from './options.ts'
import type { ExpectedIntent } from './storm.ts'

/** The waits of both sides; a second of the demo stands for a minute. */
export const TIMING: Timing = demoTiming
export const BAR_MS: number = demoTiming.barMs
/** A bar is a minute of market time, however fast it passes. */
export const MARKET_BAR_MS = 60_000
/** Where the history of the generated market ends, so that equal seeds give equal ids. */
export const FIRST_HISTORY_END_MS = 1_700_000_040_000
/** The end of a run without faults and new bars, in milliseconds. */
export const DRAIN_MS = 12_000
export const STRATEGY = 'pulse'

/** The bars of the trading time, by their open times; both ends make intents. */
export interface TradingWindow {
  readonly bars: number
  readonly fromBarMs: number
  readonly untilBarMs: number
}

export function tradingWindow(seconds: number, fromBarMs: number): TradingWindow {
  const bars = (seconds * 1000 - DRAIN_MS) / BAR_MS
  return { bars, fromBarMs, untilBarMs: fromBarMs + (bars - 1) * MARKET_BAR_MS }
}

function pulseId(symbol: string, barOpenMs: number): string {
  return intentId({ strategy: STRATEGY, symbol, barOpenMs, leg: 'entry', seq: 0 })
}

/** Every intent of the trading time, computed without a single price. */
export function expectedIntents(window: TradingWindow): ExpectedIntent[] {
  return Array.from({ length: window.bars }, (_, bar) =>
    DEMO_SYMBOLS.map(symbol => ({ id: pulseId(symbol, window.fromBarMs + bar * MARKET_BAR_MS), symbol, bar })),
  ).flat()
}

/** The figures of the guarded promise, in the words of the chaos checkers. */
export const historyPromise: Readonly<Record<string, number>> = {
  leaseMs: TIMING.leaseMs,
  settleMs: TIMING.recvWindowMs + TIMING.engineTimeoutMs + TIMING.readLagMs,
  retentionMs: 7 * 86_400_000,
  endsWithinMs: DRAIN_MS,
  recoverWithinMs: 5000,
}
