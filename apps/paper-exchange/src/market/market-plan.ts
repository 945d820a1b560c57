import { ExchangeOptionError } from '../engine/option-error.ts'
import { money } from '../engine/money.ts'
import { symbolSpec, type SymbolSpec } from '../engine/symbol.ts'
import { createBarGenerator } from './bar-generator.ts'
import { HISTORY_BARS, MINUTE_MS, type Candle } from './candle.ts'

export interface MarketPlanOptions {
  readonly seed: string
  readonly symbols: readonly string[]
  readonly candles: Readonly<Record<string, readonly Candle[]>>
  readonly barMs: number
  readonly historyEndMs: number | undefined
  readonly nowMs: number
  readonly steadyMs: number
}

/** What one symbol's feed plays. */
export interface SymbolPlan {
  readonly spec: SymbolSpec
  readonly history: readonly Candle[]
  readonly next: () => Candle | undefined
  /** Steady time at which the first live bar opens. */
  readonly startMs: number
}

/**
 * Decides market times and sources. Files set the minute for every symbol; without files the history ends at `historyEndMs`, or the
 * running bar is the present minute and bars align to server time.
 *
 * @throws {ExchangeOptionError} naming `symbols`, `candles` or `barMs`.
 */
export function planMarket(options: MarketPlanOptions): SymbolPlan[] {
  const { symbols, candles, barMs, nowMs } = options
  if (!Number.isSafeInteger(barMs) || barMs < 12 || barMs > 86_400_000) {
    throw new ExchangeOptionError('barMs', 'must be a whole number from 12 to 86400000')
  }
  if (symbols.length === 0) throw new ExchangeOptionError('symbols', 'must name at least one symbol')
  if (new Set(symbols).size !== symbols.length) throw new ExchangeOptionError('symbols', 'names a symbol twice')
  for (const symbol of Object.keys(candles)) {
    if (!symbols.includes(symbol)) throw new ExchangeOptionError('candles', `${symbol} is not among the symbols`)
  }
  const files = Object.values(candles)
  const fromFiles = files.length > 0 ? fileTimes(files) : undefined
  const aligned = fromFiles === undefined && options.historyEndMs === undefined
  const firstOpenMs = fromFiles?.firstOpenMs ?? firstOpen(options)
  const startMs = options.steadyMs - (aligned ? nowMs % barMs : 0)
  return symbols.map(symbol => {
    const file = candles[symbol]
    const spec = symbolSpec(symbol, file && money((file[0] as Candle).open))
    if (spec === undefined) throw new ExchangeOptionError('symbols', `${symbol} is no USDT pair such as BTCUSDT`)
    const all = file?.values() ?? endless(createBarGenerator({ seed: options.seed, spec, firstOpenMs }))
    const source = limited(all, fromFiles?.bars)
    return { spec, history: take(source, HISTORY_BARS), next: () => source.next().value ?? undefined, startMs }
  })
}

function firstOpen(options: MarketPlanOptions): number {
  const present = Math.floor(options.nowMs / MINUTE_MS) * MINUTE_MS
  const lastOpenMs = options.historyEndMs ?? present - MINUTE_MS
  return lastOpenMs - (HISTORY_BARS - 1) * MINUTE_MS
}

/** All files must open at the same minute; generated symbols stop where the longest file does. */
function fileTimes(files: readonly (readonly Candle[])[]): { firstOpenMs: number; bars: number } {
  const opens = files.map(file => file[0]?.openTime)
  const firstOpenMs = opens[0]
  if (firstOpenMs === undefined || opens.some(open => open !== firstOpenMs)) {
    throw new ExchangeOptionError('candles', 'all files must have bars and open at the same minute')
  }
  return { firstOpenMs, bars: Math.max(...files.map(file => file.length)) }
}

function* endless(next: () => Candle): Generator<Candle, undefined> {
  for (;;) yield next()
}

function* limited(source: Iterable<Candle>, bars: number | undefined): Generator<Candle, undefined> {
  let given = 0
  for (const candle of source) {
    if (given++ === bars) return
    yield candle
  }
}

function take(source: Iterator<Candle, undefined>, count: number): Candle[] {
  const taken: Candle[] = []
  while (taken.length < count) {
    const next = source.next()
    if (next.done === true) break
    taken.push(next.value)
  }
  return taken
}
