/** One one-minute bar as read or generated. Prices and volumes are decimal strings with 8 places; `openTime` is ms since the epoch. */
export interface Candle {
  readonly openTime: number
  readonly open: string
  readonly high: string
  readonly low: string
  readonly close: string
  /** Base asset. */
  readonly volume: string
}

export const MINUTE_MS = 60_000

/** Bars known before trading starts. */
export const HISTORY_BARS = 1000
