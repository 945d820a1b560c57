import { startRedis } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { startFakeRedis, table } from './fake-redis.ts'
import type { Answer } from './fake-redis.ts'
import { examine, levelOf, ready, resultOf, skipOf } from './harness.ts'

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
