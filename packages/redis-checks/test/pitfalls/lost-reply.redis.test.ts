import { startFaultProxy, startRedis } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { ready, until } from '../harness.ts'
import { endingOf, lintLevel, measured, safe, versions } from './pitfall.ts'

describe.each(versions)('a lost reply on $name', version => {
  test('with the defaults INCR, MULTI and EVAL run twice, and SET NX tells its owner null [resend-unfulfilled]', async ({
    task,
  }) => {
    await using server = await startRedis()
    await using proxy = await startFaultProxy(server)
    const redis = version.redis({ port: proxy.port })
    await ready(redis)
    expect(lintLevel(redis, 'resend-unfulfilled')).toBe('fail')
    proxy.dropReply({ match: { command: 'incr' } })
    expect(await redis.incr('counter')).toBe(2)
    proxy.dropReply({ match: { command: 'eval' } })
    expect(await redis.eval("return redis.call('INCR', KEYS[1])", 1, 'script')).toBe(2)

    // All replies of the transaction are lost: a part of one would be aborted.
    const lost = proxy.dropReply({ match: { command: 'multi' }, then: 'silence' })
    const transaction = redis.multi().incr('transaction').exec()
    const look = server.client()
    await ready(look)
    await until(async () => lost.fired === 1 && (await look.get('transaction')) === '1')
    proxy.cut()
    expect(await transaction).toEqual([[null, 2]])

    proxy.dropReply({ match: { command: 'set' } })
    expect(await redis.set('lock', 'mine', 'EX', 100, 'NX')).toBe(null)
    expect(await redis.get('lock')).toBe('mine')
    redis.disconnect()
    measured(task, version, 'lost-reply', 'INCR, MULTI and EVAL ran 2 times; SET NX told its owner null')
  })
})

test('with connectRedis it runs once, and the caller is told that nobody knows', async () => {
  await using server = await startRedis()
  await using proxy = await startFaultProxy(server)
  const redis = safe(proxy.url)
  await ready(redis)
  expect(lintLevel(redis, 'resend-unfulfilled')).toBe('pass')
  const look = server.client()
  await ready(look)
  const calls = {
    incr: () => redis.incr('incr'),
    eval: () => redis.eval("return redis.call('INCR', KEYS[1])", 1, 'eval'),
    exec: () => redis.multi().incr('exec').exec(),
  }
  for (const [command, call] of Object.entries(calls)) {
    proxy.dropReply({ match: { command } })
    expect([command, await endingOf(call(), 5000)]).toEqual([command, 'rejected'])
    await ready(redis)
    expect([command, await look.get(command)]).toEqual([command, '1'])
  }
  proxy.dropReply({ match: { command: 'set' } })
  expect(await endingOf(redis.set('lock', 'mine', 'EX', 100, 'NX'), 5000)).toBe('rejected')
  redis.disconnect()
})
