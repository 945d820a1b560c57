import { describe, expect, test } from 'vitest'

import { until } from '../harness.ts'
import { AWAY, endingOf, lintLevel, measured, safe, versions } from './pitfall.ts'

const IDS = ['misplaced-option', 'offline-queue']

describe.each(versions)('a Cluster that is away on $name', version => {
  test('ignores the offline queue option inside redisOptions [misplaced-option, offline-queue]', async ({ task }) => {
    let attempts = 0
    const clusterRetryStrategy = (attempt: number): number => ((attempts = attempt), 1)
    const levels = (cluster: ReturnType<typeof version.cluster>): string[] => IDS.map(id => lintLevel(cluster, id))
    const redisOptions = { enableOfflineQueue: false, commandTimeout: 50, maxRetriesPerRequest: 0 }
    const inside = version.cluster([AWAY], { redisOptions, clusterRetryStrategy })
    expect(levels(inside)).toEqual(['warn', 'fail'])
    const call = inside.incr('counter')
    call.catch(() => undefined)
    await until(() => attempts >= 84)
    expect(await endingOf(call, 200)).toBe('pending')
    inside.disconnect()

    const top = version.cluster([AWAY], {
      enableOfflineQueue: false,
      redisOptions: { commandTimeout: 50, maxRetriesPerRequest: 0 },
      clusterRetryStrategy,
    })
    expect(levels(top)).toEqual(['pass', 'pass'])
    expect(await endingOf(top.incr('counter'), 5000)).toBe('rejected')
    top.disconnect()
    measured(task, version, 'cluster-away', 'inside redisOptions: pending after 84 attempts; beside it: rejected')
  })
})

test('with connectRedis the call ends', async () => {
  const redis = safe(`redis+cluster://127.0.0.1:${AWAY}`)
  expect(IDS.map(id => lintLevel(redis, id))).toEqual(['pass', 'pass'])
  expect(await endingOf(redis.incr('counter'), 5000)).toBe('rejected')
  redis.disconnect()
})
