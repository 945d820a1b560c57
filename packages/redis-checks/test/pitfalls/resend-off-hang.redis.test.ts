import { startFaultProxy, startRedis } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { ready } from '../harness.ts'
import { endingOf, lintLevel, measured, safe, versions } from './pitfall.ts'

describe.each(versions)('a lost reply with re-sending off and no timeout on $name', version => {
  test('the call never settles, also after disconnect() [resend-off-hang]', async ({ task }) => {
    await using server = await startRedis()
    await using proxy = await startFaultProxy(server)
    const redis = version.redis({ port: proxy.port, autoResendUnfulfilledCommands: false })
    await ready(redis)
    expect(lintLevel(redis, 'resend-off-hang')).toBe('fail')
    const lost = proxy.dropReply({ match: { command: 'incr' } })
    const call = redis.incr('counter')
    expect(await endingOf(call, 1000)).toBe('pending')
    expect(lost.fired).toBe(1)
    redis.disconnect()
    expect(await endingOf(call, 500)).toBe('pending')
    measured(task, version, 'resend-off-hang', 'pending for ever, also after disconnect()')
  })
})

test('with connectRedis the call is rejected', async () => {
  await using server = await startRedis()
  await using proxy = await startFaultProxy(server)
  const redis = safe(proxy.url)
  await ready(redis)
  expect(lintLevel(redis, 'resend-off-hang')).toBe('pass')
  proxy.dropReply({ match: { command: 'incr' } })
  expect(await endingOf(redis.incr('counter'), 5000)).toBe('rejected')
  redis.disconnect()
})
