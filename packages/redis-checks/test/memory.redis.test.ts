import { startRedis } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { startFakeRedis, table } from './fake-redis.ts'
import { configure, examine, fill, levelOf, ready, resultOf, skipOf } from './harness.ts'

const withMemory = (usedBytes: number, maxBytes: number): string =>
  ['redis_version:7.0.15', 'redis_mode:standalone', 'role:master', 'run_id:a', 'evicted_keys:0']
    .concat(`used_memory:${usedBytes}`, `maxmemory:${maxBytes}`, 'maxmemory_policy:noeviction')
    .join('\r\n')

describe('memory', () => {
  test('1,000 TTL keys vanish under volatile-lru at 6 MB, and evictions fails [claim 1]', async () => {
    await using server = await startRedis({ args: ['--maxmemory', '6mb', '--maxmemory-policy', 'volatile-lru'] })
    await fill(server, 'record', 1000, 1000)
    const before = await examine(server)
    expect(levelOf(before, 'evictions')).toBe('pass')
    await fill(server, 'other', 1000, 10_000, false)
    const redis = server.client()
    await ready(redis)
    expect(await redis.exists(...Array.from({ length: 1000 }, (_, index) => `record:${index}`))).toBe(0)
    const after = await examine(server, { previous: before })
    expect(resultOf(after, 'evictions')).toMatchObject({ level: 'fail' })
    expect(after.guarantees['record-stays']).toBe('broken')
  })

  test('an unlisted policy fails, and an empty one is unknown [claim 2]', async () => {
    const info = withMemory(1, 100)
    const answers = { PING: '+PONG', INFO: info, HELLO: ['server', 'redis'] }
    await using odd = await startFakeRedis(
      table({ ...answers, 'CONFIG GET': ['maxmemory-policy', 'volatile-whatever', 'save', '60 1'] }),
    )
    expect(levelOf(await examine(odd.url, { writeProbe: false }), 'eviction-policy')).toBe('fail')
    await using empty = await startFakeRedis(
      table({
        ...answers,
        INFO: info.replace('maxmemory_policy:noeviction', 'other:1'),
        'CONFIG GET': ['maxmemory-policy', '', 'save', '60 1'],
      }),
    )
    const report = await examine(empty.url, { writeProbe: false })
    expect(resultOf(report, 'eviction-policy')).toMatchObject({ level: 'unknown', unknownBecause: 'not-shown' })
    expect(report.nodes[0]?.refused).toContainEqual({ command: 'CONFIG GET maxmemory-policy', how: 'empty' })
  })

  test('grown evictions fail, an old count warns, and a counter that fell counts from zero [claim 3]', async () => {
    const answers = { PING: '+PONG', HELLO: ['server', 'redis'] }
    let evicted = 7
    await using server = await startFakeRedis(command =>
      command.startsWith('INFO')
        ? withMemory(1, 100).replace('evicted_keys:0', `evicted_keys:${evicted}`)
        : table(answers)(command),
    )
    const options = { writeProbe: false, only: ['evictions'] }
    const first = await examine(server.url, options)
    expect(levelOf(first, 'evictions')).toBe('warn')
    expect(levelOf(await examine(server.url, { ...options, previous: first }), 'evictions')).toBe('warn')
    evicted = 8
    expect(levelOf(await examine(server.url, { ...options, previous: first }), 'evictions')).toBe('fail')
    evicted = 3
    expect(resultOf(await examine(server.url, { ...options, previous: first }), 'evictions')).toMatchObject({
      level: 'fail',
      observed: '3 keys evicted since the last report',
    })
  })

  test('headroom turns at exactly 75 and 90 % [claim 7]', async () => {
    let used = 0
    await using server = await startFakeRedis(command =>
      command.startsWith('INFO')
        ? withMemory(used, 1000)
        : table({ PING: '+PONG', HELLO: ['server', 'redis'] })(command),
    )
    const levelAt = async (bytes: number, minFreeBytes?: number): Promise<string> => {
      used = bytes
      const expect_ = minFreeBytes === undefined ? {} : { expect: { minFreeBytes } }
      return levelOf(
        await examine(server.url, { ...expect_, writeProbe: false, only: ['memory-headroom'] }),
        'memory-headroom',
      )
    }
    expect(await levelAt(749)).toBe('pass')
    expect(await levelAt(750)).toBe('warn')
    expect(await levelAt(899)).toBe('warn')
    expect(await levelAt(900)).toBe('fail')
    expect(await levelAt(500, 500)).toBe('pass')
    expect(await levelAt(500, 501)).toBe('fail')
  })

  test('OOM is a verdict of its own: it blocks, and is no missing permission', async () => {
    await using server = await startRedis()
    await fill(server, 'filler', 100, 20_000, false)
    await configure(server, { maxmemory: '1mb' })
    const full = await examine(server)
    expect(resultOf(full, 'out-of-memory')).toMatchObject({ level: 'fail', blocking: true, evidence: 'probe' })
    expect(levelOf(full, 'required-commands')).toBe('pass')
    // What was not declared cannot be judged.
    expect(skipOf(full, 'capacity-fit')).toBe('not-declared')
  })
})
