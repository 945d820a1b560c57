import { Counter, Gauge, Registry } from 'prom-client'
import { countSeries } from './series.ts'

/** Every state an intent can be counted in; a gauge of a state nobody is in reads 0, not "absent". */
export type IntentCounts = Readonly<Record<string, number>>

/** The metrics of one trader process beside those of the packages. Label values come from closed sets. */
export interface TraderMetrics {
  readonly registry: Registry
  /** One more order of a symbol ended as `outcome`, an outcome class or intent state. */
  order(symbol: string, side: string, outcome: string): void
  intents(counts: IntentCounts): void
  /** Age of the oldest UNKNOWN, 0 without one. */
  unknownOldest(ageMs: number): void
  duplicateOrder(): void
  /** Exchange less ledger; a float, for showing only. */
  drift(asset: string, amount: string): void
  /** The level in force, or undefined when nothing is halted. */
  killSwitch(level: string | undefined): void
  streamSilence(silentMs: number): void
  error(reason: string): void
  usedWeight(ratio: number): void
  retryAfter(leftMs: number): void
  /** Samples in this registry. */
  series(): Promise<number>
}

const KILL_LEVELS = ['halt-entries', 'cancel-all', 'flatten'] as const

function createCounters(registry: Registry): {
  orders: Counter<'symbol' | 'side' | 'outcome'>
  duplicates: Counter
  errors: Counter<'reason'>
} {
  const registers = [registry]
  return {
    orders: new Counter({
      name: 'trader_orders_total',
      help: 'Orders by symbol, side and how their request ended',
      labelNames: ['symbol', 'side', 'outcome'],
      registers,
    }),
    duplicates: new Counter({
      name: 'trader_duplicate_orders_total',
      help: 'Orders beyond the first of an intent, as found on the exchange',
      registers,
    }),
    errors: new Counter({
      name: 'trader_errors_total',
      help: 'Errors by reason, from a closed set',
      labelNames: ['reason'],
      registers,
    }),
  }
}

function createGauges(registry: Registry): {
  gauge: (name: string, help: string) => Gauge
  labelled: <L extends string>(name: string, help: string, label: L) => Gauge<L>
} {
  return {
    gauge: (name, help) => new Gauge({ name, help, registers: [registry] }),
    labelled: (name, help, label) => new Gauge({ name, help, labelNames: [label], registers: [registry] }),
  }
}

/** Creates the registry of one process; nothing is shared, so two traders in one process do not meet. */
export function createTraderMetrics(): TraderMetrics {
  const registry = new Registry()
  const { orders, duplicates, errors } = createCounters(registry)
  const { gauge, labelled } = createGauges(registry)
  const intents = labelled('trader_intents', 'Open intents by state', 'state')
  const unknownOldest = gauge('trader_unknown_oldest_seconds', 'Age of the oldest intent in doubt')
  const drift = labelled('trader_drift', 'Exchange balance less baseline and ledger', 'asset')
  const kill = labelled('trader_kill_switch', '1 for the level in force', 'level')
  const silence = gauge('trader_stream_silence_seconds', 'Seconds since the last frame of the user stream')
  const weight = gauge('binance_used_weight_ratio', 'Used part of the request weight of this minute')
  const retryAfter = gauge('binance_retry_after_seconds', 'Seconds until the exchange may be asked again')
  for (const level of KILL_LEVELS) kill.set({ level }, 0)
  return {
    registry,
    order: (symbol, side, outcome) => orders.inc({ symbol, side, outcome }),
    intents(counts) {
      for (const [state, count] of Object.entries(counts)) intents.set({ state }, count)
    },
    unknownOldest: ageMs => unknownOldest.set(ageMs / 1000),
    duplicateOrder: () => duplicates.inc(),
    drift: (asset, amount) => drift.set({ asset }, Number(amount)),
    killSwitch(level) {
      for (const known of KILL_LEVELS) kill.set({ level: known }, known === level ? 1 : 0)
    },
    streamSilence: silentMs => silence.set(silentMs / 1000),
    error: reason => errors.inc({ reason }),
    usedWeight: ratio => weight.set(ratio),
    retryAfter: leftMs => retryAfter.set(leftMs / 1000),
    series: () => countSeries(registry),
  }
}
