import { startRedis } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'

import { ready } from '../harness.ts'
import { endingOf, lintLevel, measured, safe, versions } from './pitfall.ts'

describe.each(versions)('a connection that subscribes on $name', version => {
  test('refuses every other command on RESP2 [shared-connection]', async ({ task }) => {
    await using server = await startRedis()
    const shared = version.redis({ port: server.port, protocol: 2 })
    await ready(shared)
    expect(lintLevel(shared, 'shared-connection')).toBe('pass')
    await shared.subscribe('channel')
    expect(lintLevel(shared, 'shared-connection')).toBe('fail')
    for (let call = 0; call < 5; call++) expect(await endingOf(shared.incr('counter'), 5000)).toBe('rejected')
    const own = shared.duplicate()
    await ready(own)
    expect(lintLevel(own, 'shared-connection')).toBe('pass')
    expect(await own.incr('counter')).toBe(1)
    shared.disconnect()
    own.disconnect()
    measured(task, version, 'shared-connection', '5 of 5 commands refused; on a duplicate they run')
  })
})

test('with connectRedis a duplicate subscribes, and commands run', async () => {
  await using server = await startRedis()
  const redis = safe(server.url)
  await ready(redis)
  const subscriber = (redis as Redis).duplicate()
  await ready(subscriber)
  await subscriber.subscribe('channel')
  expect(lintLevel(redis, 'shared-connection')).toBe('pass')
  expect(await endingOf(redis.incr('counter'), 5000)).toBe('resolved')
  subscriber.disconnect()
  redis.disconnect()
})
