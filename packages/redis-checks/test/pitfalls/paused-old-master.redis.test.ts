import type { RedisClient } from '@safety/redis-core'
import { startSentinel } from '@safety/redis-core/testing'
import type { RedisGroup, RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'

import { examine, infoOf, levelOf, ready, resultOf, roleOf, until } from '../harness.ts'
import { lintLevel, measured, safe, versions } from './pitfall.ts'

const WRITES = 20

interface Split {
  readonly old: RedisServer
  readonly promoted: RedisServer
  /** The sentinels act again: the old master becomes a replica of the new one, and forgets what it alone has. */
  readonly demote: () => Promise<void>
}

/** Where a client writes to. */
function portOf(redis: RedisClient): number | undefined {
  return redis.status === 'ready' ? (redis as Redis).stream.remotePort : undefined
}

/** When sentinels see a returned master, and how soon they demote it: 10 s and 8 s where they cannot be told, before Redis 7. */
async function hurry(sentinel: RedisServer): Promise<void> {
  const redis = sentinel.client({ profile: 'worker' })
  await ready(redis)
  for (const period of ['info-period', 'publish-period']) {
    await redis.call('SENTINEL', 'DEBUG', period, 200).catch(() => undefined)
  }
  redis.disconnect()
}

/**
 * The master pauses until another one is promoted, and wakes while the sentinels sleep: for as long as nobody demotes it
 * there are two. On a busy day this lasts some seconds; here it lasts until `demote`.
 */
async function split(group: RedisGroup, clients: readonly RedisClient[]): Promise<Split> {
  const old = await group.master()
  await Promise.all(clients.map(ready))
  old.pause()
  let promoted = old
  await until(async () => (promoted = await group.master()) !== old, 60_000)
  await until(async () => (await roleOf(promoted)) === 'master', 60_000)
  // Whoever heard of the failover has moved by now.
  const moving = clients.filter(redis => (redis as Redis).options.failoverDetector === true)
  await until(() => moving.every(redis => portOf(redis) === promoted.port), 60_000)
  await Promise.all(group.sentinels.map(hurry))
  for (const sentinel of group.sentinels) sentinel.pause()
  old.resume()
  return {
    old,
    promoted,
    async demote() {
      for (const sentinel of group.sentinels) sentinel.resume()
      await until(async () => (await infoOf(old, 'replication')).includes('master_link_status:up'), 60_000)
    },
  }
}

async function writeAll(redis: RedisClient, name: string): Promise<number> {
  const writes = Array.from({ length: WRITES }, (_, index) => redis.set(`${name}:${index}`, 'written'))
  return (await Promise.allSettled(writes)).filter(({ status }) => status === 'fulfilled').length
}

/** How many of the writes the new master has after all. */
async function kept(server: RedisServer, name: string): Promise<number> {
  const redis = server.client({ profile: 'worker' })
  await ready(redis)
  return redis.exists(...Array.from({ length: WRITES }, (_, index) => `${name}:${index}`))
}

describe.each(versions)('an old master that paused and came back on $name', version => {
  test('acknowledges writes that are thrown away, and the detector keeps them [failover-detector, wait-probe]', async ({
    task,
  }) => {
    await using group = await startSentinel({ replicas: 1, downAfterMs: 500 })
    const sentinels = group.sentinels.map(({ host, port }) => ({ host, port }))
    const connect = (options: object): Redis =>
      version.redis({ sentinels, name: 'mymaster', retryStrategy: () => 50, ...options })
    const [staying, moving] = [connect({}), connect({ failoverDetector: true })]
    expect([staying, moving].map(redis => lintLevel(redis, 'failover-detector'))).toEqual(['fail', 'pass'])
    const { old, promoted, demote } = await split(group, [staying, moving])
    expect([staying, moving].map(portOf)).toEqual([old.port, promoted.port])
    expect(await writeAll(staying, 'staying')).toBe(WRITES)
    expect(await writeAll(moving, 'moving')).toBe(WRITES)
    // Who asks for the replica learns that nobody has the write, and so does the check.
    expect(await staying.wait(1, 200)).toBe(0)
    const options = { expect: { replicas: 1 }, only: ['wait-probe'], profile: 'idempotency.strict' as const }
    expect(resultOf(await examine(old, options), 'wait-probe')).toMatchObject({
      level: 'fail',
      data: { acknowledged: 0, wanted: 1 },
    })
    staying.disconnect()
    moving.disconnect()
    await demote()
    expect([await kept(promoted, 'staying'), await kept(promoted, 'moving')]).toEqual([0, WRITES])
    await until(async () => levelOf(await examine(promoted, options), 'wait-probe') === 'pass')
    const figure = `${WRITES} of ${WRITES} acknowledged writes lost, WAIT told 0 replicas; with failoverDetector none lost`
    measured(task, version, 'paused-old-master', figure)
  }, 120_000)
})

test('with connectRedis every acknowledged write is kept', async () => {
  await using group = await startSentinel({ replicas: 1, downAfterMs: 500 })
  const redis = safe(group.url)
  expect(lintLevel(redis, 'failover-detector')).toBe('pass')
  const { promoted, demote } = await split(group, [redis])
  expect(await writeAll(redis, 'safe')).toBe(WRITES)
  redis.disconnect()
  await demote()
  expect(await kept(promoted, 'safe')).toBe(WRITES)
}, 120_000)
