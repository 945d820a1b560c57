import type { ExchangeControl } from './exchange-control.ts'
import type { RedisFindings } from './redis-findings.ts'
import type { RedisTarget } from './redis-target.ts'
import type { SideName } from './result.ts'
import type { TradingWindow } from './setting.ts'
import type { Side } from './side.ts'
import type { ExpectedIntent, StormPlan } from './storm.ts'

/** Everything a run stands on once it has started. */
export interface Stage {
  /** Names the guarded side's keys, fresh for this run. */
  readonly book: string
  readonly redis: RedisTarget
  readonly findings: RedisFindings
  readonly control: ExchangeControl
  readonly window: TradingWindow
  readonly intents: readonly ExpectedIntent[]
  readonly plan: StormPlan
  readonly sides: Readonly<Record<SideName, Side>>
  /** Files the naive workers write their books to. */
  readonly naiveBooks: readonly string[]
}
