import type { Report } from './report.ts'

export type ReadinessStatus = 'starting' | 'ready' | 'degraded' | 'not-ready'

/** What a readiness endpoint answers. Redis away must not take every process out at once: that is `degraded`. */
export interface Readiness {
  status: ReadinessStatus
  httpStatus: 200 | 503
  /** Ids of failing blocking checks. */
  blocking: string[]
  /** Ids of other failing checks, `hold-off`, `unreachable`, `stale`. */
  degraded: string[]
  holdOffUntilMs: number | null
  /** Age of the report, milliseconds. */
  ageMs: number | null
  /** Older than three fast intervals. */
  stale: boolean
}

/** Pure: the verdict of a cached report. */
export function judgeReadiness(state: {
  readonly report: Report | null
  readonly ageMs: number | null
  readonly fastIntervalMs: number
  readonly holdOffUntilMs: number | null
}): Readiness {
  const { report, ageMs, holdOffUntilMs } = state
  if (report === null) {
    return {
      status: 'starting',
      httpStatus: 503,
      blocking: [],
      degraded: [],
      holdOffUntilMs,
      ageMs: null,
      stale: false,
    }
  }
  const { blocking, failing, unreachable } = standingOf(report)
  const stale = ageMs !== null && ageMs > 3 * state.fastIntervalMs
  const degraded = [...failing]
  if (holdOffUntilMs !== null) degraded.push('hold-off')
  if (unreachable) degraded.push('unreachable')
  if (stale) degraded.push('stale')
  const status = blocking.length > 0 ? 'not-ready' : degraded.length > 0 ? 'degraded' : 'ready'
  const httpStatus = status === 'not-ready' ? 503 : 200
  return { status, httpStatus, blocking: [...blocking], degraded, holdOffUntilMs, ageMs, stale }
}

/** What a report says as long as it is the last one. */
interface Standing {
  readonly blocking: readonly string[]
  readonly failing: readonly string[]
  readonly unreachable: boolean
}

/** Readiness is asked far more often than reports come, and a report of many nodes is long. */
const standings = new WeakMap<Report, Standing>()

function standingOf(report: Report): Standing {
  const kept = standings.get(report)
  if (kept !== undefined) return kept
  const failing = report.results.filter(result => result.level === 'fail')
  const standing = {
    blocking: idsOf(failing.filter(result => result.blocking)),
    failing: idsOf(failing.filter(result => !result.blocking)),
    unreachable: report.nodes.some(node => !node.reachable),
  }
  standings.set(report, standing)
  return standing
}

function idsOf(results: readonly { readonly id: string }[]): string[] {
  return [...new Set(results.map(result => result.id))]
}
