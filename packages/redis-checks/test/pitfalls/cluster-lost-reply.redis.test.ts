import { startCluster, startFaultProxy } from '@safety/redis-core/testing'
import type { FaultProxy, RedisGroup } from '@safety/redis-core/testing'
import type { Cluster } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { nodeId, ready } from '../harness.ts'
import { endingOf, lintLevel, mastersReady, measured, safe, versions } from './pitfall.ts'

let group: RedisGroup
let proxies: FaultProxy[]
let natMap: Record<string, { host: string; port: number }>

beforeAll(async () => {
  group = await startCluster({ replicasPerMaster: 0 })
  proxies = await Promise.all(group.servers.map(server => startFaultProxy(server)))
  natMap = Object.fromEntries(
    group.servers.map((server, index) => [nodeId(server), { host: '127.0.0.1', port: proxies[index]?.port ?? 0 }]),
  )
})
afterAll(async () => {
  for (const proxy of proxies) await proxy[Symbol.asyncDispose]()
  await group[Symbol.asyncDispose]()
})

/** Loses the reply to one INCR of a client that is connected. */
async function lose(cluster: Cluster, key: string): Promise<string> {
  const rules = proxies.map(proxy => proxy.dropReply({ match: { command: 'incr', keyPrefix: key } }))
  const ending = await endingOf(cluster.incr(key), 10_000)
  for (const rule of rules) rule.remove()
  const owner = await group.master(key)
  const look = owner.client()
  await ready(look)
  const count = await look.get(key)
  const level = lintLevel(cluster, 'cluster-retry')
  cluster.disconnect()
  return `${ending}, ran ${count}, ${level}`
}

describe.each(versions)('a lost reply in a Cluster on $name', version => {
  const make = async (options: object): Promise<Cluster> => {
    const ports = proxies.map(({ port }) => port)
    const cluster = version.cluster(ports, { natMap, ...options })
    await ready(cluster)
    return cluster
  }

  test('runs twice whatever the re-send option says; with delay 0 once, with an error [cluster-retry]', async ({
    task,
  }) => {
    const { name } = version
    expect(await lose(await make({}), `${name}:defaults`)).toBe('resolved, ran 2, fail')
    const off = { redisOptions: { autoResendUnfulfilledCommands: false } }
    expect(await lose(await make(off), `${name}:off`)).toBe('resolved, ran 2, fail')
    expect(await lose(await make({ retryDelayOnFailover: 0 }), `${name}:zero`)).toBe('rejected, ran 1, pass')
    measured(task, version, 'cluster-lost-reply', 'ran 2 times, with re-sending on and off; with delay 0 once')
  })
})

test('with connectRedis it runs once, with an error', async () => {
  const nodes = proxies.map(({ host, port }) => ({ host, port }))
  const cluster = safe({ kind: 'cluster', nodes, natMap }) as Cluster
  await mastersReady(cluster)
  expect(await lose(cluster, 'connectRedis')).toBe('rejected, ran 1, pass')
})
