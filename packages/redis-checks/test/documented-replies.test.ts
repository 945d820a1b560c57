import { readFile, readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { createManualClock } from '@safety/redis-core/testing'
import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'

import type { Report } from '../src/index.ts'

import { parseClusterNodes } from '../src/redis/cluster-nodes.ts'
import { startFakeRedis, table } from './fake-redis.ts'
import type { Answer } from './fake-redis.ts'
import { examine, examineClient, levelOf, levelsByProfile, resultOf } from './harness.ts'

const FOLDER = fileURLToPath(new URL('./fixtures/from-documentation/', import.meta.url))

interface Fixture {
  readonly expected: { readonly product: string; readonly version: string }
  readonly replies: Record<string, Answer>
}

async function load(name: string): Promise<Fixture> {
  return JSON.parse(await readFile(`${FOLDER}${name}`, 'utf8')) as Fixture
}

const clock = createManualClock({ startMs: 1_700_000_000_000 })

describe('documented replies of Redis 6.2 to 8 and Valkey parse [claim 45]', async () => {
  const names = (await readdir(FOLDER)).filter(name => name.endsWith('.json'))
  for (const name of names) {
    test(name, async () => {
      const { expected, replies } = await load(name)
      await using server = await startFakeRedis(table(replies))
      const report = await examine(server.url, { writeProbe: false, clock })
      expect(report.nodes[0]).toMatchObject({ ...expected, role: 'master', reachable: true })
      for (const id of ['persistence', 'evictions', 'memory-headroom', 'rdb-health', 'clock-skew', 'eviction-policy']) {
        expect([id, levelOf(report, id)]).toEqual([id, 'pass'])
      }
    })
  }

  test('6.2 is asked for one setting at a time, a service without CONFIG never again', async () => {
    const old = await load('redis-6.2.json')
    await using server = await startFakeRedis(table(old.replies))
    const report = await examine(server.url, { writeProbe: false, clock })
    expect(resultOf(report, 'fsync-policy')).toMatchObject({ level: 'info', evidence: 'config' })
    expect(server.commands.filter(command => command.startsWith('CONFIG GET')).length).toBeGreaterThan(10)
    const managed = await load('managed.json')
    await using service = await startFakeRedis(table(managed.replies))
    const partly = await examine(service.url, { writeProbe: false, clock })
    expect(service.commands.filter(command => command.startsWith('CONFIG GET'))).toHaveLength(1)
    expect(resultOf(partly, 'persistence').evidence).toBe('info')
    expect(resultOf(partly, 'fsync-policy')).toMatchObject({ level: 'unknown', unknownBecause: 'refused' })
  })

  test('a foreign product warns, an old Redis fails, minVersion counts', async () => {
    const { replies } = await load('redis-7.2.json')
    const levelWith = async (from: string, to: string, minVersion?: string): Promise<string> => {
      const info = (replies['INFO'] as string).replace(from, to)
      await using server = await startFakeRedis(table({ ...replies, INFO: info }))
      const wanted = minVersion === undefined ? {} : { expect: { minVersion } }
      return levelOf(await examine(server.url, { writeProbe: false, clock, ...wanted }), 'server-version')
    }
    expect(await levelWith('redis_version:7.2.5', 'redis_version:7.2.5')).toBe('pass')
    expect(await levelWith('redis_version:7.2.5', 'redis_version:6.0.20')).toBe('fail')
    expect(await levelWith('redis_version:7.2.5', 'redis_version:6.2.14')).toBe('info')
    expect(await levelWith('redis_version:7.2.5', 'redis_version:7.2.5\r\ndragonfly_version:df-1')).toBe('warn')
    expect(await levelWith('redis_version:7.2.5', 'redis_version:7.2.5', '7.4')).toBe('fail')
  })

  test('clock skew turns at 250 and 1000 ms', async () => {
    const { replies } = await load('redis-7.2.json')
    await using server = await startFakeRedis(table(replies))
    const levelAt = async (
      offsetMs: number,
      profile: 'idempotency.strict' | 'idempotency.standard',
    ): Promise<string> => {
      const moved = createManualClock({ startMs: 1_700_000_000_000 + offsetMs })
      return levelOf(await examine(server.url, { writeProbe: false, clock: moved, profile }), 'clock-skew')
    }
    expect(await levelAt(250, 'idempotency.strict')).toBe('pass')
    expect(await levelAt(251, 'idempotency.strict')).toBe('warn')
    expect(await levelAt(-1001, 'idempotency.strict')).toBe('fail')
    expect(await levelAt(-1001, 'idempotency.standard')).toBe('warn')
  })

  test('connections warn above 80 % and fail when some were rejected', async () => {
    const { replies } = await load('redis-7.2.json')
    let info = replies['INFO'] as string
    await using server = await startFakeRedis(command => (command.startsWith('INFO') ? info : table(replies)(command)))
    const options = { writeProbe: false, clock, only: ['connections'] }
    const first = await examine(server.url, options)
    expect(levelOf(first, 'connections')).toBe('pass')
    info = info.replace('connected_clients:1', 'connected_clients:8001')
    expect(levelOf(await examine(server.url, options), 'connections')).toBe('warn')
    info = info.replace('rejected_connections:0', 'rejected_connections:1')
    expect(levelOf(await examine(server.url, { ...options, previous: first }), 'connections')).toBe('fail')
  })

  test('replication lag warns above 1 s, fails above max-lag in strict', async () => {
    const { replies } = await load('redis-7.2.json')
    const levelsAt = async (lag: number): Promise<string> => {
      const info = `${replies['INFO'] as string}slave0:ip=127.0.0.1,port=1,state=online,offset=1,lag=${lag}\r\n`
      await using server = await startFakeRedis(table({ ...replies, INFO: info }))
      return await levelsByProfile(server.url, 'replication-lag', { writeProbe: false, clock })
    }
    expect(await levelsAt(1)).toBe('pass pass pass pass')
    expect(await levelsAt(2)).toBe('warn warn info info')
    expect(await levelsAt(11)).toBe('fail warn info info')
  })

  test('two sentinels are too few, and two that name different masters fail sentinel-agreement', async () => {
    const { replies } = await load('redis-7.2.json')
    await using left = await startFakeRedis(table(replies))
    await using right = await startFakeRedis(
      table({ ...replies, INFO: (replies['INFO'] as string).replace('0123', '4567') }),
    )
    let made = 0
    const sentinel = (port: number): ReturnType<typeof startFakeRedis> =>
      startFakeRedis(
        table({
          PING: '+PONG',
          HELLO: ['server', 'redis', 'version', '7.2.5', 'mode', 'sentinel'],
          INFO: `redis_version:7.2.5\r\nredis_mode:sentinel\r\nrun_id:sentinel-${(made += 1)}`,
          'SENTINEL MASTER': [
            'name',
            'mymaster',
            'ip',
            '127.0.0.1',
            'port',
            String(port),
            'down-after-milliseconds',
            '5000',
          ],
          'SENTINEL REPLICAS': [],
          'SENTINEL SENTINELS': [],
          'SENTINEL CKQUORUM': '+OK 2 usable Sentinels',
        }),
      )
    const examineGroup = async (...masters: number[]): Promise<Report> => {
      const fakes = await Promise.all(masters.map(sentinel))
      const sentinels = fakes.map(({ port }) => ({ host: '127.0.0.1', port }))
      const redis = new Redis({ sentinels, name: 'mymaster', lazyConnect: true })
      const report = await examineClient(redis, { writeProbe: false, clock })
      redis.disconnect()
      for (const fake of fakes) await fake[Symbol.asyncDispose]()
      return report
    }
    const split = await examineGroup(left.port, right.port)
    expect(levelOf(split, 'sentinel-agreement')).toBe('fail')
    expect(levelOf(split, 'sentinel-count')).toBe('warn')
    const agreed = await examineGroup(left.port, left.port, left.port)
    expect(levelOf(agreed, 'sentinel-agreement')).toBe('pass')
    expect(levelOf(agreed, 'sentinel-count')).toBe('pass')
    const even = await examineGroup(left.port, left.port, left.port, left.port)
    expect(levelOf(even, 'sentinel-count')).toBe('info')
  })

  test('CLUSTER NODES of old and new servers parse, without members that have no address yet', () => {
    const lines = [
      'aaa 10.0.0.1:7000@17000 myself,master - 0 0 1 connected 0-5460 [5461->-bbb] 9000',
      'bbb 10.0.0.2:7000@17000,host-2 slave aaa 0 1 1 connected',
      'ccc :0@0 master,noaddr - 0 0 0 disconnected',
      'ddd 2001:db8::1:7000@17000 master,fail? - 0 0 2 connected 5461-8999',
    ]
    expect(parseClusterNodes(lines.join('\n')).map(({ host, port, role, slots }) => [host, port, role, slots])).toEqual(
      [
        [
          '10.0.0.1',
          7000,
          'master',
          [
            [0, 5460],
            [9000, 9000],
          ],
        ],
        ['10.0.0.2', 7000, 'replica', []],
        ['2001:db8::1', 7000, 'master', [[5461, 8999]]],
      ],
    )
  })
})
