import rows from './evidence.json' with { type: 'json' }
import { compareVersions } from './subject.ts'

/** What a version of ioredis did to a caller, measured on a real Redis. Written by `pnpm pitfalls`. */
export interface EvidenceRow {
  /** Of ioredis. */
  readonly version: string
  /** The pitfall; `test/pitfalls/<row>.redis.test.ts` shows it. */
  readonly row: string
  readonly harm: string
  readonly figure: string
  /** The checks that flag it. */
  readonly checks: readonly string[]
}

export const evidence: readonly EvidenceRow[] = rows

/** What was measured for a check, by pitfall and version. */
export function evidenceFor(id: string): EvidenceRow[] {
  return evidence.filter(({ checks }) => checks.includes(id))
}

/** The newest ioredis on which a pitfall was shown. */
export function lastVersionWith(row: string): string | undefined {
  const versions = evidence.filter(item => item.row === row).map(({ version }) => version)
  return versions.toSorted(compareVersions).at(-1)
}
