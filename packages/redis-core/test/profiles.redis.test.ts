import type { Cluster, Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'

import { connectRedis, createChannel, whenReady } from '../src/index.ts'
import type { ConnectOptions, RedisClient, RedisCoreEvent } from '../src/index.ts'
import { startFaultProxy, startRedis, testKeyspace } from '../src/testing/index.ts'
import type { RedisServer } from '../src/testing/index.ts'
import { connect5, variants } from './ioredis-variants.ts'
import { endOf, pause, until } from './outcome.ts'

/** `events.once` would reject at the connection errors that belong to these tests. */
function event(redis: RedisClient, name: 'close' | 'end'): Promise<void> {
  return new Promise(resolve => void redis.once(name, () => resolve()))
}

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server[Symbol.asyncDispose]())
afterEach(() => vi.restoreAllMocks())

describe.each(variants)('profile effect, $name', ({ connect, protocol }) => {
  test('speaks the protocol it was asked for, under its name', async () => {
    const redis = connect(server.url, { connectionName: 'orders' })
    await whenReady(redis)
    expect(await redis.client('GETNAME')).toBe('orders')
    const info = await redis.client('INFO')
    expect(info).toMatch(new RegExp(`resp=${protocol}\\b`))
    redis.disconnect()
  })

  test('refuses a command before it is connected, and never queues it', async () => {
    await using proxy = await startFaultProxy(server)
    proxy.hold()
    const redis = connect(proxy.url)
    try {
      const key = testKeyspace().key('counter')
      await expect(redis.incr(key)).rejects.toThrow("Stream isn't writeable")
      proxy.release()
      await whenReady(redis)
      expect(await redis.get(key)).toBeNull()
    } finally {
      redis.disconnect()
    }
  })

  test('drops a silent socket after twice commandTimeoutMs and connects anew', async () => {
    await using proxy = await startFaultProxy(server)
    const redis = connect(proxy.url, { commandTimeoutMs: 100 })
    try {
      await whenReady(redis)
      proxy.add({ match: { command: 'ping', nth: 1 }, action: { kind: 'silence' } })
      const closed = event(redis, 'close')
      await expect(redis.ping()).rejects.toThrow('Command timed out')
      await closed
      await expect.poll(() => redis.ping().catch(() => 'not yet'), { timeout: 30_000 }).toBe('PONG')
    } finally {
      redis.disconnect()
    }
  })

  test('leaves an idle socket alone', async () => {
    await using proxy = await startFaultProxy(server)
    const redis = connect(proxy.url, { commandTimeoutMs: 300 })
    try {
      await whenReady(redis)
      await redis.ping()
      await pause(1000)
      await redis.ping()
      expect(new Set(proxy.log().map(line => line.connection)).size).toBe(1)
    } finally {
      redis.disconnect()
    }
  })

  test('gives up a connection attempt after connectTimeoutMs and tries again', async () => {
    await using proxy = await startFaultProxy(server)
    proxy.hold()
    const redis = connect(proxy.url, { connectTimeoutMs: 100, commandTimeoutMs: 100, maxReconnectDelayMs: 10 })
    try {
      await until(() => (new Set(proxy.log().map(line => line.connection)).size > 2 ? true : undefined))
      proxy.release()
      await whenReady(redis, { timeoutMs: 30_000 })
    } finally {
      redis.disconnect()
    }
  })

  test('prints no connection error, and tells it as an event without the password', async () => {
    const printed = vi.spyOn(console, 'error').mockImplementation(() => {})
    const warned = vi.spyOn(console, 'warn').mockImplementation(() => {})
    const events: RedisCoreEvent[] = []
    const stop = createChannel<RedisCoreEvent>('redis-core').subscribe(event => events.push(event))
    const redis = connect('redis://:hunter2@127.0.0.1:1', { connectionName: 'orders' })
    const second = (redis as Redis).duplicate()
    const found = await until(() => (events.length > 1 ? events : undefined))
    expect(found[0]).toMatchObject({
      type: 'connection-error',
      connectionName: 'orders',
      code: 'ECONNREFUSED',
      redisCode: null,
    })
    expect(JSON.stringify(found)).not.toContain('hunter2')
    redis.disconnect()
    second.disconnect()
    expect(printed).not.toHaveBeenCalled()
    expect(warned).not.toHaveBeenCalled()
    stop()
  })

  test('waits at most maxReconnectDelayMs, half to all of it by chance', async () => {
    const random = { float: () => 0, bytes: (length: number) => new Uint8Array(length) }
    const early = connect('redis://127.0.0.1:1', { random, maxReconnectDelayMs: 400 }) as Redis
    const late = connect('redis://127.0.0.1:1', {
      random: { ...random, float: () => 1 - 2 ** -53 },
      maxReconnectDelayMs: 400,
    }) as Redis
    const delays = (redis: Redis): unknown[] =>
      [1, 2, 3, 4, 5, 1000].map(attempt => redis.options.retryStrategy?.(attempt))
    expect(delays(early)).toEqual([25, 50, 100, 200, 200, 200])
    expect(delays(late)).toEqual([50, 100, 200, 400, 400, 400])
    early.disconnect()
    late.disconnect()
  })
})

describe.each(variants)('profile worker, $name', ({ connect }) => {
  test('waits in a blocking read for longer than any timeout, and queues while it connects', async () => {
    const redis = connect(server.url, { profile: 'worker', commandTimeoutMs: 10 })
    const other = connect(server.url)
    try {
      const key = testKeyspace().key('list')
      const blocked = redis.blpop(key, 0)
      await whenReady(other)
      await pause(300)
      await other.rpush(key, 'x')
      expect(await blocked).toEqual([key, 'x'])
    } finally {
      redis.disconnect()
      other.disconnect()
    }
  })

  test('settles what was in flight when the connection broke, and does not send it again', async () => {
    await using proxy = await startFaultProxy(server)
    const redis = connect(proxy.url, { profile: 'worker' })
    try {
      const key = testKeyspace().key('counter')
      await whenReady(redis)
      proxy.dropReply({ match: { command: 'incr' } })
      const { error } = await endOf(redis.incr(key))
      expect(error).toMatchObject({ message: 'Connection is closed.' })
      expect(await redis.get(key)).toBe('1')
      const blocked = endOf(redis.blpop(`${key}:list`, 0))
      await pause(50)
      proxy.cut()
      expect((await blocked).error).toMatchObject({ message: 'Connection is closed.' })
    } finally {
      redis.disconnect()
    }
  })
})

describe.each(variants)('profile checks, $name', ({ connect }) => {
  test('connects at first use, once, and never again', async () => {
    await using proxy = await startFaultProxy(server)
    const redis = connect(proxy.url, { profile: 'checks' })
    expect(redis.status).toBe('wait')
    await whenReady(redis)
    proxy.cut()
    await event(redis, 'end')
    await pause(200)
    expect(new Set(proxy.log().map(line => line.connection)).size).toBe(1)
    expect(redis.status).toBe('end')
  })

  test('ends for Sentinel and Cluster too when nobody is there', async () => {
    for (const url of ['redis+sentinel://127.0.0.1:1/main', 'redis+cluster://127.0.0.1:1']) {
      const redis = connect(url, { profile: 'checks' })
      await expect(whenReady(redis, { timeoutMs: 60_000 })).rejects.toMatchObject({ code: 'ERR_REDIS_NOT_RUN' })
      expect(redis.status).toBe('end')
    }
  })
})

describe('options', () => {
  test.each<[string, unknown]>([
    ['profile', { profile: 'fast' }],
    ['connectTimeoutMs', { connectTimeoutMs: 9 }],
    ['commandTimeoutMs', { commandTimeoutMs: 60_001 }],
    ['maxReconnectDelayMs', { maxReconnectDelayMs: 10.5 }],
    ['protocol', { protocol: 4 }],
    ['connectionName', { connectionName: 'a b' }],
    ['random', { random: {} }],
    ['timeoutMs', { timeoutMs: 5 }],
  ])('%s: a bad value is refused by name', (field, options) => {
    const connecting = (): unknown => connectRedis('redis://127.0.0.1:1', options as ConnectOptions)
    expect(connecting).toThrow(expect.objectContaining({ code: 'ERR_REDIS_OPTIONS', outcome: 'not-run' }))
    expect(connecting).toThrow(new RegExp(field))
  })

  test('protocol 3 is refused where ioredis is too old for it', () => {
    expect(() => connect5('redis://127.0.0.1:1', { protocol: 3 })).toThrow(
      expect.objectContaining({ code: 'ERR_REDIS_OPTIONS', message: expect.stringContaining('ioredis 6') }),
    )
  })

  test('every row of the effect profile reaches ioredis', () => {
    const redis = connectRedis('redis+sentinel://127.0.0.1:1/main', { commandTimeoutMs: 700 }) as Redis
    const cluster = connectRedis('redis+cluster://127.0.0.1:1', { commandTimeoutMs: 700 }) as Cluster
    const rows = {
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      commandTimeout: 700,
      socketTimeout: 1400,
      enableAutoPipelining: false,
    }
    expect(redis.options).toMatchObject({ ...rows, enableOfflineQueue: false, failoverDetector: true })
    expect(cluster.options).toMatchObject({
      enableOfflineQueue: false,
      retryDelayOnFailover: 0,
      scaleReads: 'master',
      redisOptions: rows,
    })
    for (const options of [redis.options, cluster.options.redisOptions]) {
      const answer = (message: string): unknown =>
        options?.reconnectOnError?.(Object.assign(new Error(message), { name: 'ReplyError' }))
      expect(answer("READONLY You can't write against a read only replica.")).toBe(1)
      expect(answer('LOADING Redis is loading')).toBe(false)
    }
    redis.disconnect()
    cluster.disconnect()
  })

  test('credentials, natMap and TLS reach ioredis', () => {
    const natMap = { '10.0.0.1:6379': { host: '127.0.0.1', port: 2 } }
    const nodes = [{ host: '127.0.0.1', port: 1 }]
    const credentials = { username: 'u', password: 'p' }
    const sentinels = { sentinels: nodes, master: 'main', sentinelUsername: 'su', sentinelPassword: 'sp' }
    const sentinel = connectRedis({ kind: 'sentinel', ...sentinels, ...credentials, db: 3, tls: true, natMap }) as Redis
    const { sentinelUsername, sentinelPassword } = sentinels
    const expected = { name: 'main', db: 3, ...credentials, sentinelUsername, sentinelPassword, natMap }
    expect(sentinel.options).toMatchObject({ ...expected, tls: {}, enableTLSForSentinelMode: true, sentinelTLS: {} })
    const cluster = connectRedis({ kind: 'cluster', nodes, ...credentials, natMap }) as Cluster
    expect(cluster.options).toMatchObject({ natMap, redisOptions: credentials })
    sentinel.disconnect()
    cluster.disconnect()
  })
})
