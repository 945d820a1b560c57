import { startRedis } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { ready, until } from '../harness.ts'
import { endingOf, lintLevel, measured, safe, versions } from './pitfall.ts'

describe.each(versions)('a strategy that stops on $name', version => {
  test('leaves a client dead when Redis is back [retry-strategy]', async ({ task }) => {
    await using server = await startRedis({ aof: 'always' })
    const retryStrategy = (attempt: number): number | null => (attempt > 3 ? null : 10)
    const redis = version.redis({ port: server.port, retryStrategy })
    await ready(redis)
    expect(lintLevel(redis, 'retry-strategy')).toBe('warn')
    await server.kill()
    await until(() => redis.status === 'end')
    await server.restart()
    for (let call = 0; call < 5; call++) expect(await endingOf(redis.incr('counter'), 5000)).toBe('rejected')
    expect(redis.status).toBe('end')
    measured(task, version, 'stopped-strategy', 'stopped at attempt 4: 5 of 5 calls rejected with Redis back')
  })
})

test('connectRedis comes back', async () => {
  await using server = await startRedis({ aof: 'always' })
  const redis = safe(server.url)
  await ready(redis)
  expect(lintLevel(redis, 'retry-strategy')).toBe('pass')
  let attempts = 0
  redis.on('reconnecting', () => (attempts += 1))
  await server.kill()
  await until(() => attempts > 4)
  await server.restart()
  await ready(redis)
  expect(await endingOf(redis.incr('counter'), 5000)).toBe('resolved')
  redis.disconnect()
})
