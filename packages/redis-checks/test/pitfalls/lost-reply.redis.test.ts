import { startFaultProxy, startRedis } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { ready } from '../harness.ts'
import { endingOf, lintLevel, safe, versions } from './pitfall.ts'

describe.each(versions)('a lost reply on $name', ({ redis: make }) => {
  test('with the defaults INCR and EVAL run twice, and SET NX tells its owner null [resend-unfulfilled]', async () => {
    await using server = await startRedis()
    await using proxy = await startFaultProxy(server)
    const redis = make({ port: proxy.port })
    await ready(redis)
    expect(lintLevel(redis, 'resend-unfulfilled')).toBe('fail')
    proxy.dropReply({ match: { command: 'incr' } })
    expect(await redis.incr('counter')).toBe(2)
    proxy.dropReply({ match: { command: 'eval' } })
    expect(await redis.eval("return redis.call('INCR', KEYS[1])", 1, 'script')).toBe(2)
    proxy.dropReply({ match: { command: 'set' } })
    expect(await redis.set('lock', 'mine', 'EX', 100, 'NX')).toBe(null)
    expect(await redis.get('lock')).toBe('mine')
    redis.disconnect()
  })

  test('with re-sending off and no timeout the call never settles, also after disconnect() [resend-off-hang]', async () => {
    await using server = await startRedis()
    await using proxy = await startFaultProxy(server)
    const redis = make({ port: proxy.port, autoResendUnfulfilledCommands: false })
    await ready(redis)
    expect(lintLevel(redis, 'resend-off-hang')).toBe('fail')
    proxy.dropReply({ match: { command: 'incr' } })
    const call = redis.incr('counter')
    expect(await endingOf(call, 1000)).toBe('pending')
    redis.disconnect()
    expect(await endingOf(call, 500)).toBe('pending')
  })
})

test('with connectRedis it runs once, and the caller is told that nobody knows', async () => {
  await using server = await startRedis()
  await using proxy = await startFaultProxy(server)
  const redis = safe(proxy.url)
  await ready(redis)
  for (const id of ['resend-unfulfilled', 'resend-off-hang']) expect([id, lintLevel(redis, id)]).toEqual([id, 'pass'])
  proxy.dropReply({ match: { command: 'incr' } })
  expect(await endingOf(redis.incr('counter'), 5000)).toBe('rejected')
  const look = server.client()
  await ready(look)
  expect(await look.get('counter')).toBe('1')
  redis.disconnect()
})
