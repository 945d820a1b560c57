import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { configure, examine, levelOf, levelsByProfile, ready, resultOf } from './harness.ts'

const EVICTING = [
  'allkeys-lru',
  'allkeys-lfu',
  'allkeys-random',
  'volatile-lru',
  'volatile-lfu',
  'volatile-random',
  'volatile-ttl',
]

/** Writes records with a TTL until far more than the limit was written. */
async function fill(server: RedisServer): Promise<number> {
  const redis = server.client()
  await ready(redis)
  const value = 'x'.repeat(10_000)
  for (let batch = 0; batch < 20; batch++) {
    const pipeline = redis.pipeline()
    for (let index = 0; index < 50; index++) pipeline.set(`record:${batch}:${index}`, value, 'EX', 1000)
    await pipeline.exec()
  }
  const left = await redis.dbsize()
  redis.disconnect()
  return left
}

describe('defects of the seed', () => {
  test('AOF with everysec passes the persistence check on a real server', async () => {
    await using server = await startRedis({ aof: 'everysec' })
    const result = resultOf(await examine(server), 'persistence')
    expect(result).toMatchObject({ level: 'pass', evidence: 'config' })
    // Undone, it is found.
    await configure(server, { appendonly: 'no' })
    expect(levelOf(await examine(server), 'persistence')).toBe('fail')
  })

  test('a server with neither AOF nor save points fails the persistence check', async () => {
    await using server = await startRedis()
    const redis = server.client()
    await ready(redis)
    // The field the original trusted is there, and says nothing.
    expect(await redis.info('persistence')).toMatch(/rdb_last_save_time:[1-9]/)
    expect(await levelsByProfile(server, 'persistence')).toBe('fail fail info info')
  })

  test('every eviction policy but noeviction fails, and a real eviction under each proves it', async () => {
    await using server = await startRedis({ args: ['--maxmemory', '6mb'] })
    for (const policy of EVICTING) {
      const redis = server.client()
      await ready(redis)
      await redis.flushall()
      await redis.config('RESETSTAT')
      redis.disconnect()
      await configure(server, { 'maxmemory-policy': policy })
      expect([policy, await levelsByProfile(server, 'eviction-policy')]).toEqual([policy, 'fail fail warn info'])
      expect(await fill(server)).toBeLessThan(1000)
      expect(levelOf(await examine(server), 'evictions')).toBe('warn')
    }
    await configure(server, { 'maxmemory-policy': 'noeviction', maxmemory: '0' })
    expect(await levelsByProfile(server, 'eviction-policy')).toBe('pass pass pass pass')
  })
})
