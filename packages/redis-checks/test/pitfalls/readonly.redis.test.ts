import { startRedis } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { ready } from '../harness.ts'
import { endingOf, lintLevel, safe, versions } from './pitfall.ts'

describe.each(versions)('READONLY on $name', ({ redis: make }) => {
  test('without a handler the client stays on the demoted master; one that answers 2 sends again [reconnect-on-error]', async () => {
    await using master = await startRedis()
    await using demoted = await startRedis({ replicaOf: master })
    const stuck = make({ port: demoted.port })
    await ready(stuck)
    let closed = 0
    stuck.on('close', () => (closed += 1))
    expect(lintLevel(stuck, 'reconnect-on-error', { replicas: 1 })).toBe('warn')
    for (let call = 0; call < 5; call++) expect(await endingOf(stuck.incr('counter'), 5000)).toBe('rejected')
    expect({ closed, status: stuck.status }).toEqual({ closed: 0, status: 'ready' })
    stuck.disconnect()

    const admin = demoted.client()
    await ready(admin)
    let asked = 0
    const resending = make({ port: demoted.port, reconnectOnError: () => ((asked += 1), 2), retryStrategy: () => 50 })
    await ready(resending)
    expect(lintLevel(resending, 'reconnect-on-error')).toBe('fail')
    const call = resending.incr('counter')
    // The command goes out again and again until it runs somewhere.
    await admin.replicaof('NO', 'ONE')
    expect(await endingOf(call, 10_000)).toBe('resolved')
    expect(asked).toBeGreaterThan(0)
    resending.disconnect()
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
