import type { CheckResult, Report } from './report.ts'

export type RedisChecksErrorCode = 'ERR_REDIS_CHECKS_OPTIONS' | 'ERR_REDIS_CHECKS_UNSAFE'

/** An option is invalid. Thrown before any contact with Redis; a retry does not help. */
export class RedisChecksOptionsError extends Error {
  override readonly name: string = 'RedisChecksOptionsError'
  readonly code: RedisChecksErrorCode = 'ERR_REDIS_CHECKS_OPTIONS'
  readonly retryable: boolean = false
  readonly outcome = 'not-run' as const
  /** The option at fault. */
  readonly field: string

  constructor(field: string, problem: string) {
    super(`option ${field} ${problem}`)
    this.field = field
  }
}

/** `enforce` refuses this Redis: one error with all findings. `retryable` when every finding may pass by itself. */
export class UnsafeRedisError extends Error {
  override readonly name: string = 'UnsafeRedisError'
  readonly code: RedisChecksErrorCode = 'ERR_REDIS_CHECKS_UNSAFE'
  readonly outcome = 'not-run' as const
  readonly retryable: boolean
  readonly report: Report
  /** The results that reached `failOn`, worst first. */
  readonly findings: readonly CheckResult[]

  constructor(report: Report, findings: readonly CheckResult[], retryable: boolean) {
    const lines = findings.map(
      ({ id, node, observed, remedy }) => `- ${id}${node === null ? '' : ` on ${node}`}: ${observed}. ${remedy.text}`,
    )
    super([`this Redis is refused for ${report.profile}: ${report.summary.sentence}`, ...lines].join('\n'))
    this.report = report
    this.findings = findings
    this.retryable = retryable
  }
}
