import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { createLossDetector, defineScript, runScript, whenReady } from '../src/index.ts'
import type { LossDetector, RedisClient } from '../src/index.ts'
import { startRedis, testKeyspace } from '../src/testing/index.ts'
import type { RedisServer } from '../src/testing/index.ts'
import { until } from './outcome.ts'

/** A write that raises the counter of its bucket, as the packages do it. */
const write = defineScript({
  name: 'test.counted-write',
  keys: ['record', 'bucket'],
  args: { value: 'text' },
  reply: reply => reply.integer(),
  lua: `local counter = tonumber(redis.call('ZSCORE', bucket, '#') or 0)
if counter == 0 then
  local time = redis.call('TIME')
  counter = 1 + (time[1] * 1000000 + time[2]) % 4095
end
counter = counter + 4096
redis.call('ZADD', bucket, string.format('%.0f', counter), '#')
redis.call('SET', record, value)
return { string.format('%.0f', counter) }`,
})

function writer(redis: RedisClient, detector: LossDetector, prefix = testKeyspace()) {
  return async (scope: string): Promise<boolean> => {
    const mark = detector.mark(scope)
    const input = {
      keys: { record: prefix.tagged(scope, 'record'), bucket: prefix.tagged(scope, 'open') },
      args: { value: 'x' },
    }
    const counter = await runScript(redis, write, input, { deadlineMs: 30_000 })
    return detector.check(scope, mark, counter)
  }
}

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server[Symbol.asyncDispose]())

describe('loss of acknowledged writes [claim 10]', () => {
  test('FLUSHALL is reported once, in each scope', async () => {
    const redis = server.client()
    const put = writer(redis, createLossDetector())
    for (const scope of ['a', 'b', 'a', 'b', 'a']) expect(await put(scope)).toBe(false)
    await redis.flushall()
    expect([await put('a'), await put('a'), await put('b'), await put('b')]).toEqual([true, false, true, false])
    redis.disconnect()
  })

  test('an empty restart is reported', async () => {
    await using own = await startRedis({ aof: 'always' })
    const redis = own.client()
    const put = writer(redis, createLossDetector())
    expect([await put('a'), await put('a')]).toEqual([false, false])
    await own.restart({ data: 'keep' })
    expect(await put('a')).toBe(false)
    await own.restart({ data: 'drop' })
    expect([await put('a'), await put('a')]).toEqual([true, false])
  })

  test('a lost tail is reported: the replica that was promoted had not seen the last writes', async () => {
    await using master = await startRedis()
    await using replica = await startRedis({ replicaOf: master })
    const detector = createLossDetector()
    const prefix = testKeyspace()
    const onMaster = master.client()
    await whenReady(onMaster)
    const put = writer(onMaster, detector, prefix)
    await put('a')
    await until(async () => ((await onMaster.wait(1, 100)) === 1 ? true : undefined))
    await replica.stop()
    expect([await put('a'), await put('a')]).toEqual([false, false])
    await master.kill()
    await replica.restart({ data: 'keep' })
    const onReplica = replica.client()
    await whenReady(onReplica)
    await onReplica.replicaof('NO', 'ONE')
    const putThere = writer(onReplica, detector, prefix)
    expect([await putThere('a'), await putThere('a')]).toEqual([true, false])
  })

  test('nothing is reported in 100 000 healthy calls, 64 in flight over two connections', async () => {
    const clients = [server.client(), server.client()]
    const detector = createLossDetector()
    const prefix = testKeyspace()
    const writers = clients.map(client => writer(client, detector, prefix))
    let left = 100_000
    let reported = 0
    const lane = async (_: unknown, index: number): Promise<void> => {
      while (left-- > 0)
        if (await (writers[index % 2] as (scope: string) => Promise<boolean>)(`s${left % 8}`)) reported += 1
    }
    await Promise.all(Array.from({ length: 64 }, lane))
    expect(reported).toBe(0)
    for (const client of clients) client.disconnect()
  })
})
