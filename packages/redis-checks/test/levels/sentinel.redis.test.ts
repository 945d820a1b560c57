import { startRedis, startSentinel } from '@safety/redis-core/testing'
import type { RedisGroup } from '@safety/redis-core/testing'
import { afterAll, beforeAll, expect } from 'vitest'

import { startFakeRedis, table } from '../fake-redis.ts'
import { nodeId } from '../harness.ts'
import { describeLevels, passOf } from './flip.ts'

let group: RedisGroup
beforeAll(async () => {
  group = await startSentinel({ replicas: 1, downAfterMs: 1000 })
})
afterAll(() => group[Symbol.asyncDispose]())

/** Sentinels that name these masters, as the URL that lists them. */
async function startSentinels(...masters: readonly number[]): Promise<{ url: string } & AsyncDisposable> {
  const fakes = await Promise.all(
    masters.map((port, index) =>
      startFakeRedis(
        table({
          PING: '+PONG',
          HELLO: ['server', 'redis', 'version', '7.2.5', 'mode', 'sentinel'],
          INFO: `redis_version:7.2.5\r\nredis_mode:sentinel\r\nrun_id:sentinel-${index}`,
          'SENTINEL MASTER': ['name', 'mymaster', 'ip', '127.0.0.1', 'port', String(port)],
          'SENTINEL REPLICAS': [],
          'SENTINEL SENTINELS': [],
          'SENTINEL CKQUORUM': '+OK 2 usable Sentinels',
        }),
      ),
    ),
  )
  return {
    url: `redis+sentinel://${fakes.map(({ port }) => `127.0.0.1:${port}`).join(',')}/mymaster`,
    async [Symbol.asyncDispose]() {
      for (const fake of fakes) await fake[Symbol.asyncDispose]()
    },
  }
}

describeLevels('sentinel', flip => {
  flip('sentinel-quorum', 'fail: two of three are gone', async ({ settles }) => {
    const [first, second, third] = group.sentinels
    if (first === undefined || second === undefined || third === undefined) throw new Error('no sentinels')
    await Promise.all([first.kill(), second.kill()])
    await settles(group.url, 'fail fail fail warn', { node: nodeId(third), nodeTimeoutMs: 500 })
    await Promise.all([first.restart(), second.restart()])
    await settles(group.url, passOf('sentinel-quorum'))
  })

  flip('sentinel-count', 'warn: under three; info: even', async ({ levels }) => {
    await using server = await startRedis()
    const { port } = server
    await using two = await startSentinels(port, port)
    expect(await levels(two.url)).toBe('warn warn warn info')
    await using four = await startSentinels(port, port, port, port)
    expect(await levels(four.url)).toBe('info info info info')
    expect(await levels(group.url)).toBe(passOf('sentinel-count'))
  })

  flip('sentinel-agreement', 'fail: different masters, or one that is none', async ({ levels }) => {
    await using left = await startRedis()
    await using right = await startRedis()
    await using replica = await startRedis({ replicaOf: left })
    await using split = await startSentinels(left.port, left.port, right.port)
    expect(await levels(split.url)).toBe('fail fail fail warn')
    await using wrong = await startSentinels(replica.port, replica.port, replica.port)
    expect(await levels(wrong.url)).toBe('fail fail fail warn')
    await using agreed = await startSentinels(left.port, left.port, left.port)
    expect(await levels(agreed.url)).toBe(passOf('sentinel-agreement'))
  })

  flip('down-after', 'warn: over half a lease', async ({ levels }) => {
    expect(await levels(group.url, { expect: { leaseMs: 1999 } })).toBe('warn warn info -')
    expect(await levels(group.url, { expect: { leaseMs: 2000 } })).toBe(passOf('down-after'))
  })
})
