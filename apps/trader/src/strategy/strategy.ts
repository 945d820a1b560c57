import type { Leg, Side } from '../orders/intent.ts'

/** One closed bar; prices and volume are decimal strings. */
export interface Bar {
  /** Market time, epoch milliseconds. */
  readonly openMs: number
  readonly open: string
  readonly high: string
  readonly low: string
  readonly close: string
  readonly volume: string
}

/** What the strategy holds of a symbol: the base its last entry brought in, less commission and exits. */
export interface Position {
  /** Decimal string, never negative. */
  readonly quantity: string
}

export interface StrategyView {
  readonly symbol: string
  /** Closed bars in order; the last one is the bar to decide on. */
  readonly bars: readonly Bar[]
  readonly position: Position
  /** Quote worth of one entry, a decimal string. */
  readonly orderNotional: string
}

/** A wish: so much quote for an entry, so much base for an exit. Rounding to the symbol's grid comes later. */
export interface Signal {
  readonly leg: Leg
  readonly seq: number
  readonly side: Side
  readonly wish: { readonly kind: 'quote' | 'base'; readonly amount: string }
}

/** A pure function of bars and position, so that every worker decides alike. */
export interface Strategy {
  readonly name: string
  /** Bars it must be given before it decides; with fewer it stays silent. */
  readonly historyBars: number
  /** Its signals depend on what is held, so it cannot decide while Redis is away. */
  readonly usesPosition: boolean
  /** A load rather than an idea: refused in live mode. */
  readonly loadOnly: boolean
  decide(view: StrategyView): readonly Signal[]
}
