import { floorTo, money, roundTo, type Money } from '../engine/money.ts'
import type { SymbolSpec } from '../engine/symbol.ts'
import { createBarBuilder, historyBar, type Bar, type BarBuilder, type MarketTrade } from './bar.ts'
import { TICKS_PER_BAR, ticksOf } from './bar-ticks.ts'
import type { Candle } from './candle.ts'

/** Bars kept for GET klines; the oldest are dropped. */
const MAX_BARS = 20_000

/** Prints are numbered far above the accounts' fills, so that no trade id means two things. */
const FIRST_PRINT_ID = 1_000_000_001
const UNIT = money('1')
const PRINT_STEP = money('0.00000001')

export interface BarPlayerOptions {
  readonly spec: SymbolSpec
  /** Bars known at the start, oldest first; at least one. */
  readonly history: readonly Candle[]
  /** The next bar to play, `undefined` at the end. */
  readonly next: () => Candle | undefined
  readonly onTick: (trade: MarketTrade) => void
  readonly onBar: (bar: Bar) => void
  readonly onEnd: () => void
}

/** Plays one symbol's bars tick by tick, without any notion of when. */
export interface BarPlayer {
  /** The next bar and its first tick; nothing is open after the last bar. */
  open(): void
  /** The next tick of the open bar, the last one at most. */
  play(): void
  /** Plays what is left of the open bar and closes it. */
  close(): void
  /** Number of the open bar's next tick, {@link TICKS_PER_BAR} when only its close is left, `undefined` when nothing is open. */
  nextTick(): number | undefined
  /** A tick of its own; all later prices are scaled so that the walk goes on from there. */
  setPrice(price: Money): void
  price(): Money
  /** Ticks so far. */
  ticks(): number
  closed(): readonly Bar[]
  running(): Bar | undefined
}

interface OpenBar {
  readonly volume: string
  readonly path: readonly Money[]
  readonly builder: BarBuilder
  nextTick: number
}

export function createBarPlayer(options: BarPlayerOptions): BarPlayer {
  const { spec } = options
  const closed = options.history.map((candle, index) =>
    historyBar(candle, FIRST_PRINT_ID + index * TICKS_PER_BAR, TICKS_PER_BAR),
  )
  let nextPrintId = FIRST_PRINT_ID + closed.length * TICKS_PER_BAR
  /** The source's own price, before scaling. */
  let raw = roundTo(money((options.history.at(-1) as Candle).close), spec.priceStep)
  let price = raw
  let scale = UNIT
  let ticks = 0
  let bar: OpenBar | undefined

  const print = (at: Money, qty: Money): void => {
    const trade: MarketTrade = { id: nextPrintId++, price: at, qty, buyerIsMaker: at.lte(price) }
    price = at
    ticks++
    bar?.builder.add(trade)
    options.onTick(trade)
  }

  const play = (): void => {
    if (bar === undefined || bar.nextTick >= TICKS_PER_BAR) return
    const index = bar.nextTick++
    raw = bar.path[index] as Money
    const scaled = scale.eq(UNIT) ? raw : roundTo(raw.times(scale), spec.priceStep)
    print(scaled.lt(spec.minPrice) ? spec.minPrice : scaled, shareOf(bar.volume, index))
  }

  const open = (): void => {
    const candle = options.next()
    bar = candle && {
      volume: candle.volume,
      path: ticksOf(candle, spec.priceStep),
      builder: createBarBuilder(candle.openTime),
      nextTick: 0,
    }
    if (bar === undefined) options.onEnd()
    else play()
  }

  const close = (): void => {
    if (bar === undefined) return
    while (bar.nextTick < TICKS_PER_BAR) play()
    const done = bar.builder.snapshot(true)
    bar = undefined
    closed.push(done)
    if (closed.length > MAX_BARS) closed.shift()
    options.onBar(done)
  }

  return {
    open,
    play,
    close,
    nextTick: () => bar?.nextTick,
    setPrice: at => {
      scale = at.div(raw)
      print(at, spec.lotStep)
    },
    price: () => price,
    ticks: () => ticks,
    closed: () => closed,
    running: () => bar?.builder.snapshot(false),
  }
}

/** A tick's twelfth of the bar's volume; the last tick brings what rounding left. */
function shareOf(volume: string, index: number): Money {
  const whole = money(volume)
  const share = floorTo(whole.div(String(TICKS_PER_BAR)), PRINT_STEP)
  return index < TICKS_PER_BAR - 1 ? share : whole.minus(share.times(String(TICKS_PER_BAR - 1)))
}
