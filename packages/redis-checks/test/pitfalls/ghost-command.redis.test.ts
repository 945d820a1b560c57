import { startFaultProxy, startRedis } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { ready, until } from '../harness.ts'
import { endingOf, lintLevel, safe, versions } from './pitfall.ts'

describe.each(versions)('a timed-out command on $name', ({ redis: make }) => {
  test('queued while offline it is rejected, and runs later [offline-queue, ghost-command]', async () => {
    await using server = await startRedis({ aof: 'always' })
    const redis = make({ port: server.port, commandTimeout: 200, retryStrategy: () => 100 })
    await ready(redis)
    for (const [id, level] of [
      ['offline-queue', 'fail'],
      ['ghost-command', 'warn'],
    ] as const) {
      expect([id, lintLevel(redis, id)]).toEqual([id, level])
    }
    await server.kill()
    await until(() => redis.status !== 'ready')
    expect(await endingOf(redis.incr('counter'), 5000)).toBe('rejected')
    await server.restart()
    await ready(redis)
    await until(async () => (await redis.get('counter')) === '1')
    redis.disconnect()
  })

  test('in flight when the connection broke it is rejected, and runs twice [ghost-command]', async () => {
    await using server = await startRedis()
    await using proxy = await startFaultProxy(server)
    const redis = make({ port: proxy.port, commandTimeout: 150, retryStrategy: () => 600 })
    await ready(redis)
    proxy.dropReply({ match: { command: 'incr' } })
    expect(await endingOf(redis.incr('counter'), 5000)).toBe('rejected')
    const look = server.client()
    await ready(look)
    expect(await look.get('counter')).toBe('1')
    await until(async () => (await look.get('counter')) === '2')
    redis.disconnect()
  })
})

test('with connectRedis what was refused offline never runs', async () => {
  await using server = await startRedis({ aof: 'always' })
  const redis = safe(server.url)
  await ready(redis)
  for (const id of ['offline-queue', 'ghost-command']) expect([id, lintLevel(redis, id)]).toEqual([id, 'pass'])
  await server.kill()
  await until(() => redis.status !== 'ready')
  expect(await endingOf(redis.incr('counter'), 5000)).toBe('rejected')
  await server.restart()
  await ready(redis)
  await new Promise(resolve => setTimeout(resolve, 500))
  expect(await redis.get('counter')).toBe(null)
  redis.disconnect()
})
