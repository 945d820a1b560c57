import type { Level, Profile } from './level.ts'

/** How a finding is known, strongest first. `attested`: the operator says so; `none`: nothing could be read. */
export type Evidence = 'probe' | 'config' | 'info' | 'trace' | 'options' | 'attested' | 'none'

/** What a check protects. */
export type Guarantee =
  | 'record-stays'
  | 'survives-crash'
  | 'single-owner'
  | 'answers-in-time'
  | 'shared-state'
  | 'honest-report'

export const GUARANTEES: readonly Guarantee[] = [
  'record-stays',
  'survives-crash',
  'single-owner',
  'answers-in-time',
  'shared-state',
  'honest-report',
]

export type Topology = 'standalone' | 'replication' | 'sentinel' | 'cluster'

export type SkipReason =
  | 'not-selected'
  | 'not-applicable'
  | 'not-declared'
  | 'no-write-probe'
  | 'no-earlier-report'
  | 'unreachable'

export type UnknownBecause = 'refused' | 'not-shown' | 'unreachable' | 'timeout' | 'crashed'

export type Data = Record<string, string | number | boolean | null>

/** Accepts a finding until a date: its level becomes `info`. */
export interface Acknowledgement {
  id: string
  /** `host:port`; without it all nodes are covered. */
  node?: string
  reason: string
  /** ISO 8601. */
  until: string
}

/** The whole verdict. It never says "safe": a pass is a guarantee not disproved at that moment. */
export interface Report {
  schemaVersion: 1
  tool: Record<string, string>
  profile: Profile
  startedAt: string
  durationMs: number
  topology: Topology | 'unknown'
  /** The worst level; an unknown counts with its weight. */
  level: Exclude<Level, 'unknown'>
  /** False when no node answered, or a check that may fail could not be read. */
  complete: boolean
  guarantees: Record<Guarantee, 'not-disproved' | 'weakened' | 'broken' | 'unknown'>
  nodes: NodeReport[]
  /** Worst first. */
  results: CheckResult[]
  skipped: Skipped[]
  acknowledgements: AcknowledgementState[]
  summary: { counts: Record<Level, number>; sentence: string }
}

export interface Skipped {
  id: string
  node: string | null
  reason: SkipReason
  detail: string
}

export interface AcknowledgementState {
  id: string
  node: string | null
  state: 'applied' | 'expired' | 'refused' | 'unused'
}

export interface NodeReport {
  /** `host:port`. */
  id: string
  role: 'master' | 'replica' | 'sentinel' | 'unknown'
  reachable: boolean
  product: string | null
  version: string | null
  runId: string | null
  refused: { command: string; how: 'NOPERM' | 'unknown-command' | 'empty' | 'unsupported' }[]
  counters: Record<string, number>
  marker: { id: string; seq: number } | null
}

export interface CheckResult {
  id: string
  group: string
  /** `null`: the client or the deployment. */
  node: string | null
  level: Level
  /** Before an acknowledgement. */
  rawLevel: Level
  /** This one cannot work now. */
  blocking: boolean
  unknownBecause?: UnknownBecause
  observed: string
  expected: string
  evidence: Evidence
  source: string
  guarantees: Guarantee[]
  message: string
  remedy: { text: string; command?: string }
  docs: string
  data: Data
  acknowledged?: Acknowledgement
}
