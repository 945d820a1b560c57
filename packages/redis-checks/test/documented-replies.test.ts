import { readFile, readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { createManualClock } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { parseClusterNodes } from '../src/redis/cluster-nodes.ts'
import { startFakeRedis, table } from './fake-redis.ts'
import type { Answer } from './fake-redis.ts'
import { examine, levelOf, PROFILES, resultOf } from './harness.ts'

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

  test('clock skew between two nodes counts, although each is near the clock of this process', async () => {
    const { replies } = await load('redis-7.2.json')
    const info = replies['INFO'] as string
    /** The levels of master and replica in each profile, when their clocks are so far ahead. */
    const levelsAt = async (masterMs: number, replicaMs: number): Promise<string[]> => {
      const timeAt = (offsetMs: number): Answer => {
        const microseconds = 1_700_000_000_000_000 + offsetMs * 1000
        return [String(Math.floor(microseconds / 1_000_000)), String(microseconds % 1_000_000)]
      }
      await using replica = await startFakeRedis(
        table({
          ...replies,
          INFO: info.replace('0123', '4567').replace('role:master', 'role:slave'),
          ROLE: ['slave', '127.0.0.1', 1, 'connected', 0],
          TIME: timeAt(replicaMs),
        }),
      )
      const line = `slave0:ip=127.0.0.1,port=${replica.port},state=online,offset=1,lag=0\r\n`
      await using master = await startFakeRedis(table({ ...replies, INFO: info + line, TIME: timeAt(masterMs) }))
      const levels: string[] = []
      for (const profile of PROFILES) {
        const report = await examine(master.url, { writeProbe: false, clock, profile, only: ['clock-skew'] })
        const nodes = [`127.0.0.1:${master.port}`, `127.0.0.1:${replica.port}`]
        levels.push(nodes.map(node => levelOf(report, 'clock-skew', node)).join(' '))
      }
      return levels
    }
    expect(await levelsAt(125, -125)).toEqual(['pass pass', 'pass pass', 'pass pass', 'pass pass'])
    expect(await levelsAt(126, -125)).toEqual(['warn warn', 'warn warn', 'info info', 'info info'])
    expect(await levelsAt(500, -500)).toEqual(['warn warn', 'warn warn', 'info info', 'info info'])
    expect(await levelsAt(501, -500)).toEqual(['fail fail', 'warn warn', 'info info', 'info info'])
    expect(await levelsAt(0, 0)).toEqual(['pass pass', 'pass pass', 'pass pass', 'pass pass'])
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
