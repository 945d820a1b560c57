import { startRedis } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { ready } from '../harness.ts'
import { versions } from './pitfall.ts'

// No check can see this one: redis-core's rule is that a step is one script, sent by runScript, and never part of a MULTI.
describe.each(versions)('a script inside multi() after SCRIPT FLUSH on $name', ({ redis: make }) => {
  test('the transaction is half applied and nothing is thrown', async () => {
    await using server = await startRedis()
    const redis = make({ port: server.port })
    await ready(redis)
    const sha = (await redis.script('LOAD', "return redis.call('SET', KEYS[1], 'by script')")) as string
    await redis.script('FLUSH')
    const replies = await redis.multi().set('before', '1').evalsha(sha, 1, 'middle').set('after', '1').exec()
    expect(replies?.map(([error]) => error?.message.split(' ')[0] ?? 'ok')).toEqual(['ok', 'NOSCRIPT', 'ok'])
    expect(await redis.mget('before', 'middle', 'after')).toEqual(['1', null, '1'])
    redis.disconnect()
  })
})
