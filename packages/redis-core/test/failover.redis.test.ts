import type { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'

import { runScript, whenReady } from '../src/index.ts'
import type { RedisClient } from '../src/index.ts'
import { startCluster, startFaultProxy, startRedis, startSentinel, testKeyspace } from '../src/testing/index.ts'
import { variants } from './ioredis-variants.ts'
import { endOf, pause, until } from './outcome.ts'
import { increment, plus } from './scripts.ts'

function refused(redis: RedisClient, key: string): Promise<unknown> {
  return endOf(runScript(redis, increment, plus(key), { deadlineMs: 20_000 }))
}

/** The port a ready client talks to. */
function portOf(redis: RedisClient): number | undefined {
  return redis.status === 'ready' ? (redis as Redis).stream.remotePort : undefined
}

describe.each(variants)('a demoted master, $name [claim 6]', ({ connect }) => {
  test('is left after one READONLY, and nothing is sent twice', async () => {
    await using other = await startRedis()
    await using server = await startRedis()
    await using proxy = await startFaultProxy(server)
    const redis = connect(proxy.url)
    try {
      await whenReady(redis)
      const key = testKeyspace().key('counter')
      const connectionsBefore = new Set(proxy.log().map(line => line.connection)).size
      const operator = server.client()
      await whenReady(operator)
      await operator.replicaof('127.0.0.1', other.port)
      expect(await refused(redis, key)).toMatchObject({ code: 'ERR_REDIS_NOT_RUN', error: { redisCode: 'READONLY' } })
      await operator.replicaof('NO', 'ONE')
      expect(await runScript(redis, increment, plus(key), { deadlineMs: 20_000 })).toBe(1)
      expect(new Set(proxy.log().map(line => line.connection)).size).toBe(connectionsBefore + 1)
      const sent = proxy.log().filter(line => line.script === 'test.increment')
      expect(sent.filter(line => line.error === 'READONLY').length).toBe(1)
    } finally {
      redis.disconnect()
    }
  })

  test('stays with a client whose profile is asked about another error', async () => {
    await using server = await startRedis()
    await using proxy = await startFaultProxy(server)
    const redis = connect(proxy.url)
    try {
      await whenReady(redis)
      const key = testKeyspace().key('list')
      await redis.rpush(key, 'x')
      await refused(redis, key)
      await redis.ping()
      expect(new Set(proxy.log().map(line => line.connection)).size).toBe(1)
    } finally {
      redis.disconnect()
    }
  })
})

describe.each(variants)('Sentinel, $name', ({ connect }) => {
  test('moves even an idle client to the new master while the old one only hangs, so that it cannot acknowledge later', async () => {
    await using group = await startSentinel({ replicas: 1, downAfterMs: 500 })
    const redis = connect(group.url, { commandTimeoutMs: 500 })
    try {
      const key = testKeyspace().key('counter')
      expect(await runScript(redis, increment, plus(key), { deadlineMs: 30_000 })).toBe(1)
      const old = await group.master()
      const operator = old.client()
      await whenReady(operator)
      await until(async () => ((await operator.wait(1, 100)) === 1 ? true : undefined))
      old.pause()
      const now = await until(async () => {
        const master = await group.master()
        return master.port === old.port ? undefined : master
      }, 40_000)
      // Nothing is in flight, so no timeout tells the client: only the Sentinels can.
      const port = await until(() => (portOf(redis) === old.port ? undefined : portOf(redis)), 40_000)
      expect(port).toBe(now.port)
      old.resume()
      const acknowledged = await runScript(redis, increment, plus(key), { deadlineMs: 30_000 })
      const reader = now.client()
      await whenReady(reader)
      expect(await reader.get(key)).toBe(String(acknowledged))
    } finally {
      redis.disconnect()
    }
  })

  test('a Sentinel that accepts and hangs does not stop the search', async () => {
    await using group = await startSentinel({ replicas: 1 })
    const [first, ...others] = group.sentinels
    first?.pause()
    const sentinels = [first, ...others].map(server => ({ host: '127.0.0.1', port: server?.port ?? 0 }))
    const master = new URL(group.url.replace('redis+sentinel', 'http').replace(/,[^/]*/, '')).pathname.slice(1)
    const redis = connect({ kind: 'sentinel', sentinels, master }, { connectTimeoutMs: 200 })
    try {
      const key = testKeyspace().key('counter')
      expect(await runScript(redis, increment, plus(key), { deadlineMs: 30_000 })).toBe(1)
    } finally {
      first?.resume()
      redis.disconnect()
    }
  })
})

describe.each(variants)('Cluster, $name', ({ connect }) => {
  test('runs scripts on every slot, many at once from the start', async () => {
    await using cluster = await startCluster({ replicasPerMaster: 0 })
    const redis = connect(cluster.url)
    try {
      const keys = testKeyspace()
      const calls = Array.from({ length: 200 }, (_, index) =>
        runScript(redis, increment, plus(keys.tagged(`t${index % 50}`, 'counter')), { deadlineMs: 30_000 }),
      )
      const values = await Promise.all(calls)
      expect(values.sort((a, b) => a - b)).toEqual(
        Array.from({ length: 200 }, (_, index) => Math.floor(index / 50) + 1),
      )
    } finally {
      redis.disconnect()
    }
  })

  test('says not run while the owner of a slot is down, and goes on once a replica took over', async () => {
    await using cluster = await startCluster({ replicasPerMaster: 1, nodeTimeoutMs: 1000 })
    const redis = connect(cluster.url)
    try {
      const key = testKeyspace().key('counter')
      expect(await runScript(redis, increment, plus(key), { deadlineMs: 30_000 })).toBe(1)
      const owner = await cluster.master(key)
      const probe = owner.client()
      await whenReady(probe)
      await until(async () => ((await probe.wait(1, 100)) === 1 ? true : undefined))
      await owner.kill()
      await pause(50)
      const down = await endOf(runScript(redis, increment, plus(key), { deadlineMs: 200 }))
      expect(down).toMatchObject({ code: 'ERR_REDIS_NOT_RUN' })
      expect(await runScript(redis, increment, plus(key), { deadlineMs: 50_000 })).toBe(2)
    } finally {
      redis.disconnect()
    }
  })
})
