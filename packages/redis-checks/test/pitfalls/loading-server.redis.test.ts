import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { ready, until } from '../harness.ts'
import { endingOf, lintLevel, measured, safe, versions } from './pitfall.ts'

const KEYS = 1000

/** A server whose data takes seconds to load, and that answers meanwhile. */
async function startSlow(): Promise<RedisServer> {
  const server = await startRedis({
    args: ['--key-load-delay', '3000', '--loading-process-events-interval-bytes', '1024'],
  })
  const redis = server.client()
  await ready(redis)
  const pipeline = redis.pipeline()
  for (let index = 0; index < KEYS; index++) pipeline.set(`key:${index}`, 'x'.repeat(100))
  await pipeline.exec()
  redis.disconnect()
  await server.stop()
  return server
}

describe.each(versions)('a server that loads its data on $name', version => {
  test('gives a client without the ready check LOADING for every call [ready-check]', async ({ task }) => {
    await using server = await startSlow()
    const back = server.restart()
    const hasty = version.redis({ port: server.port, enableReadyCheck: false, retryStrategy: () => 10 })
    expect(lintLevel(hasty, 'ready-check')).toBe('warn')
    await ready(hasty)
    const errors: string[] = []
    for (let call = 0; call < 5; call++) await hasty.get('key:1').catch(error => errors.push(String(error.message)))
    hasty.disconnect()
    await back
    expect(errors.map(text => text.split(' ')[0])).toEqual(Array.from({ length: 5 }, () => 'LOADING'))
    measured(task, version, 'loading-server', '"ready" while loading: 5 of 5 calls refused')
  })
})

test('connectRedis is ready when the data is there', async () => {
  await using server = await startSlow()
  const back = server.restart()
  const redis = safe(server.url)
  expect(lintLevel(redis, 'ready-check')).toBe('pass')
  const look = versions[0]?.redis({ port: server.port, enableReadyCheck: false, retryStrategy: () => 10 })
  if (look === undefined) throw new Error('no version')
  await ready(look)
  // Loading now, and the client says so before it sends anything.
  expect(await look.info('persistence')).toContain('loading:1')
  expect(redis.status).not.toBe('ready')
  expect(await endingOf(redis.get('key:1'), 5000)).toBe('rejected')
  await until(() => redis.status === 'ready')
  expect(await look.info('persistence')).toContain('loading:0')
  expect(await redis.get('key:1')).toBe('x'.repeat(100))
  look.disconnect()
  redis.disconnect()
  await back
})
