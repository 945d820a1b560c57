import { defineScript, runScript } from '@safety/redis-core'
import { startRedis } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { ready } from '../harness.ts'
import { measured, safe, versions } from './pitfall.ts'

// No check can see this one: redis-core's rule is that a step is one script, sent by runScript, and never part of a MULTI.
describe.each(versions)('a script inside multi() after SCRIPT FLUSH on $name', version => {
  test('the transaction is half applied and nothing is thrown', async ({ task }) => {
    await using server = await startRedis()
    const redis = version.redis({ port: server.port })
    await ready(redis)
    const sha = (await redis.script('LOAD', "return redis.call('SET', KEYS[1], 'by script')")) as string
    await redis.script('FLUSH')
    const replies = await redis.multi().set('before', '1').evalsha(sha, 1, 'middle').set('after', '1').exec()
    expect(replies?.map(([error]) => error?.message.split(' ')[0] ?? 'ok')).toEqual(['ok', 'NOSCRIPT', 'ok'])
    expect(await redis.mget('before', 'middle', 'after')).toEqual(['1', null, '1'])
    redis.disconnect()
    measured(task, version, 'script-in-multi', '2 of 3 steps applied, exec() resolved')
  })
})

test('one script sent by runScript is applied whole after SCRIPT FLUSH', async () => {
  const steps = defineScript({
    name: 'pitfall.steps',
    keys: ['before', 'middle', 'after'],
    args: {},
    lua: "redis.call('SET', before, '1') redis.call('SET', middle, 'by script') redis.call('SET', after, '1') return { 3 }",
    reply: reply => reply.integer(),
  })
  await using server = await startRedis()
  const redis = safe(server.url)
  await ready(redis)
  const input = { keys: { before: 'before', middle: 'middle', after: 'after' }, args: {} }
  await runScript(redis, steps, input)
  await redis.call('FLUSHALL')
  await redis.call('SCRIPT', 'FLUSH')
  expect(await runScript(redis, steps, input)).toBe(3)
  expect(await redis.mget('before', 'middle', 'after')).toEqual(['1', 'by script', '1'])
  redis.disconnect()
})
