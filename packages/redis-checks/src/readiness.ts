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
  const failing = report.results.filter(result => result.level === 'fail')
  const blocking = idsOf(failing.filter(result => result.blocking))
  const stale = ageMs !== null && ageMs > 3 * state.fastIntervalMs
  const degraded = [
    ...idsOf(failing.filter(result => !result.blocking)),
    ...(holdOffUntilMs === null ? [] : ['hold-off']),
    ...(report.nodes.some(node => !node.reachable) ? ['unreachable'] : []),
    ...(stale ? ['stale'] : []),
  ]
  const status = blocking.length > 0 ? 'not-ready' : degraded.length > 0 ? 'degraded' : 'ready'
  return { status, httpStatus: status === 'not-ready' ? 503 : 200, blocking, degraded, holdOffUntilMs, ageMs, stale }
}

function idsOf(results: readonly { readonly id: string }[]): string[] {
  return [...new Set(results.map(result => result.id))]
}
