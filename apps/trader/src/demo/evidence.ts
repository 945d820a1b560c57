import type { Audit, TruthLine } from './exchange-control.ts'
import type { OutageSpan } from './history.ts'
import type { DemoDocument, SideName } from './result.ts'
import type { LoggedLine } from './side.ts'
import type { StormPlan } from './storm.ts'
import type { WorkerEvent } from './worker-slot.ts'

/** What a side left behind, beside the exchange's books. */
export interface SideEvidence {
  readonly audit: Audit
  readonly log: readonly LoggedLine[]
  readonly texts: readonly string[]
  readonly events: readonly WorkerEvent[]
  /** The side's own records, one per intent. */
  readonly journal: readonly unknown[]
}

/** Everything a finished run can show. */
export interface DemoEvidence {
  readonly document: DemoDocument
  readonly plan: StormPlan
  readonly truth: readonly TruthLine[]
  readonly sides: Readonly<Record<SideName, SideEvidence>>
  readonly outages: readonly OutageSpan[]
  /** Epoch milliseconds. */
  readonly tradingFromMs: number
  readonly tradingToMs: number
  readonly endMs: number
}
