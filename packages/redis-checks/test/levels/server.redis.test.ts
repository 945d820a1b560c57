import { connect } from 'node:net'
import type { Socket } from 'node:net'

import { createManualClock, startCluster, startFaultProxy, startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import { Redis } from 'ioredis'
import { expect } from 'vitest'

import { startFakeRedis, table } from '../fake-redis.ts'
import type { FakeRedis } from '../fake-redis.ts'
import { awaitOnline, configure, examine, nodeId, ready, until } from '../harness.ts'
import { HEALTHY, healthyInfo } from './fakes.ts'
import { describeLevels, passOf } from './flip.ts'

/** A server whose INFO can be changed. */
async function startChangeable(): Promise<{
  fake: FakeRedis
  show: (changes: Record<string, string | number>) => void
}> {
  let info = healthyInfo()
  const fake = await startFakeRedis(command => (command.startsWith('INFO') ? info : table(HEALTHY)(command)))
  return { fake, show: changes => (info = healthyInfo(changes)) }
}

async function openIdle(server: RedisServer, count: number): Promise<Socket[]> {
  return Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<Socket>(resolve => {
          const socket = connect({ host: server.host, port: server.port })
          socket.on('error', () => undefined)
          socket.once('connect', () => resolve(socket))
        }),
    ),
  )
}

describeLevels('server', flip => {
  flip('reachable', 'fail: no PING from the endpoint', async ({ levels, settles }) => {
    await using server = await startRedis()
    await server.kill()
    expect(await levels(server)).toBe('fail fail fail warn')
    await server.restart()
    await settles(server, passOf('reachable'))
  })

  flip('reachable', 'warn: no PING from a replica', async ({ levels, settles }) => {
    await using master = await startRedis()
    await using replica = await startRedis({ replicaOf: master })
    await awaitOnline(master)
    replica.pause()
    expect(await levels(master, { node: nodeId(replica), nodeTimeoutMs: 500 })).toBe('warn warn warn warn')
    replica.resume()
    await settles(master, passOf('reachable'), { node: nodeId(replica) })
  })

  flip('reachable', 'warn from 50 ms, info from 10 ms', async ({ settles }) => {
    await using server = await startRedis()
    await using proxy = await startFaultProxy(server)
    const slow = (ms: number): { remove(): void } =>
      proxy.add({ match: { command: 'ping', direction: 'reply' }, action: { kind: 'delay', ms } })
    const slowest = slow(60)
    await settles(proxy.url, 'warn warn warn warn')
    slowest.remove()
    const slower = slow(15)
    await settles(proxy.url, 'info info info info')
    slower.remove()
    await settles(proxy.url, passOf('reachable'))
  })

  flip('loading', 'fail: a master that loads its data', async ({ levels, settles }) => {
    await using server = await startRedis({
      args: ['--key-load-delay', '5000', '--loading-process-events-interval-bytes', '1024'],
    })
    const redis = server.client()
    await ready(redis)
    const pipeline = redis.pipeline()
    for (let index = 0; index < 2000; index++) pipeline.set(`key:${index}`, 'x'.repeat(100))
    await pipeline.exec()
    redis.disconnect()
    await server.stop()
    const back = server.restart()
    await until(async () => (await examine(server, { only: ['loading'] })).nodes[0]?.reachable === true)
    expect(await levels(server)).toBe('fail fail fail warn')
    const admin = new Redis({ port: server.port, enableReadyCheck: false })
    await admin.config('SET', 'key-load-delay', '0')
    admin.disconnect()
    await back
    await settles(server, passOf('loading'))
  })

  flip('loading', 'warn: a replica that loads its data', async ({ levels }) => {
    const { fake, show } = await startChangeable()
    await using _fake = fake
    show({ role: 'slave', loading: 1 })
    expect(await levels(fake.url, { writeProbe: false })).toBe('warn warn warn warn')
    show({ role: 'slave' })
    expect(await levels(fake.url, { writeProbe: false })).toBe(passOf('loading'))
  })

  flip('endpoint-mode', 'fail: a Cluster client on a plain server, and another topology', async ({ levels }) => {
    await using server = await startRedis()
    expect(await levels(`redis+cluster://${nodeId(server)}`)).toBe('fail fail fail fail')
    expect(await levels(server, { expect: { topology: 'cluster' } })).toBe('fail fail fail fail')
    expect(await levels(server)).toBe(passOf('endpoint-mode'))
  })

  flip('endpoint-mode', 'fail: a plain client on a Cluster node', async ({ levels }) => {
    await using group = await startCluster({ replicasPerMaster: 0 })
    expect(await levels(group.servers[0] as RedisServer)).toBe('fail fail fail fail')
    expect(await levels(group.url)).toBe(passOf('endpoint-mode'))
  })

  flip('role', 'fail: the endpoint is a replica', async ({ levels }) => {
    await using master = await startRedis()
    await using replica = await startRedis({ replicaOf: master })
    expect(await levels(replica)).toBe('fail fail fail warn')
    const admin = replica.client()
    await ready(admin)
    await admin.replicaof('NO', 'ONE')
    expect(await levels(replica)).toBe(passOf('role'))
  })

  flip('server-version', 'fail: too old; warn: another product; info: before 7.2', async ({ levels }) => {
    const { fake, show } = await startChangeable()
    await using _fake = fake
    const options = { writeProbe: false }
    for (const [changes, expected] of [
      [{ redis_version: '6.0.20' }, 'fail fail fail warn'],
      [{ dragonfly_version: 'df-1' }, 'warn warn warn warn'],
      [{ redis_version: '6.2.14' }, 'info info info info'],
    ] as const) {
      show(changes)
      expect(await levels(fake.url, options)).toBe(expected)
    }
    show({})
    expect(await levels(fake.url, { ...options, expect: { minVersion: '7.4' } })).toBe('fail fail fail warn')
    expect(await levels(fake.url, { ...options, expect: { minVersion: '7.2' } })).toBe(passOf('server-version'))
  })

  flip('data-loss', 'fail: the marker of the earlier report is gone', async ({ levels }) => {
    await using server = await startRedis({ aof: 'everysec' })
    const previous = await examine(server)
    const redis = server.client()
    await ready(redis)
    await redis.flushall()
    expect(await levels(server, { previous })).toBe('fail fail warn -')
    expect(await levels(server, { previous: await examine(server) })).toBe(passOf('data-loss'))
  })

  flip('data-loss', 'fail: a restart without persistence', async ({ levels }) => {
    await using server = await startRedis()
    const previous = await examine(server)
    await server.kill()
    await server.restart()
    expect(await levels(server, { previous })).toBe('fail fail warn -')
    expect(await levels(server, { previous: await examine(server) })).toBe(passOf('data-loss'))
  })

  flip('clock-skew', 'warn over 250 ms, fail over 1,000 ms', async ({ levels }) => {
    await using fake = await startFakeRedis(table({ ...HEALTHY, INFO: healthyInfo(), TIME: ['1700000000', '0'] }))
    const at = (offsetMs: number): object => ({
      writeProbe: false,
      clock: createManualClock({ startMs: 1_700_000_000_000 + offsetMs }),
    })
    expect(await levels(fake.url, at(251))).toBe('warn warn info info')
    expect(await levels(fake.url, at(-1001))).toBe('fail warn info info')
    expect(await levels(fake.url, at(250))).toBe(passOf('clock-skew'))
  })

  flip('connections', 'warn over 80 % of maxclients, fail when some were rejected', async ({ levels, settles }) => {
    await using server = await startRedis()
    await configure(server, { maxclients: '20' })
    const previous = await examine(server)
    const idle = await openIdle(server, 16)
    await settles(server, 'warn warn warn warn', { previous })
    const more = await openIdle(server, 10)
    await until(() => more.some(socket => socket.bytesRead > 0))
    for (const socket of [...idle, ...more]) socket.destroy()
    await settles(server, 'fail fail fail warn', { previous })
    expect(await levels(server, { previous: await examine(server) })).toBe(passOf('connections'))
  })
})
