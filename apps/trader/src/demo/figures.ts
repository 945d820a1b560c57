import type { Audit, TruthLine } from './exchange-control.ts'
import { MARKET_BAR_MS, type TradingWindow } from './setting.ts'
import { ASSETS, type SideName, type SideResult } from './result.ts'
import type { ExpectedIntent } from './storm.ts'

/** The intents whose bars really closed: all of them, unless a file of bars ended early. */
export function intentsOfClosedBars(
  intents: readonly ExpectedIntent[],
  window: TradingWindow,
  truth: readonly TruthLine[],
): ExpectedIntent[] {
  const closed = new Set<string>()
  for (const entry of truth) {
    if (entry.type !== 'market' || entry['action'] !== 'bar') continue
    const [openMs] = JSON.parse(String(entry['detail'])) as [number]
    closed.add(`${String(entry['symbol'])}|${openMs}`)
  }
  return intents.filter(({ symbol, bar }) => closed.has(`${symbol}|${window.fromBarMs + bar * MARKET_BAR_MS}`))
}

/** Faults that really met a side: on its requests, and on its user stream where it has one. */
export function faultsMet(truth: readonly TruthLine[], side: SideName, hasStream: boolean): number {
  return truth.filter(
    entry =>
      entry.type === 'fault' &&
      entry.account === side &&
      (hasStream || (entry['phase'] !== 'event' && entry['phase'] !== 'stream')),
  ).length
}

/** The figures of one side; all but the last four come from the audit. */
export function sideResult(
  expected: number,
  audit: Audit,
  rest: Pick<SideResult, 'inDoubt' | 'series' | 'kills' | 'redisOutages'>,
): SideResult {
  const { accepted, duplicates, orphans, lost, refused, requestsDuringRetryAfter } = audit.totals
  const drift = Object.fromEntries(ASSETS.map(asset => [asset, audit.drift[asset] ?? '0'])) as SideResult['drift']
  return { expected, accepted, duplicates, orphans, lost, refused, drift, requestsDuringRetryAfter, ...rest }
}
