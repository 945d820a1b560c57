import { connectRedis } from '@safety/redis-core'
import { startRedis } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { UnsafeRedisError, validateOnStartup } from '../src/index.ts'
import type { StartupOptions } from '../src/index.ts'
import { startFakeRedis } from './fake-redis.ts'
import type { FakeRedis } from './fake-redis.ts'

const base: Omit<StartupOptions, 'mode'> = { profile: 'idempotency.standard', clientRole: 'none' }

function startup(url: string, options: Omit<StartupOptions, 'profile'>): ReturnType<typeof validateOnStartup> {
  const redis = connectRedis(url, { profile: 'checks' })
  return validateOnStartup(redis, { ...base, ...options }).finally(() => redis.disconnect())
}

/** Answers LOADING until `loaded` says otherwise. */
function startLoading(loaded: () => boolean): Promise<FakeRedis> {
  const info = (): string =>
    ['redis_version:7.2.4', 'redis_mode:standalone', 'role:master', 'run_id:a', `loading:${loaded() ? 0 : 1}`].join(
      '\r\n',
    )
  return startFakeRedis(command => {
    if (command.toUpperCase().startsWith('INFO')) return info()
    return loaded() ? '+PONG' : '-LOADING Redis is loading the dataset in memory'
  })
}

describe('at start', () => {
  test('enforce throws once with all findings [claim 36]', async () => {
    await using server = await startRedis({ args: ['--maxmemory-policy', 'volatile-lru'] })
    const error = await startup(server.url, { mode: 'enforce' }).catch((thrown: unknown) => thrown)
    if (!(error instanceof UnsafeRedisError)) throw new Error('not the error')
    expect(error).toMatchObject({ code: 'ERR_REDIS_CHECKS_UNSAFE', outcome: 'not-run', retryable: false })
    expect(error.findings.map(({ id }) => id)).toEqual(['eviction-policy', 'persistence'])
    for (const { id, remedy } of error.findings) {
      expect(error.message).toContain(id)
      expect(error.message).toContain(remedy.text)
    }
    expect(error.report.level).toBe('fail')
  })

  test('report returns the same report without throwing, and a good server passes enforce', async () => {
    await using server = await startRedis()
    expect((await startup(server.url, { mode: 'report' })).level).toBe('fail')
    await using good = await startRedis({ aof: 'everysec' })
    expect((await startup(good.url, { mode: 'enforce' })).level).toBe('warn')
    await expect(startup(good.url, { mode: 'enforce', failOn: 'warn' })).rejects.toBeInstanceOf(UnsafeRedisError)
  })

  test('waitMs outwaits LOADING [claim 37]', async () => {
    let runs = 0
    await using server = await startLoading(() => runs >= 2)
    const options = { only: ['loading'], onEvent: () => void (runs += 1) }
    const report = await startup(server.url, { mode: 'enforce', waitMs: 30_000, ...options })
    expect(report.level).toBe('pass')
    expect(runs).toBeGreaterThanOrEqual(2)
  })

  test('without waitMs a loading server is refused with retryable', async () => {
    await using server = await startLoading(() => false)
    const error = await startup(server.url, { mode: 'enforce', only: ['loading'] }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'ERR_REDIS_CHECKS_UNSAFE', retryable: true })
  })

  test('a Redis that is away is refused, not an exception of the client', async () => {
    await expect(startup('redis://127.0.0.1:1', { mode: 'enforce' })).rejects.toMatchObject({ retryable: true })
    expect((await startup('redis://127.0.0.1:1', { mode: 'report' })).complete).toBe(false)
  })
})
