import { startFaultProxy, startRedis } from '@safety/redis-core/testing'
import type { Rule } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { ready, until } from '../harness.ts'
import { endingOf, lintLevel, measured, safe, versions } from './pitfall.ts'

const ATTEMPTS = 84
const closing: Rule = { match: { command: 'incr' }, action: { kind: 'drop-request', then: 'fin' } }

describe.each(versions)('a server that accepts and then closes on $name', version => {
  test('leaves a call pending over dozens of attempts [command-timeout]', async ({ task }) => {
    await using server = await startRedis()
    await using proxy = await startFaultProxy(server)
    const closed = proxy.add(closing)
    const redis = version.redis({ port: proxy.port, retryStrategy: () => 1 })
    await ready(redis)
    expect(lintLevel(redis, 'command-timeout')).toBe('fail')
    const call = redis.incr('counter')
    call.catch(() => undefined)
    await until(() => closed.fired >= ATTEMPTS)
    expect(await endingOf(call, 50)).toBe('pending')
    redis.disconnect()
    measured(task, version, 'accept-then-close', `pending after ${ATTEMPTS} attempts`)
  })
})

test('with connectRedis the call ends', async () => {
  await using server = await startRedis()
  await using proxy = await startFaultProxy(server)
  const closed = proxy.add(closing)
  const redis = safe(proxy.url)
  await ready(redis)
  expect(lintLevel(redis, 'command-timeout')).toBe('pass')
  expect(await endingOf(redis.incr('counter'), 5000)).toBe('rejected')
  expect(closed.fired).toBe(1)
  redis.disconnect()
})
