import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { startFakeRedis, table } from './fake-redis.ts'
import { examine, levelOf, nodeId, ready, resultOf } from './harness.ts'

async function withUser(server: RedisServer, ...rules: string[]): Promise<string> {
  const admin = server.client()
  await ready(admin)
  await admin.call('ACL', 'SETUSER', 'app', 'reset', 'on', '>secret', ...rules)
  admin.disconnect()
  return `redis://app:secret@${nodeId(server)}`
}

describe('access', () => {
  test('a user without INFO, CONFIG and ROLE gets exactly the listed unknowns [claim 15]', async () => {
    await using server = await startRedis({ aof: 'everysec' })
    const url = await withUser(server, '~*', '+@all', '-info', '-config', '-role')
    const report = await examine(url)
    const unknowns = report.results.filter(({ level }) => level === 'unknown')
    expect([...new Set(unknowns.map(({ id }) => id))].sort()).toEqual([
      'aof-health',
      'connections',
      'empty-restart',
      'eviction-policy',
      'evictions',
      'failover-in-progress',
      'fsync-policy',
      'memory-headroom',
      'memory-limit',
      'min-replicas',
      'persistence',
      'rdb-health',
      'replica-count',
      'replication-lag',
      'rewrite-fsync',
      'stop-writes',
      'wait-probe',
    ])
    expect(new Set(unknowns.map(({ unknownBecause }) => unknownBecause))).toEqual(new Set(['refused']))
    expect(resultOf(report, 'optional-reads')).toMatchObject({
      level: 'info',
      observed: 'refused: INFO, ROLE, CONFIG GET',
    })
    expect(report.complete).toBe(false)
    expect(levelOf(report, 'role')).toBe('pass')
  })

  test('a denied TIME is named [claim 16]', async () => {
    await using server = await startRedis()
    const url = await withUser(server, '~*', '+@all', '-time')
    const options = { expect: { access: [{ commands: ['GET', 'TIME'], scriptCommands: ['TIME', 'GET'] }] } }
    const report = await examine(url, options)
    expect(resultOf(report, 'script-commands')).toMatchObject({
      level: 'fail',
      blocking: true,
      observed: 'refused: TIME',
    })
    expect(resultOf(report, 'required-commands')).toMatchObject({ level: 'fail', observed: 'refused: TIME' })
    // Also for a user that may not ask ACL.
    const blind = await withUser(server, '~*', '+@all', '-time', '-acl')
    const tried = await examine(blind, options)
    expect(resultOf(tried, 'required-commands')).toMatchObject({
      level: 'fail',
      observed: 'refused: TIME',
      evidence: 'probe',
    })
    expect(levelOf(tried, 'script-commands')).toBe('fail')
  })

  test('the printed ACL line makes access pass [claim 17]', async () => {
    await using server = await startRedis({ aof: 'everysec' })
    const url = await withUser(server, '~other:*', '+ping', '+hello', '+get')
    const options = {
      expect: { keyPrefix: 'shop:', access: [{ commands: ['GET', 'SET', 'HSET'], scriptCommands: ['TIME', 'ZADD'] }] },
    }
    const before = await examine(url, options)
    const broken = before.results.filter(
      ({ group, level }) => group === 'access' && (level === 'fail' || level === 'unknown'),
    )
    expect(broken.length).toBeGreaterThan(0)
    const line = broken.find(({ remedy }) => remedy.command?.includes('ACL SETUSER'))?.remedy.command ?? ''
    const words = line.slice(line.indexOf('ACL ')).replaceAll("'", '').replaceAll('<user>', 'app').split(' ')
    const admin = server.client()
    await ready(admin)
    await admin.call(words[0] as string, ...words.slice(1))
    const after = await examine(url, options)
    for (const id of ['required-commands', 'key-pattern', 'script-commands'])
      expect([id, levelOf(after, id)]).toEqual([id, 'pass'])
    expect(after.nodes[0]?.marker).not.toBe(null)
  })

  test('a key outside the allowed pattern fails key-pattern alone', async () => {
    await using server = await startRedis()
    const url = await withUser(server, '~other:*', '+@all')
    const report = await examine(url)
    expect(levelOf(report, 'key-pattern')).toBe('fail')
    expect(levelOf(report, 'required-commands')).toBe('pass')
    const allowed = await withUser(server, '~safety:*', '+@all')
    expect(levelOf(await examine(allowed), 'key-pattern')).toBe('pass')
  })

  test('a renamed CONFIG is unknown because it is refused [claim 18]', async () => {
    await using server = await startRedis({ args: ['--rename-command', 'CONFIG', ''] })
    const report = await examine(server)
    expect(report.nodes[0]?.refused).toContainEqual({ command: 'CONFIG GET', how: 'unknown-command' })
    expect(resultOf(report, 'persistence')).toMatchObject({ level: 'unknown', unknownBecause: 'refused' })
  })

  test('an attested fact counts until its date, and an observed eviction beats it [claim 19]', async () => {
    const info = ['redis_version:7.0.15', 'redis_mode:standalone', 'role:master', 'run_id:a', 'evicted_keys:5'].join(
      '\r\n',
    )
    await using server = await startFakeRedis(
      table({ PING: '+PONG', HELLO: ['server', 'redis'], INFO: info, 'CONFIG GET': '-NOPERM no permissions' }),
    )
    const attest = (until: string): object => ({
      writeProbe: false,
      expect: { attest: [{ fact: 'maxmemory-policy', value: 'noeviction', reason: 'set in the console', until }] },
    })
    const counted = await examine(server.url, attest('2999-01-01T00:00:00Z'))
    expect(resultOf(counted, 'eviction-policy')).toMatchObject({ level: 'pass', evidence: 'attested' })
    expect(levelOf(await examine(server.url, attest('2020-01-01T00:00:00Z')), 'eviction-policy')).toBe('unknown')
    const grown = { ...counted, nodes: counted.nodes.map(node => ({ ...node, counters: { evicted_keys: 4 } })) }
    const report = await examine(server.url, { ...attest('2999-01-01T00:00:00Z'), previous: grown })
    expect(levelOf(report, 'eviction-policy')).toBe('fail')
  })
})
