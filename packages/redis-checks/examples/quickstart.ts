import { connectRedis } from '@safety/redis-core'
import { formatReport, UnsafeRedisError, validateOnStartup } from '@safety/redis-checks'

const redis = connectRedis(process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379', { connectionName: 'shop' })

try {
  // Before the first effect: refuse a Redis that cannot keep what an "execute once" stands on.
  const report = await validateOnStartup(redis, { profile: 'idempotency.standard', mode: 'enforce', waitMs: 5000 })
  process.stdout.write(`started: ${report.summary.sentence}\n`)
} catch (error) {
  if (!(error instanceof UnsafeRedisError)) throw error
  // What can go wrong, on which node, and the command that ends it; worst first.
  process.stdout.write(formatReport(error.report, 'table'))
  process.stdout.write(`refused: ${error.findings.map(finding => finding.id).join(', ')}\n`)
} finally {
  redis.disconnect()
}
