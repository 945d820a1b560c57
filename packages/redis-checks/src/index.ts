export { catalogue } from './catalogue.ts'
export type { CatalogueEntry } from './catalogue.ts'
export type { ClientRole } from './client-role.ts'
export type { RedisClient } from '@safety/redis-core'
export { RedisChecksOptionsError, UnsafeRedisError } from './errors.ts'
export type { RedisChecksErrorCode } from './errors.ts'
export type { Listener, RedisChecksEvent } from './events.ts'
export type { Expectations } from './expectations.ts'
export { formatReport } from './format/format-report.ts'
export type { Format, FormatOptions } from './format/format-report.ts'
export type { Cap, Level, Profile } from './level.ts'
export { lintClient } from './lint-client.ts'
export type { LintClientOptions } from './lint-client.ts'
export type { LossSignal } from './loss-signal.ts'
export type { MetricRegistry } from './metric.ts'
export type { CheckOptions, StartupOptions, WatchOptions } from './options.ts'
export type { Readiness, ReadinessStatus } from './readiness.ts'
export { checkRedis } from './redis-checks.ts'
export type {
  Acknowledgement,
  AcknowledgementState,
  CheckResult,
  Data,
  Evidence,
  Guarantee,
  NodeReport,
  Report,
  SkipReason,
  Skipped,
  Topology,
  UnknownBecause,
} from './report.ts'
export { validateOnStartup } from './startup.ts'
export { watchRedis } from './watch.ts'
export type { RedisWatch } from './watch.ts'
