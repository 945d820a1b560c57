import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { classifyRedisError, runScript, whenReady } from '../src/index.ts'
import { startFaultProxy, startRedis, testKeyspace } from '../src/testing/index.ts'
import type { RedisServer } from '../src/testing/index.ts'
import { variants } from './ioredis-variants.ts'
import { endOf } from './outcome.ts'
import { increment, plus } from './scripts.ts'

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server[Symbol.asyncDispose]())

describe.each(variants)('a lost reply, $name [claim 1]', ({ connect, own }) => {
  test('by reset rejects the command as unknown long before its timeout, and it ran once', async () => {
    await using proxy = await startFaultProxy(server)
    const redis = connect(proxy.url, { commandTimeoutMs: 20_000 })
    try {
      await whenReady(redis)
      const key = testKeyspace().key('counter')
      const dropped = proxy.dropReply({ match: { command: 'incr' } })
      const { error, elapsedMs } = await endOf(redis.incr(key))
      expect(classifyRedisError(error)).toBe('unknown')
      expect(elapsedMs).toBeLessThan(5000) // measured below 100 ms; the bound only tells it from the timeout
      expect(dropped.fired).toBe(1)
      await whenReady(redis)
      expect(await redis.get(key)).toBe('1')
    } finally {
      redis.disconnect()
    }
  })

  test('control: a client with the defaults of ioredis runs INCR twice and tells nobody', async () => {
    await using proxy = await startFaultProxy(server)
    const redis = own({ port: proxy.port })
    redis.on('error', () => {})
    try {
      await whenReady(redis)
      const key = testKeyspace().key('counter')
      proxy.dropReply({ match: { command: 'incr' } })
      expect(await redis.incr(key)).toBe(2)
    } finally {
      redis.disconnect()
    }
  })

  test('by silence rejects the command at commandTimeoutMs as unknown', async () => {
    await using proxy = await startFaultProxy(server)
    const redis = connect(proxy.url, { commandTimeoutMs: 150 })
    try {
      await whenReady(redis)
      const key = testKeyspace().key('counter')
      proxy.dropReply({ match: { command: 'incr' }, then: 'silence' })
      const { error, elapsedMs } = await endOf(redis.incr(key))
      expect(classifyRedisError(error)).toBe('unknown')
      expect(elapsedMs).toBeGreaterThan(140)
      // The dead socket goes after twice that, and the next connection is good.
      await expect.poll(() => redis.get(key).catch(() => null), { timeout: 20_000 }).toBe('1')
    } finally {
      redis.disconnect()
    }
  })

  test('makes a script ERR_REDIS_UNKNOWN, and it ran once', async () => {
    await using proxy = await startFaultProxy(server)
    const redis = connect(proxy.url)
    try {
      const key = testKeyspace().key('counter')
      await runScript(redis, increment, plus(key))
      proxy.dropReply({ match: { command: 'evalsha' } })
      await expect(runScript(redis, increment, plus(key), { deadlineMs: 20_000 })).rejects.toMatchObject({
        code: 'ERR_REDIS_UNKNOWN',
        outcome: 'unknown',
        retryable: false,
        script: 'test.increment',
      })
      expect(await runScript(redis, increment, plus(key), { deadlineMs: 20_000 })).toBe(3)
    } finally {
      redis.disconnect()
    }
  })
})
