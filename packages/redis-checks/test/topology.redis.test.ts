import { connectRedis } from '@safety/redis-core'
import { startCluster, startFaultProxy, startRedis, startSentinel } from '@safety/redis-core/testing'
import type { RedisGroup } from '@safety/redis-core/testing'
import { Cluster } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { slotOf } from '../src/slot.ts'
import {
  configure,
  examine,
  examineClient,
  levelOf,
  levelsByProfile,
  nodeId,
  resultOf,
  skipOf,
  until,
} from './harness.ts'

describe('Cluster', () => {
  let group: RedisGroup
  beforeAll(async () => {
    group = await startCluster({ replicasPerMaster: 1 })
  })
  afterAll(() => group[Symbol.asyncDispose]())

  test('a healthy Cluster passes its checks, and each master keeps a marker of its own', async () => {
    const report = await examine(group.url, { expect: { replicas: 1 } })
    expect(report.topology).toBe('cluster')
    expect(report.nodes).toHaveLength(6)
    for (const id of ['role', 'endpoint-mode', 'node-coverage']) expect([id, levelOf(report, id)]).toEqual([id, 'pass'])
    expect(report.results.filter(({ id }) => id === 'cluster-state').every(({ level }) => level === 'pass')).toBe(true)
    const masters = report.nodes.filter(({ role }) => role === 'master')
    expect(masters.every(({ marker }) => marker !== null)).toBe(true)
    expect(new Set(masters.map(({ marker }) => marker?.id)).size).toBe(3)
  })

  test("one node's other policy fails there and in node-parity [claim 10]", async () => {
    const [odd] = group.servers
    if (odd === undefined) throw new Error('no server')
    await configure(odd, { 'maxmemory-policy': 'volatile-lru' })
    const report = await examine(group.url)
    const failing = report.results.filter(({ id, level }) => id === 'eviction-policy' && level === 'fail')
    expect(failing.map(({ node }) => node)).toEqual([nodeId(odd)])
    expect(resultOf(report, 'node-parity')).toMatchObject({ level: 'fail', data: { different: 'maxmemory-policy' } })
    await configure(odd, { 'maxmemory-policy': 'noeviction' })
    expect(levelOf(await examine(group.url), 'node-parity')).toBe('pass')
  })

  test('a plain client on a Cluster node fails endpoint-mode, a Cluster client on a plain server too', async () => {
    const [node] = group.servers
    if (node === undefined) throw new Error('no server')
    expect(resultOf(await examine(node), 'endpoint-mode')).toMatchObject({ level: 'fail', blocking: true })
    await using plain = await startRedis()
    expect(levelOf(await examine(`redis+cluster://${nodeId(plain)}`), 'endpoint-mode')).toBe('fail')
    expect(levelOf(await examine(plain), 'endpoint-mode')).toBe('pass')
    expect(levelOf(await examine(plain, { expect: { topology: 'sentinel' } }), 'endpoint-mode')).toBe('fail')
  })

  test('keys of several slots fail key-co-location, and are never shown', async () => {
    expect(slotOf('123456789')).toBe(12739)
    const split = {
      expect: {
        keyGroups: [
          ['{a}:1', '{a}:2'],
          ['secret-a', 'secret-b'],
        ],
      },
    }
    expect(await levelsByProfile(group.url, 'key-co-location', split)).toBe('fail fail fail -')
    expect(JSON.stringify(await examine(group.url, split))).not.toContain('secret-a')
    expect(await levelsByProfile(group.url, 'key-co-location', { expect: { keyGroups: [['{a}:1', '{a}:2']] } })).toBe(
      'pass pass pass -',
    )
  })

  test('a natMap is followed [claim 12]', async () => {
    const proxies = await Promise.all(group.servers.map(server => startFaultProxy(server)))
    const natMap = Object.fromEntries(
      group.servers.map((server, index) => [nodeId(server), { host: '127.0.0.1', port: proxies[index]?.port ?? 0 }]),
    )
    const cluster = new Cluster([{ host: '127.0.0.1', port: proxies[0]?.port ?? 0 }], { natMap, lazyConnect: true })
    const report = await examineClient(cluster)
    expect(report.nodes.map(({ id }) => id).sort()).toEqual(proxies.map(({ port }) => `127.0.0.1:${port}`).sort())
    expect(report.nodes.every(({ reachable }) => reachable)).toBe(true)
    cluster.disconnect()
    for (const proxy of proxies) await proxy[Symbol.asyncDispose]()
  })

  test('a killed replica: five full reports, not complete [claim 11]', async () => {
    const before = await examine(group.url)
    const replica = before.nodes.find(({ role }) => role === 'replica')
    const server = group.servers.find(candidate => nodeId(candidate) === replica?.id)
    if (server === undefined) throw new Error('no replica')
    await server.kill()
    const report = await examine(group.url)
    expect(report.nodes.filter(({ reachable }) => reachable)).toHaveLength(5)
    expect(report.complete).toBe(false)
    expect(levelOf(report, 'reachable', nodeId(server))).toBe('warn')
    expect(levelOf(report, 'node-coverage')).toBe('unknown')
    const others = report.nodes.filter(({ reachable }) => reachable).map(({ id }) => id)
    expect(others.every(id => levelOf(report, 'eviction-policy', id) === 'pass')).toBe(true)
    expect(
      report.skipped.filter(({ node }) => node === nodeId(server)).every(({ reason }) => reason === 'unreachable'),
    ).toBe(true)
    await server.restart()
  })

  test('a master lost without a replica fails cluster-state', async () => {
    await using small = await startCluster({ replicasPerMaster: 0, nodeTimeoutMs: 500 })
    const [first, second] = small.servers
    if (first === undefined || second === undefined) throw new Error('no servers')
    await first.kill()
    await until(async () => {
      const report = await examine(small.url, { only: ['cluster-state'] })
      return report.results.some(({ level, blocking }) => level === 'fail' && blocking)
    })
  })
})

describe('Sentinel', () => {
  test('two of three sentinels killed fail quorum; with all of them every sentinel check passes [claim 14]', async () => {
    await using group = await startSentinel({ replicas: 1 })
    const healthy = await examine(group.url, { expect: { leaseMs: 60_000 } })
    expect(healthy.topology).toBe('sentinel')
    expect(healthy.nodes.filter(({ role }) => role === 'sentinel')).toHaveLength(3)
    for (const id of ['sentinel-count', 'sentinel-agreement', 'role'])
      expect([id, levelOf(healthy, id)]).toEqual([id, 'pass'])
    expect(
      healthy.results.filter(({ id }) => id === 'sentinel-quorum' || id === 'down-after').map(({ level }) => level),
    ).toEqual(Array.from({ length: 6 }, () => 'pass'))
    const short = await examine(group.url, { expect: { leaseMs: 1000 }, only: ['down-after'] })
    expect(new Set(short.results.map(({ level }) => level))).toEqual(new Set(['warn']))
    await group.sentinels[0]?.kill()
    await group.sentinels[1]?.kill()
    const alive = nodeId(group.sentinels[2] as never)
    await until(async () => {
      const report = await examine(group.url, { only: ['sentinel-quorum', 'node-coverage'] })
      return report.results.some(
        ({ id, node, level }) => id === 'sentinel-quorum' && node === alive && level === 'fail',
      )
    })
  })

  test('a client with one sentinel finds the others, the master and the replicas through it', async () => {
    await using group = await startSentinel({ replicas: 1 })
    const [sentinel] = group.sentinels
    if (sentinel === undefined) throw new Error('no sentinel')
    const redis = connectRedis(`redis+sentinel://${nodeId(sentinel)}/mymaster`, { profile: 'checks' })
    const report = await examineClient(redis)
    redis.disconnect()
    expect(report.nodes.map(({ role }) => role).sort()).toEqual([
      'master',
      'replica',
      'sentinel',
      'sentinel',
      'sentinel',
    ])
    expect(skipOf(report, 'cluster-state')).toBe('not-applicable')
  })
})
