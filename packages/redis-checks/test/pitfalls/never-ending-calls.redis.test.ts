import { startFaultProxy, startRedis } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { ready, until } from '../harness.ts'
import { endingOf, lintLevel, safe, versions } from './pitfall.ts'

const AWAY = 1

describe.each(versions)('calls that never end on $name', ({ redis: make, cluster }) => {
  test('accept-then-close leaves a call pending over dozens of attempts [command-timeout]', async () => {
    await using server = await startRedis()
    await using proxy = await startFaultProxy(server)
    const closing = proxy.add({ match: { command: 'incr' }, action: { kind: 'drop-request', then: 'fin' } })
    const redis = make({ port: proxy.port, retryStrategy: () => 1 })
    await ready(redis)
    expect(lintLevel(redis, 'command-timeout')).toBe('fail')
    const call = redis.incr('counter')
    await until(() => closing.fired > 40)
    expect(await endingOf(call, 50)).toBe('pending')
    call.catch(() => undefined)
    redis.disconnect()
  })

  test('a server that is down: null never gives an error, 20 gives it after 21 attempts [retries-per-request]', async () => {
    const never = make({ port: AWAY, maxRetriesPerRequest: null, retryStrategy: () => 5 })
    expect(lintLevel(never, 'retries-per-request')).toBe('fail')
    const call = never.incr('counter')
    call.catch(() => undefined)
    expect(await endingOf(call, 1000)).toBe('pending')
    never.disconnect()
    let attempts = 0
    const late = make({ port: AWAY, retryStrategy: (attempt: number) => ((attempts = attempt), 5) })
    expect(lintLevel(late, 'retries-per-request')).toBe('warn')
    expect(await endingOf(late.incr('counter'), 20_000)).toBe('rejected')
    expect(attempts).toBe(21)
    late.disconnect()
  })

  test('a Cluster that is away ignores the offline queue setting inside redisOptions [misplaced-option]', async () => {
    const inside = cluster([AWAY], { redisOptions: { enableOfflineQueue: false }, clusterRetryStrategy: () => 50 })
    expect(lintLevel(inside, 'misplaced-option')).toBe('warn')
    expect(lintLevel(inside, 'offline-queue')).toBe('fail')
    const call = inside.incr('counter')
    call.catch(() => undefined)
    expect(await endingOf(call, 1000)).toBe('pending')
    inside.disconnect()
    const top = cluster([AWAY], { enableOfflineQueue: false, clusterRetryStrategy: () => 50 })
    expect(lintLevel(top, 'misplaced-option')).toBe('pass')
    expect(await endingOf(top.incr('counter'), 5000)).toBe('rejected')
    top.disconnect()
  })
})

test('with connectRedis every one of these calls ends', async () => {
  await using server = await startRedis()
  await using proxy = await startFaultProxy(server)
  proxy.add({ match: { command: 'incr' }, action: { kind: 'drop-request', then: 'fin' } })
  for (const url of [proxy.url, `redis://127.0.0.1:${AWAY}`, `redis+cluster://127.0.0.1:${AWAY}`]) {
    const redis = safe(url)
    for (const id of ['command-timeout', 'retries-per-request', 'misplaced-option']) {
      expect(['pass', '-']).toContain(lintLevel(redis, id))
    }
    expect([url, await endingOf(redis.incr('counter'), 5000)]).toEqual([url, 'rejected'])
    redis.disconnect()
  }
})
