import { startFaultProxy, startRedis } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { ready, until } from '../harness.ts'
import { endingOf, lintLevel, measured, safe, versions } from './pitfall.ts'

const IDS = ['offline-queue', 'ghost-command']

describe.each(versions)('a timed-out command on $name', version => {
  test('queued while offline it is rejected, and runs later [offline-queue, ghost-command]', async ({ task }) => {
    await using server = await startRedis({ aof: 'always' })
    const redis = version.redis({ port: server.port, commandTimeout: 200, retryStrategy: () => 100 })
    await ready(redis)
    expect(IDS.map(id => lintLevel(redis, id))).toEqual(['fail', 'warn'])
    await server.kill()
    await until(() => redis.status !== 'ready')
    expect(await endingOf(redis.incr('counter'), 5000)).toBe('rejected')
    await server.restart()
    await ready(redis)
    await until(async () => (await redis.get('counter')) === '1')
    redis.disconnect()
    measured(task, version, 'timed-out-command', 'queued while offline: rejected, then ran')
  })

  test('in flight when the connection broke it is rejected, and runs twice [ghost-command]', async ({ task }) => {
    await using server = await startRedis()
    await using proxy = await startFaultProxy(server)
    const redis = version.redis({ port: proxy.port, commandTimeout: 150, retryStrategy: () => 600 })
    await ready(redis)
    proxy.dropReply({ match: { command: 'incr' } })
    expect(await endingOf(redis.incr('counter'), 5000)).toBe('rejected')
    const look = server.client()
    await ready(look)
    expect(await look.get('counter')).toBe('1')
    await until(async () => (await look.get('counter')) === '2')
    redis.disconnect()
    measured(task, version, 'timed-out-command', 'in flight when the connection broke: rejected, ran 2 times')
  })
})

test('with connectRedis what was refused offline never runs, and what was in flight runs once', async () => {
  await using server = await startRedis({ aof: 'always' })
  await using proxy = await startFaultProxy(server)
  const redis = safe(proxy.url)
  await ready(redis)
  expect(IDS.map(id => lintLevel(redis, id))).toEqual(['pass', 'pass'])
  proxy.dropReply({ match: { command: 'incr' } })
  expect(await endingOf(redis.incr('in flight'), 5000)).toBe('rejected')
  await ready(redis)
  await server.kill()
  await until(() => redis.status !== 'ready')
  expect(await endingOf(redis.incr('offline'), 5000)).toBe('rejected')
  await server.restart()
  await ready(redis)
  // Longer than any delay of the client: what it kept would have run by now.
  await new Promise(resolve => setTimeout(resolve, 500))
  expect(await redis.mget('in flight', 'offline')).toEqual(['1', null])
  redis.disconnect()
})
