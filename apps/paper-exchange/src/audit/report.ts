export type InvariantId = 'A1' | 'A2' | 'A3' | 'A4' | 'A5' | 'A6' | 'A7'

export interface Verdict {
  readonly id: InvariantId
  readonly ok: boolean
  /** Number of breaches. */
  readonly count: number
  /** `seq` of up to 20 entries that prove them. */
  readonly evidence: readonly number[]
}

export interface AuditTotals {
  readonly accepted: number
  readonly duplicates: number
  readonly orphans: number
  readonly lost: number
  readonly refused: number
  readonly inDoubt: number
  readonly requestsDuringRetryAfter: number
  readonly afterKill: number
}

export interface AuditReport {
  readonly ok: boolean
  readonly totals: AuditTotals
  /** Ledger minus real change of balance per asset; only with a ledger claim. */
  readonly drift: Readonly<Record<string, string>>
  readonly invariants: readonly Verdict[]
}
