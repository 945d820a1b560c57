import type { RedisClient } from '@safety/redis-core'
import { startCluster } from '@safety/redis-core/testing'
import type { RedisGroup } from '@safety/redis-core/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { ready } from '../harness.ts'
import { lintLevel, mastersReady, measured, safe, versions } from './pitfall.ts'

const KEYS = 300

let group: RedisGroup

beforeAll(async () => {
  group = await startCluster({ replicasPerMaster: 0 })
})
afterAll(() => group[Symbol.asyncDispose]())

/** How many keys each master has, the fullest first. */
async function spread(redis: RedisClient): Promise<number[]> {
  await Promise.all(Array.from({ length: KEYS }, (_, index) => redis.set(`record:${index}`, 'x')))
  const counts = group.servers.map(async server => {
    const node = server.client()
    await ready(node)
    const count = await node.dbsize()
    await node.flushall()
    node.disconnect()
    return count
  })
  redis.disconnect()
  return (await Promise.all(counts)).sort((a, b) => b - a)
}

describe.each(versions)('a keyPrefix with braces on $name', version => {
  test('moves every key of a Cluster into one slot [key-prefix]', async ({ task }) => {
    const ports = group.servers.map(({ port }) => port)
    const braced = version.cluster(ports, { keyPrefix: '{shop}:' })
    expect(lintLevel(braced, 'key-prefix')).toBe('warn')
    await ready(braced)
    expect(await spread(braced)).toEqual([KEYS, 0, 0])
    const plain = version.cluster(ports, {})
    expect(lintLevel(plain, 'key-prefix')).toBe('pass')
    await ready(plain)
    expect(Math.min(...(await spread(plain)))).toBeGreaterThan(0)
    measured(task, version, 'prefixed-slot', `${KEYS} of ${KEYS} keys on 1 of 3 masters`)
  })
})

test('connectRedis has no keyPrefix: its keys lie on every master', async () => {
  const redis = safe(group.url)
  expect(lintLevel(redis, 'key-prefix')).toBe('pass')
  await mastersReady(redis)
  expect(Math.min(...(await spread(redis)))).toBeGreaterThan(0)
})
