import { startRedis } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { ready, until } from '../harness.ts'
import { endingOf, lintLevel, measured, safe, versions } from './pitfall.ts'

describe.each(versions)('READONLY on $name', version => {
  test('without a handler the client stays on the demoted master [reconnect-on-error]', async ({ task }) => {
    await using master = await startRedis()
    await using demoted = await startRedis({ replicaOf: master })
    const stuck = version.redis({ port: demoted.port })
    await ready(stuck)
    let closed = 0
    stuck.on('close', () => (closed += 1))
    expect(lintLevel(stuck, 'reconnect-on-error', { replicas: 1 })).toBe('warn')
    for (let call = 0; call < 5; call++) expect(await endingOf(stuck.incr('counter'), 5000)).toBe('rejected')
    expect({ closed, status: stuck.status }).toEqual({ closed: 0, status: 'ready' })
    stuck.disconnect()
    measured(task, version, 'readonly', 'no handler: 5 of 5 writes refused on the same connection')
  })

  test('a handler that answers 2 sends the refused command again [reconnect-on-error]', async ({ task }) => {
    await using master = await startRedis()
    await using demoted = await startRedis({ replicaOf: master })
    const admin = demoted.client()
    await ready(admin)
    let asked = 0
    const redis = version.redis({
      port: demoted.port,
      reconnectOnError: () => ((asked += 1), 2),
      retryStrategy: () => 50,
    })
    await ready(redis)
    expect(lintLevel(redis, 'reconnect-on-error')).toBe('fail')
    const call = redis.incr('counter')
    // It goes out again and again until it runs somewhere.
    await until(() => asked >= 3)
    await admin.replicaof('NO', 'ONE')
    expect(await endingOf(call, 10_000)).toBe('resolved')
    expect(await admin.get('counter')).toBe('1')
    redis.disconnect()
    measured(task, version, 'readonly', 'a handler that answers 2: sent 4 times or more by itself, until it ran')
  })
})

test('connectRedis leaves a demoted master after one READONLY and sends nothing twice', async () => {
  await using master = await startRedis()
  await using demoted = await startRedis({ replicaOf: master })
  const redis = safe(demoted.url)
  await ready(redis)
  expect(lintLevel(redis, 'reconnect-on-error', { replicas: 1 })).toBe('pass')
  const closed = new Promise<void>(resolve => redis.once('close', () => resolve()))
  expect(await endingOf(redis.incr('counter'), 5000)).toBe('rejected')
  await closed
  redis.disconnect()
})
