import { systemClock } from '@safety/redis-core'
import type { RedisClient } from '@safety/redis-core'

import { TRANSIENT } from './assess.ts'
import { severityAtWeight } from './build-report.ts'
import { UnsafeRedisError } from './errors.ts'
import { resolveStartup } from './options.ts'
import type { StartupOptions } from './options.ts'
import { checkRedis } from './redis-checks.ts'
import type { CheckResult, Report } from './report.ts'
import { severityOf } from './level.ts'

const AGAIN_MS = 1000

/**
 * `checkRedis` before the first effect. `enforce` throws one error with all findings when the level of the report reaches
 * `failOn`; `report` only returns it, so that a guard can be watched before it decides. While every finding is one that may
 * pass by itself (a load, a failover) it looks again each second, up to `waitMs`.
 *
 * @throws `ERR_REDIS_CHECKS_UNSAFE` (a retry helps if `retryable`); `ERR_REDIS_CHECKS_OPTIONS`
 * @example
 * await validateOnStartup(redis, { profile: 'idempotency.standard', mode: 'enforce', waitMs: 30_000 })
 */
export async function validateOnStartup(redis: RedisClient, options: StartupOptions): Promise<Report> {
  const { mode, failOn, waitMs, ...resolved } = resolveStartup(options)
  const { mode: _mode, failOn: _failOn, waitMs: _waitMs, ...checkOptions } = options
  const endMs = systemClock.monotonic() + waitMs
  for (;;) {
    const report = await checkRedis(redis, checkOptions)
    const findings = report.results.filter(
      result => severityAtWeight(result, report.profile, resolved.unknownAs) >= severityOf(failOn),
    )
    if (severityOf(report.level) < severityOf(failOn)) return report
    const passing = findings.every(mayPass)
    const leftMs = endMs - systemClock.monotonic()
    if (passing && leftMs > 0) {
      await systemClock.sleep(
        Math.min(AGAIN_MS, leftMs),
        resolved.signal === undefined ? {} : { signal: resolved.signal },
      )
      continue
    }
    if (mode === 'report') return report
    throw new UnsafeRedisError(report, findings, passing)
  }
}

function mayPass({ id, unknownBecause }: CheckResult): boolean {
  return TRANSIENT.has(id) || unknownBecause === 'timeout' || unknownBecause === 'unreachable'
}
