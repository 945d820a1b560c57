import { describe, expect, test } from 'vitest'

import { runScriptDurably, whenReady } from '../src/index.ts'
import type { RedisClient } from '../src/index.ts'
import { startCluster, startFaultProxy, startRedis, testKeyspace } from '../src/testing/index.ts'
import type { RedisServer } from '../src/testing/index.ts'
import { variants } from './ioredis-variants.ts'
import { endOf, until } from './outcome.ts'
import { increment, plus } from './scripts.ts'

/** Waits until the replica follows, so that a WAIT for 1 can be answered. */
async function following(master: RedisClient): Promise<void> {
  await until(async () => {
    await master.set('warm-up', '1')
    return (await master.wait(1, 200)) === 1 ? true : undefined
  })
}

describe.each(variants)('runScriptDurably, $name', ({ connect, own }) => {
  test('counts the replicas that confirmed, and 0 while the replica hangs', async () => {
    await using master = await startRedis()
    await using replica = await startRedis({ replicaOf: master })
    const redis = connect(master.url, { commandTimeoutMs: 10_000 })
    try {
      await whenReady(redis)
      await following(redis)
      const key = testKeyspace().key('counter')
      expect(await runScriptDurably(redis, increment, plus(key), { replicas: 1, waitMs: 5000 })).toEqual({
        value: 1,
        replicas: 1,
      })
      replica.pause()
      expect(await runScriptDurably(redis, increment, plus(key), { replicas: 1, waitMs: 100 })).toEqual({
        value: 2,
        replicas: 0,
      })
      // The same script again, with a lost reply in mind: it writes, so WAIT means something.
      expect(await runScriptDurably(redis, increment, plus(key, 0), { replicas: 1, waitMs: 100 })).toEqual({
        value: 2,
        replicas: 0,
      })
    } finally {
      replica.resume()
      redis.disconnect()
    }
  })

  test('sends script and WAIT in one pipeline of one connection', async () => {
    await using master = await startRedis()
    await using proxy = await startFaultProxy(master)
    const redis = connect(proxy.url)
    try {
      const key = testKeyspace().key('counter')
      await runScriptDurably(redis, increment, plus(key), { replicas: 0, waitMs: 10 })
      const log = proxy.log().filter(line => line.command === 'eval' || line.command === 'wait')
      expect(log.map(line => line.command)).toEqual(['eval', 'wait'])
      expect(log[0]?.connection).toBe(log[1]?.connection)
    } finally {
      redis.disconnect()
    }
  })

  test('calls that meet a blocked connection leave together behind its WAIT, with one for all; none that left is sent', async () => {
    await using master = await startRedis()
    await using replica = await startRedis({ replicaOf: master })
    await using proxy = await startFaultProxy(master)
    const redis = connect(proxy.url, { commandTimeoutMs: 10_000 })
    const waits = (): number => proxy.log().filter(line => line.command === 'wait').length
    try {
      await whenReady(redis)
      await following(redis)
      replica.pause()
      const keys = testKeyspace()
      const before = waits()
      const durably = (name: string, options: { waitMs?: number; deadlineMs?: number; signal?: AbortSignal } = {}) =>
        runScriptDurably(redis, increment, plus(keys.key(name)), { replicas: 1, waitMs: 1000, ...options })
      const first = durably('a')
      await until(() => (waits() > before ? true : undefined))
      const left = new AbortController()
      const aborted = endOf(durably('b', { signal: left.signal }))
      const late = endOf(durably('b', { deadlineMs: 50 }))
      const other = durably('c', { waitMs: 999 })
      const many = Promise.all(Array.from({ length: 40 }, () => durably('d')))
      left.abort(new Error('enough'))
      expect((await aborted).error).toMatchObject({ message: 'enough' })
      expect((await late).error).toMatchObject({ code: 'ERR_REDIS_NOT_RUN' })
      expect(await first).toEqual({ value: 1, replicas: 0 })
      const values = (await many).map(({ value, replicas }) => [value, replicas])
      expect(values).toEqual(Array.from({ length: 40 }, (_, index) => [index + 1, 0]))
      expect(await other).toEqual({ value: 1, replicas: 0 })
      // One for the first, one for the forty, one for the call that asked for another time.
      expect(waits() - before).toBe(3)
      replica.resume()
      await following(redis)
      expect(await redis.get(keys.key('b'))).toBeNull()
      expect(await durably('a')).toEqual({ value: 2, replicas: 1 })
    } finally {
      replica.resume()
      redis.disconnect()
    }
  })

  test('a call that waited for the connection and then for a WAIT is sent when the connection comes back', async () => {
    await using master = await startRedis()
    await using proxy = await startFaultProxy(master)
    const redis = connect(proxy.url, { commandTimeoutMs: 10_000, maxReconnectDelayMs: 20 })
    try {
      const keys = testKeyspace()
      const durably = (name: string, waitMs: number) =>
        runScriptDurably(redis, increment, plus(keys.key(name)), { replicas: 1, waitMs, deadlineMs: 30_000 })
      // Not connected yet: both stand at the gate first.
      const first = durably('a', 20_000)
      const second = durably('b', 50)
      await until(() => (proxy.log().some(line => line.command === 'wait') ? true : undefined))
      proxy.cut()
      // Its script had answered.
      expect(await first).toEqual({ value: 1, replicas: 0 })
      expect(await second).toEqual({ value: 1, replicas: 0 })
    } finally {
      redis.disconnect()
    }
  })

  test('an own client whose pipeline was lost is free again after the deadline of its calls', async () => {
    await using master = await startRedis()
    await using proxy = await startFaultProxy(master)
    const redis = own({ port: proxy.port, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: null })
    redis.on('error', () => {})
    try {
      await whenReady(redis)
      const keys = testKeyspace()
      const durably = (name: string) =>
        runScriptDurably(redis, increment, plus(keys.key(name)), { replicas: 0, waitMs: 50, deadlineMs: 700 })
      const held = proxy.hold({ command: 'eval' })
      const lost = endOf(durably('a'))
      await until(() => (held.fired > 0 ? true : undefined))
      proxy.cut()
      proxy.release()
      expect((await lost).error).toMatchObject({ code: 'ERR_REDIS_UNKNOWN' })
      await whenReady(redis)
      await until(async () => ((await endOf(durably('b'))).error === undefined ? true : undefined))
    } finally {
      redis.disconnect()
    }
  })

  test('a script that fails in a group fails alone', async () => {
    await using master = await startRedis()
    const redis = connect(master.url)
    try {
      await whenReady(redis)
      const keys = testKeyspace()
      await redis.rpush(keys.key('list'), 'x')
      const options = { replicas: 0, waitMs: 10 }
      const [good, bad, better] = await Promise.allSettled(
        ['one', 'list', 'two'].map(name => runScriptDurably(redis, increment, plus(keys.key(name)), options)),
      )
      expect([good, better]).toMatchObject([{ value: { value: 1 } }, { value: { value: 1 } }])
      expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'ERR_REDIS_REFUSED', redisCode: 'WRONGTYPE' } })
    } finally {
      redis.disconnect()
    }
  })

  test('gives the value with replicas 0 at its deadline when only WAIT is slow, or its reply is lost', async () => {
    await using master = await startRedis()
    await using proxy = await startFaultProxy(master)
    const redis = connect(proxy.url, { commandTimeoutMs: 30_000 })
    try {
      const key = testKeyspace().key('counter')
      const slow = runScriptDurably(redis, increment, plus(key), { replicas: 1, waitMs: 20_000, deadlineMs: 300 })
      expect(await slow).toEqual({ value: 1, replicas: 0 })
    } finally {
      redis.disconnect()
    }
    const second = connect(proxy.url, { commandTimeoutMs: 30_000 })
    try {
      const key = testKeyspace().key('counter')
      await whenReady(second)
      proxy.dropReply({ match: { command: 'wait' } })
      const lost = runScriptDurably(second, increment, plus(key), { replicas: 0, waitMs: 50, deadlineMs: 20_000 })
      expect(await lost).toEqual({ value: 1, replicas: 0 })
    } finally {
      second.disconnect()
    }
  })

  test('is unknown when the reply of the script is lost, and refused when the script is', async () => {
    await using master = await startRedis()
    await using proxy = await startFaultProxy(master)
    const redis = connect(proxy.url)
    try {
      await whenReady(redis)
      const keys = testKeyspace()
      proxy.dropReply({ match: { command: 'eval' } })
      const lost = runScriptDurably(redis, increment, plus(keys.key('counter')), { replicas: 0, waitMs: 10 })
      await expect(lost).rejects.toMatchObject({ code: 'ERR_REDIS_UNKNOWN', script: 'test.increment' })
      await whenReady(redis)
      await redis.rpush(keys.key('list'), 'x')
      const refused = runScriptDurably(redis, increment, plus(keys.key('list')), { replicas: 0, waitMs: 10 })
      await expect(refused).rejects.toMatchObject({ code: 'ERR_REDIS_REFUSED', redisCode: 'WRONGTYPE' })
    } finally {
      redis.disconnect()
    }
  })

  test.each([
    { replicas: -1, waitMs: 10 },
    { replicas: 1.5, waitMs: 10 },
    { replicas: 1, waitMs: 0 },
    { replicas: 1, waitMs: Number.NaN },
  ])('refuses %j', async options => {
    const redis = connect('redis://127.0.0.1:1')
    await expect(runScriptDurably(redis, increment, plus('k'), options)).rejects.toMatchObject({
      code: 'ERR_REDIS_OPTIONS',
    })
    redis.disconnect()
  })
})

describe.each(variants)('in Cluster, $name [claim 9]', ({ connect }) => {
  test('WAIT runs on the node that owns the slot', async () => {
    await using cluster = await startCluster({ replicasPerMaster: 1 })
    const redis = connect(cluster.url, { commandTimeoutMs: 20_000 })
    try {
      const keys = testKeyspace()
      for (let tag = 0; tag < 12; tag++) {
        const key = keys.tagged(`t${tag}`, 'counter')
        const owner = await cluster.master(key)
        const before = await waits(cluster.servers)
        const done = await until(async () => {
          const { value } = await endOf(
            runScriptDurably(redis, increment, plus(key), { replicas: 1, waitMs: 2000, deadlineMs: 20_000 }),
          )
          return value as { replicas: number } | undefined
        })
        expect(done.replicas).toBe(1)
        const after = await waits(cluster.servers)
        const moved = [...after].filter(([port, calls]) => calls > (before.get(port) ?? 0)).map(([port]) => port)
        expect(moved).toEqual([owner.port])
      }
    } finally {
      redis.disconnect()
    }
  })
})

/** How often each server ran WAIT, by port. */
async function waits(servers: readonly RedisServer[]): Promise<Map<number, number>> {
  const counts = new Map<number, number>()
  for (const server of servers) {
    const client = server.client()
    await whenReady(client)
    const stats = await client.info('commandstats')
    counts.set(server.port, Number(/cmdstat_wait:calls=(\d+)/.exec(stats)?.[1] ?? 0))
    client.disconnect()
  }
  return counts
}
