import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { startRedis } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { startFakeRedis, table } from './fake-redis.ts'
import type { Answer } from './fake-redis.ts'
import { awaitOnline, configure, examine, levelOf, levelsByProfile, ready, resultOf, skipOf, until } from './harness.ts'

const INFO = [
  'redis_version:7.0.15',
  'redis_mode:standalone',
  'role:master',
  'run_id:a',
  'rdb_last_save_time:1700000000',
]
const REPLIES: Record<string, Answer> = {
  PING: '+PONG',
  HELLO: ['server', 'redis', 'version', '7.0.15', 'role', 'master'],
}

describe('persistence', () => {
  test('AOF counts by aof_enabled where CONFIG is refused [claim 4]', async () => {
    const answers = { ...REPLIES, 'CONFIG GET': '-NOPERM this user has no permissions to run the config command' }
    await using on = await startFakeRedis(table({ ...answers, INFO: [...INFO, 'aof_enabled:1'].join('\r\n') }))
    expect(resultOf(await examine(on.url, { writeProbe: false }), 'persistence')).toMatchObject({
      level: 'pass',
      evidence: 'info',
      source: 'INFO aof_enabled',
    })
    await using off = await startFakeRedis(table({ ...answers, INFO: [...INFO, 'aof_enabled:0'].join('\r\n') }))
    expect(levelOf(await examine(off.url, { writeProbe: false }), 'persistence')).toBe('unknown')
  })

  test('no persistence fails despite rdb_last_save_time [claim 5]', async () => {
    await using server = await startRedis()
    const redis = server.client()
    await ready(redis)
    await redis.set('a', 'b')
    expect(await redis.info('persistence')).toMatch(/rdb_last_save_time:[1-9]/)
    expect(levelOf(await examine(server), 'persistence')).toBe('fail')
  })

  test('BGSAVE into a removed directory fails rdb-health [claim 6]', async () => {
    await using server = await startRedis({ args: ['--enable-protected-configs', 'yes'] })
    const away = join(server.directory, 'away')
    await mkdir(away)
    await configure(server, { dir: away })
    await rm(away, { recursive: true })
    const redis = server.client()
    await ready(redis)
    await redis.set('a', 'b')
    await redis.bgsave().catch(() => undefined)
    await until(async () => (await redis.info('persistence')).includes('rdb_last_bgsave_status:err'))
    expect(await levelsByProfile(server, 'rdb-health')).toBe('fail fail warn info')
    await mkdir(away)
    await configure(server, { dir: away })
    await redis.bgsave()
    await until(async () => (await redis.info('persistence')).includes('rdb_last_bgsave_status:ok'))
    expect(await levelsByProfile(server, 'rdb-health')).toBe('pass pass pass pass')
  })

  test('snapshots alone fail in strict and warn in standard', async () => {
    await using server = await startRedis()
    await configure(server, { save: '3600 1' })
    expect(await levelsByProfile(server, 'persistence')).toBe('fail warn info info')
    await configure(server, { 'stop-writes-on-bgsave-error': 'no' })
    expect(await levelsByProfile(server, 'stop-writes')).toBe('warn warn info -')
    await configure(server, { 'stop-writes-on-bgsave-error': 'yes' })
    expect(await levelsByProfile(server, 'stop-writes')).toBe('pass pass pass -')
  })

  test('everysec fails in strict alone, no fails, always passes', async () => {
    await using server = await startRedis({ aof: 'everysec' })
    expect(await levelsByProfile(server, 'fsync-policy')).toBe('fail info info info')
    await configure(server, { appendfsync: 'no' })
    expect(await levelsByProfile(server, 'fsync-policy')).toBe('fail fail info info')
    await configure(server, { appendfsync: 'always' })
    expect(await levelsByProfile(server, 'fsync-policy')).toBe('pass pass pass pass')
    await configure(server, { 'no-appendfsync-on-rewrite': 'yes' })
    expect(await levelsByProfile(server, 'rewrite-fsync')).toBe('warn warn info -')
    await configure(server, { 'no-appendfsync-on-rewrite': 'no' })
    expect(await levelsByProfile(server, 'rewrite-fsync')).toBe('pass pass pass -')
  })

  test('a failed append-only write fails aof-health, three failed rewrites too, one warns', async () => {
    const levelWith = async (...lines: string[]): Promise<string> => {
      const info = [...INFO, 'aof_enabled:1', ...lines].join('\r\n')
      await using server = await startFakeRedis(table({ ...REPLIES, INFO: info }))
      return await levelsByProfile(server.url, 'aof-health', { writeProbe: false })
    }
    expect(await levelWith('aof_last_write_status:err')).toBe('fail fail info info')
    expect(await levelWith('aof_last_write_status:ok', 'aof_rewrites_consecutive_failures:3')).toBe(
      'fail fail info info',
    )
    expect(await levelWith('aof_last_write_status:ok', 'aof_last_bgrewrite_status:err')).toBe('warn warn info info')
    expect(await levelWith('aof_last_write_status:ok', 'aof_last_bgrewrite_status:ok')).toBe('pass pass pass pass')
  })

  test('a master without persistence and with a replica fails empty-restart', async () => {
    await using master = await startRedis()
    expect(skipOf(await examine(master), 'empty-restart')).toBe('not-applicable')
    await using _replica = await startRedis({ replicaOf: master })
    await awaitOnline(master)
    expect(await levelsByProfile(master, 'empty-restart')).toBe('fail fail info -')
    await configure(master, { save: '3600 1' })
    expect(await levelsByProfile(master, 'empty-restart')).toBe('pass pass pass -')
  })

  test('waitaof is skipped on 7.0, fails when disabled, passes on [1,0], warns on silence [claim 44]', async () => {
    await using real = await startRedis({ aof: 'always' })
    expect(skipOf(await examine(real), 'waitaof')).toBe('not-applicable')
    const levelFor = async (answer: Answer): Promise<string> => {
      const info = INFO.map(line => line.replace('7.0.15', '7.2.4')).join('\r\n')
      const answers = {
        ...REPLIES,
        INFO: info,
        SET: '+OK',
        GET: 'probe',
        DEL: 1,
        WAITAOF: answer,
        EVAL: [],
        HGETALL: [],
      }
      await using server = await startFakeRedis(table(answers))
      return levelOf(await examine(server.url), 'waitaof')
    }
    expect(await levelFor('-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.')).toBe('fail')
    expect(await levelFor([1, 0])).toBe('pass')
    expect(await levelFor([0, 0])).toBe('warn')
  })
})
