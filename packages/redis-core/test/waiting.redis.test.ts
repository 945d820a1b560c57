import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { runScript, whenReady } from '../src/index.ts'
import { startFaultProxy, startRedis, testKeyspace } from '../src/testing/index.ts'
import type { RedisServer } from '../src/testing/index.ts'
import { variants } from './ioredis-variants.ts'
import { endOf, pause } from './outcome.ts'
import { increment, plus, read } from './scripts.ts'

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server[Symbol.asyncDispose]())

describe.each(variants)('before the first connection, $name [claim 3]', ({ connect, own }) => {
  test('a call waits, then succeeds', async () => {
    const later = await startRedis()
    await later.stop()
    const redis = connect(later.url, { maxReconnectDelayMs: 50 })
    try {
      const key = testKeyspace().key('counter')
      const call = runScript(redis, increment, plus(key), { deadlineMs: 30_000 })
      await pause(100)
      await later.restart()
      expect(await call).toBe(1)
    } finally {
      redis.disconnect()
      await later[Symbol.asyncDispose]()
    }
  })

  test('a call past its deadline is never sent, whoever owns the client', async () => {
    await using proxy = await startFaultProxy(server)
    proxy.hold()
    const clients = [connect(proxy.url, { connectTimeoutMs: 60_000 }), own({ port: proxy.port, lazyConnect: true })]
    const keys = testKeyspace()
    try {
      for (const [index, redis] of clients.entries()) {
        const input = plus(keys.key(`counter-${index}`))
        await expect(runScript(redis, increment, input, { deadlineMs: 50 })).rejects.toMatchObject({
          code: 'ERR_REDIS_NOT_RUN',
          outcome: 'not-run',
          retryable: true,
        })
      }
      proxy.release()
      for (const [index, redis] of clients.entries()) {
        await whenReady(redis, { timeoutMs: 30_000 })
        expect(await runScript(redis, read, { keys: { counter: keys.key(`counter-${index}`) }, args: {} })).toBe('')
      }
      expect(proxy.log().filter(line => JSON.stringify(line).includes('test.increment'))).toEqual([])
    } finally {
      for (const redis of clients) redis.disconnect()
    }
  })

  test('a lazy client is connected by its first call', async () => {
    const redis = own({ port: server.port, lazyConnect: true })
    try {
      expect(redis.status).toBe('wait')
      expect(await runScript(redis, increment, plus(testKeyspace().key('counter')))).toBe(1)
    } finally {
      redis.disconnect()
    }
  })

  test('a thousand waiting calls put one listener on the client, and none stays', async () => {
    await using proxy = await startFaultProxy(server)
    proxy.hold()
    const redis = own({ port: proxy.port, lazyConnect: true })
    const before = ['ready', 'end', 'error'].map(event => redis.listenerCount(event))
    try {
      const key = testKeyspace().key('counter')
      const calls = Array.from({ length: 1000 }, () => runScript(redis, increment, plus(key), { deadlineMs: 30_000 }))
      await pause(20)
      expect(redis.listenerCount('end')).toBeLessThanOrEqual((before[1] as number) + 1)
      proxy.release()
      expect((await Promise.all(calls)).sort((a, b) => a - b)).toEqual(
        Array.from({ length: 1000 }, (_, index) => index + 1),
      )
      expect(['ready', 'end', 'error'].map(event => redis.listenerCount(event))).toEqual(before)
    } finally {
      redis.disconnect()
    }
  })
})

describe.each(variants)('whenReady, $name', ({ connect, own }) => {
  test('resolves when commands can be sent, also for a lazy client', async () => {
    const redis = connect(server.url, { profile: 'checks' })
    expect(redis.status).toBe('wait')
    await whenReady(redis)
    expect(await redis.ping()).toBe('PONG')
    await whenReady(redis)
    redis.disconnect()
  })

  test('rejects in time with the last connection error, and the client goes on', async () => {
    const later = await startRedis()
    await later.stop()
    const redis = connect(later.url, { maxReconnectDelayMs: 20 })
    try {
      await expect(whenReady(redis, { timeoutMs: 150 })).rejects.toMatchObject({
        code: 'ERR_REDIS_NOT_RUN',
        cause: { code: 'ECONNREFUSED' },
      })
      await later.restart()
      await whenReady(redis, { timeoutMs: 30_000 })
    } finally {
      redis.disconnect()
      await later[Symbol.asyncDispose]()
    }
  })

  test('rejects at once for a checks client whose only attempt failed', async () => {
    const gone = await startRedis()
    await gone[Symbol.asyncDispose]()
    const redis = connect(gone.url, { profile: 'checks' })
    const { code, elapsedMs } = await endOf(whenReady(redis, { timeoutMs: 60_000 }))
    expect(code).toBe('ERR_REDIS_NOT_RUN')
    expect(elapsedMs).toBeLessThan(30_000)
    expect(redis.status).toBe('end')
  })

  test('says refused for a wrong password', async () => {
    await using locked = await startRedis({ args: ['--requirepass', 'right'] })
    const redis = connect(`redis://:wrong@127.0.0.1:${locked.port}`)
    try {
      await expect(whenReady(redis, { timeoutMs: 300 })).rejects.toMatchObject({
        code: 'ERR_REDIS_REFUSED',
        redisCode: 'WRONGPASS',
        retryable: false,
      })
    } finally {
      redis.disconnect()
    }
  })

  test.each(['effect', 'worker', 'checks'] as const)(
    'says refused for a database the server does not give, and sends nothing to another one (%s)',
    async profile => {
      await using small = await startRedis({ args: ['--databases', '2'] })
      const admin = small.client()
      await whenReady(admin)
      await admin.call('ACL', 'SETUSER', 'here', 'on', '>secret', '~*', '+@all', '-select')
      for (const [url, redisCode] of [
        [`${small.url}/2`, 'ERR'],
        [`redis://here:secret@127.0.0.1:${small.port}/1`, 'NOPERM'],
      ] as const) {
        const redis = connect(url, { profile, maxReconnectDelayMs: 20 })
        try {
          await expect(whenReady(redis, { timeoutMs: 500 })).rejects.toMatchObject({
            code: 'ERR_REDIS_REFUSED',
            redisCode,
            message: expect.stringContaining(`SELECT refused: ${redisCode}`),
          })
          const script = runScript(redis, increment, plus('k'), { deadlineMs: 300 })
          await expect(script).rejects.toMatchObject({ code: 'ERR_REDIS_REFUSED', redisCode })
        } finally {
          redis.disconnect()
        }
      }
      expect(await admin.dbsize()).toBe(0)
      const right = connect(`${small.url}/1`, { profile })
      await whenReady(right)
      await right.set('k', '1')
      expect(await admin.dbsize()).toBe(0)
      right.disconnect()
    },
  )

  test('leaves with the reason of an abort', async () => {
    await using proxy = await startFaultProxy(server)
    proxy.hold()
    const redis = own({ port: proxy.port })
    redis.on('error', () => {})
    try {
      const controller = new AbortController()
      const waiting = whenReady(redis, { signal: controller.signal })
      const reason = new Error('enough')
      controller.abort(reason)
      await expect(waiting).rejects.toBe(reason)
      await expect(whenReady(redis, { signal: controller.signal })).rejects.toBe(reason)
    } finally {
      redis.disconnect()
    }
  })

  test('refuses a timeout that is none', async () => {
    const redis = own({ port: server.port, lazyConnect: true })
    await expect(whenReady(redis, { timeoutMs: 0 })).rejects.toMatchObject({ code: 'ERR_REDIS_OPTIONS' })
    redis.disconnect()
  })
})
