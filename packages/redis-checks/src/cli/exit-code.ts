import { severityAtWeight } from '../build-report.ts'
import { severityOf } from '../level.ts'
import type { CheckResult, Report } from '../report.ts'

/**
 * 0 nothing found, 1 a check that was read fails, 2 usage, 3 no answer or not complete, 4 internal or not written; 130 and
 * 143, as from a shell, when SIGINT or SIGTERM ended it before the report.
 */
export type ExitCode = 0 | 1 | 2 | 3 | 4 | 130 | 143

/** Ends the command with one line. */
export class CliError extends Error {
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode, message: string) {
    super(message)
    this.exitCode = exitCode
  }
}

/** These say that something was not seen, not that it is unsafe. */
const ABOUT_REACH: ReadonlySet<string> = new Set(['reachable', 'node-coverage'])

/** The first rule that matches, top down. */
export function exitCodeOf(report: Report, failOn: 'fail' | 'warn', unknownAs: 'fail' | 'warn'): ExitCode {
  if (report.results.some(({ unknownBecause }) => unknownBecause === 'crashed')) return 4
  if (!report.nodes.some(({ reachable }) => reachable)) return 3
  const counts = (result: CheckResult): boolean => {
    if (ABOUT_REACH.has(result.id)) return false
    if (result.unknownBecause === 'timeout' || result.unknownBecause === 'unreachable') return false
    return severityAtWeight(result, report.profile, unknownAs) >= severityOf(failOn)
  }
  if (report.results.some(counts)) return 1
  return report.complete ? 0 : 3
}
