import { startSentinel } from '@safety/redis-core/testing'
import type { RedisGroup, RedisServer } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { awaitOnline, ready } from '../harness.ts'
import { AWAY, lintLevel, measured, safe, versions } from './pitfall.ts'

/** The replica has lost its master and goes on serving reads, as it does by default; nobody repairs it. */
async function cutReplica(group: RedisGroup): Promise<{ master: RedisServer; replica: RedisServer }> {
  const [master, replica] = group.servers as [RedisServer, RedisServer]
  await awaitOnline(master)
  for (const sentinel of group.sentinels) sentinel.pause()
  const admin = replica.client()
  await ready(admin)
  await admin.replicaof('127.0.0.1', AWAY)
  return { master, replica }
}

describe.each(versions)('a read from a replica on $name', version => {
  test('misses a record that was written before it [read-routing]', async ({ task }) => {
    await using group = await startSentinel({ replicas: 1 })
    const sentinels = group.sentinels.map(({ host, port }) => ({ host, port }))
    const reader = version.redis({ sentinels, name: 'mymaster', role: 'slave' })
    const writer = version.redis({ sentinels, name: 'mymaster' })
    await Promise.all([ready(reader), ready(writer)])
    expect([lintLevel(reader, 'read-routing'), lintLevel(writer, 'read-routing')]).toEqual(['fail', 'pass'])
    await cutReplica(group)
    expect(await writer.set('record', 'done')).toBe('OK')
    expect([await reader.get('record'), await writer.get('record')]).toEqual([null, 'done'])
    reader.disconnect()
    writer.disconnect()
    for (const sentinel of group.sentinels) sentinel.resume()
    measured(task, version, 'stale-read', 'null for a record that the master had acknowledged')
  })
})

test('connectRedis reads from the master', async () => {
  await using group = await startSentinel({ replicas: 1 })
  const redis = safe(group.url)
  await ready(redis)
  expect(lintLevel(redis, 'read-routing')).toBe('pass')
  await cutReplica(group)
  expect(await redis.set('record', 'done')).toBe('OK')
  expect(await redis.get('record')).toBe('done')
  redis.disconnect()
  for (const sentinel of group.sentinels) sentinel.resume()
})
