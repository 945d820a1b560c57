import { startCluster, startFaultProxy } from '@safety/redis-core/testing'
import type { FaultProxy, RedisGroup } from '@safety/redis-core/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { nodeId, ready } from '../harness.ts'
import { endingOf, lintLevel, versions } from './pitfall.ts'

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

describe.each(versions)('a lost reply in a Cluster on $name', ({ name, cluster: make }) => {
  const lose = async (options: object, key: string): Promise<string> => {
    const cluster = make(
      proxies.map(({ port }) => port),
      { natMap, ...options },
    )
    await ready(cluster)
    const rules = proxies.map(proxy => proxy.dropReply({ match: { command: 'incr', keyPrefix: key } }))
    const ending = await endingOf(cluster.incr(key), 10_000)
    for (const rule of rules) rule.remove()
    const count = await cluster.get(key)
    const level = lintLevel(cluster, 'cluster-retry')
    cluster.disconnect()
    return `${ending}, ran ${count}, ${level}`
  }

  test('runs twice whatever the re-send setting says; with delay 0 once, with an error [cluster-retry]', async () => {
    expect(await lose({}, `${name}:defaults`)).toBe('resolved, ran 2, fail')
    const off = { redisOptions: { autoResendUnfulfilledCommands: false } }
    expect(await lose(off, `${name}:off`)).toBe('resolved, ran 2, fail')
    expect(await lose({ retryDelayOnFailover: 0 }, `${name}:zero`)).toBe('rejected, ran 1, pass')
  })
})
