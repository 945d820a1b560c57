import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'

import { describe, expect, test } from 'vitest'

import { runScript, runScriptDurably, whenReady } from '../src/index.ts'
import type { RedisClient } from '../src/index.ts'
import { startFaultProxy, startRedis, testKeyspace } from '../src/testing/index.ts'
import { variants } from './ioredis-variants.ts'
import { endOf, pause } from './outcome.ts'
import { increment, plus } from './scripts.ts'

const DEADLINE_MS = 300
/** The machine may be busy; what counts is that the call ends without anything else happening. */
const SLACK_MS = 5000

/** Accepts connections and never says a word. */
async function startMute(): Promise<{ port: number; close(): void }> {
  const server: Server = createServer(socket => socket.on('error', () => {}))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as AddressInfo).port, close: () => server.close() }
}

async function expectEnd(redis: RedisClient, code: string): Promise<void> {
  const key = testKeyspace().key('counter')
  const ends = await Promise.all([
    endOf(runScript(redis, increment, plus(key), { deadlineMs: DEADLINE_MS })),
    endOf(runScriptDurably(redis, increment, plus(key), { deadlineMs: DEADLINE_MS, replicas: 0, waitMs: 10 })),
  ])
  for (const ended of ends) {
    expect(ended.code).toBe(code)
    expect(ended.elapsedMs).toBeLessThan(DEADLINE_MS + SLACK_MS)
  }
}

describe.each(variants)('runScript settles by its deadline, $name [claim 2]', ({ connect, own }) => {
  test('on a paused server, as unknown', async () => {
    await using server = await startRedis()
    const redis = connect(server.url, { commandTimeoutMs: 60_000 })
    try {
      await whenReady(redis)
      server.pause()
      await expectEnd(redis, 'ERR_REDIS_UNKNOWN')
    } finally {
      server.resume()
      redis.disconnect()
    }
  })

  test('on a refusing server, as not run, naming the refusal', async () => {
    const server = await startRedis()
    await server[Symbol.asyncDispose]()
    const redis = connect(server.url)
    try {
      await expectEnd(redis, 'ERR_REDIS_NOT_RUN')
      await expect(runScript(redis, increment, plus('k'), { deadlineMs: 20 })).rejects.toMatchObject({
        cause: { code: 'ECONNREFUSED' },
      })
    } finally {
      redis.disconnect()
    }
  })

  test('on a server that accepts and stays mute, as not run', async () => {
    const mute = await startMute()
    const redis = connect(`redis://127.0.0.1:${mute.port}`)
    try {
      await expectEnd(redis, 'ERR_REDIS_NOT_RUN')
    } finally {
      redis.disconnect()
      mute.close()
    }
  })

  test('on a flapping server, every single one of many', async () => {
    await using server = await startRedis()
    await using proxy = await startFaultProxy(server)
    const redis = connect(proxy.url, { maxReconnectDelayMs: 10 })
    const key = testKeyspace().key('counter')
    const flapping = new AbortController()
    const flaps = (async () => {
      while (!flapping.signal.aborted) {
        proxy.cut()
        await pause(7)
      }
    })()
    try {
      const ends = await Promise.all(
        Array.from({ length: 300 }, async (_, index) => {
          await pause(index * 3)
          return endOf(runScript(redis, increment, plus(key), { deadlineMs: DEADLINE_MS }))
        }),
      )
      flapping.abort()
      await flaps
      const codes = new Set(ends.map(ended => ended.code ?? 'value'))
      expect([...codes].every(code => ['value', 'ERR_REDIS_NOT_RUN', 'ERR_REDIS_UNKNOWN'].includes(code))).toBe(true)
      expect(ends.every(ended => ended.elapsedMs < DEADLINE_MS + SLACK_MS)).toBe(true)
      // What ran lies between what was answered and what is not known to have failed.
      const ran = await runScript(redis, increment, plus(key, 0), { deadlineMs: 20_000 })
      const answered = ends.filter(ended => ended.code === undefined).length
      const unknown = ends.filter(ended => ended.code === 'ERR_REDIS_UNKNOWN').length
      expect(ran).toBeGreaterThanOrEqual(answered)
      expect(ran).toBeLessThanOrEqual(answered + unknown)
    } finally {
      flapping.abort()
      redis.disconnect()
    }
  })

  test('on an unreachable Cluster, as not run', async () => {
    const server = await startRedis()
    await server[Symbol.asyncDispose]()
    const redis = connect(`redis+cluster://127.0.0.1:${server.port}`)
    try {
      await expectEnd(redis, 'ERR_REDIS_NOT_RUN')
    } finally {
      redis.disconnect()
    }
  })

  test('on a client that has ended, at once and as not run', async () => {
    await using server = await startRedis()
    const redis = connect(server.url)
    await whenReady(redis)
    redis.disconnect()
    await once(redis, 'end')
    await expectEnd(redis, 'ERR_REDIS_NOT_RUN')
    const never = runScript(redis, increment, plus('k'), { deadlineMs: 600_000 })
    await expect(never).rejects.toMatchObject({ code: 'ERR_REDIS_NOT_RUN' })
  })

  test("on the application's own client that never settles anything itself", async () => {
    await using server = await startRedis()
    await using proxy = await startFaultProxy(server)
    // Without re-sending and with patience, ioredis forgets what was in flight (redis/ioredis#2193).
    const redis = own({ port: proxy.port, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: null })
    redis.on('error', () => {})
    try {
      await whenReady(redis)
      const forgotten = runScript(redis, increment, plus('k'), { deadlineMs: DEADLINE_MS })
      proxy.cut()
      await expect(forgotten).rejects.toMatchObject({ code: 'ERR_REDIS_UNKNOWN' })
    } finally {
      redis.disconnect()
    }
  })
})
