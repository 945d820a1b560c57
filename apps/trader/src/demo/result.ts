import type { RedisFindings } from './redis-findings.ts'

/** Who trades; also the name of the side's account on the exchange. */
export type SideName = 'naive' | 'guarded'

/** The assets of the three symbols of the demo. */
export const ASSETS = ['BTC', 'ETH', 'BNB', 'USDT'] as const

/** What one side did, as the exchange's books have it. */
export interface SideResult {
  /** Intents of the bars that closed in the trading time. */
  readonly expected: number
  /** Orders accepted for them, duplicates included. */
  readonly accepted: number
  readonly duplicates: number
  /** Accepted orders the side does not know of. */
  readonly orphans: number
  /** Intents without an order and without a reason on record. */
  readonly lost: number
  readonly refused: number
  /** Ledger of the side less change of balance, decimal text. */
  readonly drift: Readonly<Record<(typeof ASSETS)[number], string>>
  readonly requestsDuringRetryAfter: number
  /** `null` where a side has no notion of it. */
  readonly inDoubt: { readonly seen: number; readonly resolved: number; readonly open: number } | null
  /** Samples in the metric registries of the side's workers. */
  readonly series: number | null
  /** Workers killed by the storm. */
  readonly kills: number
  /** Redis outages this side went through; a side without Redis goes through none. */
  readonly redisOutages: number
}

export type Verdict = 'pass' | 'fail' | 'inconclusive'

/** The document of `demo --json`. */
export interface DemoDocument {
  readonly schema: 'trader.demo/1'
  readonly seed: number
  readonly seconds: number
  readonly redis: 'started' | 'found'
  readonly redisChecks: RedisFindings
  readonly faults: { readonly planned: number; readonly fired: number }
  readonly sides: { readonly naive: SideResult; readonly guarded: SideResult }
  readonly verdict: Verdict
  readonly reasons: readonly string[]
  readonly exitCode: 0 | 1 | 4
}
