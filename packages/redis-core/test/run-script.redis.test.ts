import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { createChannel, defineScript, runScript, whenReady } from '../src/index.ts'
import type { RedisCoreEvent } from '../src/index.ts'
import { createManualClock, startFaultProxy, startRedis, testKeyspace } from '../src/testing/index.ts'
import type { RedisServer } from '../src/testing/index.ts'
import { variants } from './ioredis-variants.ts'
import { endOf, pause, until } from './outcome.ts'
import { increment, plus } from './scripts.ts'

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server[Symbol.asyncDispose]())

/** Collects this package's events of one type until it is stopped. */
function collect<T extends RedisCoreEvent['type']>(type: T) {
  const events: Extract<RedisCoreEvent, { type: T }>[] = []
  const stop = createChannel<RedisCoreEvent>('redis-core').subscribe(event => {
    if (event.type === type) events.push(event as Extract<RedisCoreEvent, { type: T }>)
  })
  return { events, stop }
}

const MAX = 2 ** 53 - 1

const echo = defineScript({
  name: 'test.echo',
  keys: ['record'],
  args: { big: 'integer', text: 'text' },
  reply: reply => ({ number: reply.integer(), same: reply.text(), rest: reply.texts() }),
  lua: `redis.call('SET', record, string.format('%.0f', big))
return { string.format('%.0f', big), text, redis.call('GET', record) }`,
})

describe.each(variants)('integers and texts, $name [claim 7]', ({ connect, own, protocol }) => {
  test.each([MAX, -MAX, 0, 1e15 + 1])('%d survives both ways', async big => {
    const clients = [
      connect(server.url),
      own({ port: server.port, stringNumbers: true }),
      own({ port: server.port, ...(protocol === 3 ? { replyMapping: 'resp3' } : {}) }),
    ]
    try {
      for (const redis of clients) {
        const text = 'ä\u0000\r\n€😀'
        const input = { keys: { record: testKeyspace().key('echo') }, args: { big, text } }
        expect(await runScript(redis, echo, input, { deadlineMs: 20_000 })).toEqual({
          number: big,
          same: text,
          rest: [String(big)],
        })
      }
    } finally {
      for (const redis of clients) redis.disconnect()
    }
  })
})

/** Returns its argument as an integer reply, plus a text that shows it exactly. */
const raw = defineScript({
  name: 'test.raw-integer',
  keys: [],
  args: { big: 'integer' },
  reply: reply => ({ number: reply.integer(), exact: reply.text() }),
  lua: `return { big, string.format('%.0f', big) }`,
})

describe.each(variants)('integer replies, $name [claim 7]', ({ own, protocol }) => {
  test('are read exactly or refused up to 2^53 - 1, never read wrong, in all option variants', async () => {
    const options = [{}, { stringNumbers: true }, ...(protocol === 3 ? [{ replyMapping: 'resp3' }] : [])]
    for (const option of options) {
      const redis = own({ port: server.port, ...option })
      try {
        const near = Array.from({ length: 120 }, (_, index) => MAX - index)
        for (const big of [...near, ...near.map(number => -number), 2 ** 52 + 1, 0]) {
          const { value, code } = await endOf(
            runScript(redis, raw, { keys: {}, args: { big } }, { deadlineMs: 20_000 }),
          )
          if (code === undefined) expect(value).toEqual({ number: big, exact: String(big) })
          else {
            expect(code).toBe('ERR_REDIS_REPLY')
            expect(Math.abs(big)).toBeGreaterThanOrEqual(2 ** 53 - 48)
          }
        }
      } finally {
        redis.disconnect()
      }
    }
  })
})

describe.each(variants)('SCRIPT FLUSH, $name [claim 4]', ({ connect }) => {
  test('every 50 ms changes no result', async () => {
    const redis = connect(server.url)
    const flusher = connect(server.url)
    const flushing = new AbortController()
    try {
      await whenReady(redis)
      await whenReady(flusher)
      const loaded = collect('script-loaded')
      const flushes = (async () => {
        let count = 0
        while (!flushing.signal.aborted) {
          await flusher.script('FLUSH')
          count += 1
          await pause(50)
        }
        return count
      })()
      const key = testKeyspace().key('counter')
      const results: number[] = []
      for (let burst = 0; burst < 40; burst++) {
        const calls = Array.from({ length: 25 }, () => runScript(redis, increment, plus(key), { deadlineMs: 20_000 }))
        results.push(...(await Promise.all(calls)))
        await pause(10)
      }
      flushing.abort()
      expect(await flushes).toBeGreaterThan(2)
      expect(results.sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, index) => index + 1))
      await until(() => (loaded.events.length > 1 ? true : undefined))
      expect(loaded.events[0]).toEqual({ type: 'script-loaded', script: 'test.increment', sha1: increment.sha1 })
      loaded.stop()
    } finally {
      flushing.abort()
      redis.disconnect()
      flusher.disconnect()
    }
  })

  test('between EVALSHA and its reply leaves one EVAL, once', async () => {
    await using proxy = await startFaultProxy(server)
    const redis = connect(proxy.url)
    try {
      const key = testKeyspace().key('counter')
      await runScript(redis, increment, plus(key))
      proxy.add({ match: { command: 'evalsha' }, action: { kind: 'error', message: 'NOSCRIPT No matching script.' } })
      expect(await runScript(redis, increment, plus(key))).toBe(2)
      proxy.add({ match: { command: 'eval' }, action: { kind: 'error', message: 'NOSCRIPT No matching script.' } })
      await expect(runScript(redis, increment, plus(key))).rejects.toMatchObject({ code: 'ERR_REDIS_NOT_RUN' })
      const sent = proxy.log().flatMap(line => (line.command.startsWith('eval') ? [line.command] : []))
      expect(sent.slice(-4)).toEqual(['evalsha', 'eval', 'evalsha', 'eval'])
    } finally {
      redis.disconnect()
    }
  })
})

describe.each(variants)('leaving a call, $name', ({ connect }) => {
  test('by deadline: the script may still run, and script-late says that it did', async () => {
    const redis = connect(server.url, { commandTimeoutMs: 20_000 })
    const late = collect('script-late')
    try {
      const key = testKeyspace().key('counter')
      await runScript(redis, increment, plus(key))
      await expect(runScript(redis, increment, plus(key, 1, 200), { deadlineMs: 50 })).rejects.toMatchObject({
        code: 'ERR_REDIS_UNKNOWN',
        script: 'test.increment',
        elapsedMs: expect.any(Number),
      })
      const event = await until(() => late.events[0])
      expect(event).toEqual({
        type: 'script-late',
        script: 'test.increment',
        outcome: 'ran',
        lateMs: expect.any(Number),
      })
      expect(event.lateMs).toBeGreaterThan(0)
      expect(await redis.get(key)).toBe('2')
    } finally {
      late.stop()
      redis.disconnect()
    }
  })

  test('script-late says not-run for a late refusal, and nothing when no reply came', async () => {
    await using proxy = await startFaultProxy(server)
    const redis = connect(proxy.url, { commandTimeoutMs: 20_000 })
    const late = collect('script-late')
    try {
      const key = testKeyspace().key('counter')
      await runScript(redis, increment, plus(key))
      await redis.set(key, 'no number')
      await redis.del(key)
      await redis.rpush(key, 'a list')
      proxy.hold({ command: 'evalsha' })
      await expect(runScript(redis, increment, plus(key), { deadlineMs: 30 })).rejects.toMatchObject({
        code: 'ERR_REDIS_UNKNOWN',
      })
      proxy.release()
      expect(await until(() => late.events[0])).toMatchObject({ outcome: 'not-run' })
      proxy.hold({ command: 'evalsha' })
      await expect(runScript(redis, increment, plus(key), { deadlineMs: 30 })).rejects.toMatchObject({
        code: 'ERR_REDIS_UNKNOWN',
      })
      proxy.cut()
      await pause(100)
      expect(late.events).toHaveLength(1)
    } finally {
      late.stop()
      redis.disconnect()
    }
  })

  test('by abort: rejects with the reason; before sending, it never runs', async () => {
    await using proxy = await startFaultProxy(server)
    const redis = connect(proxy.url, { commandTimeoutMs: 20_000 })
    const key = testKeyspace().key('counter')
    try {
      await runScript(redis, increment, plus(key))
      const reason = new Error('enough')
      const aborted = AbortSignal.abort(reason)
      await expect(runScript(redis, increment, plus(key), { signal: aborted })).rejects.toBe(reason)
      expect(await redis.get(key)).toBe('1')

      const controller = new AbortController()
      proxy.hold({ command: 'evalsha' })
      const sent = runScript(redis, increment, plus(key), { signal: controller.signal, deadlineMs: 20_000 })
      controller.abort(reason)
      await expect(sent).rejects.toBe(reason)
      proxy.release()
      await until(async () => ((await redis.get(key)) === '2' ? true : undefined))
    } finally {
      redis.disconnect()
    }
  })

  test('while waiting for a connection: aborted calls are never sent', async () => {
    await using proxy = await startFaultProxy(server)
    proxy.hold()
    const redis = connect(proxy.url, { connectTimeoutMs: 20_000 })
    const key = testKeyspace().key('counter')
    try {
      const controller = new AbortController()
      const waiting = runScript(redis, increment, plus(key), { signal: controller.signal, deadlineMs: 20_000 })
      controller.abort()
      await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
      proxy.release()
      await whenReady(redis)
      expect(await redis.get(key)).toBeNull()
    } finally {
      redis.disconnect()
    }
  })

  test('takes its deadline from the given clock', async () => {
    await using proxy = await startFaultProxy(server)
    const redis = connect(proxy.url, { commandTimeoutMs: 60_000 })
    const clock = createManualClock()
    try {
      const key = testKeyspace().key('counter')
      await runScript(redis, increment, plus(key), { clock })
      expect(clock.pending).toBe(0)
      proxy.hold({ command: 'evalsha' })
      const call = endOf(runScript(redis, increment, plus(key), { clock, deadlineMs: 1000 }))
      await clock.advance(999)
      expect(clock.pending).toBe(1)
      await clock.advance(2)
      expect(await call).toMatchObject({ code: 'ERR_REDIS_UNKNOWN', error: { elapsedMs: expect.any(Number) } })
      expect(clock.pending).toBe(0)
    } finally {
      proxy.release()
      redis.disconnect()
    }
  })
})

describe.each(variants)('calls of one turn, $name', ({ connect }) => {
  test('keep their order among the other commands of the client', async () => {
    const redis = connect(server.url)
    try {
      const key = testKeyspace().key('counter')
      await runScript(redis, increment, plus(key))
      const results = await Promise.all([
        redis.set(key, '10'),
        runScript(redis, increment, plus(key)),
        redis.set(key, '20'),
        runScript(redis, increment, plus(key)),
        runScript(redis, increment, plus(key)),
        redis.get(key),
      ])
      expect(results).toEqual(['OK', 11, 'OK', 21, 22, '22'])
      expect((redis as Redis).stream.writableCorked).toBe(0)
    } finally {
      redis.disconnect()
    }
  })

  test('leave at once when they are few, and in batches of at most an eighth of all when they are many', async () => {
    const redis = connect(server.url)
    try {
      const key = testKeyspace().key('counter')
      const run = (): Promise<number> => runScript(redis, increment, plus(key))
      await run()
      const { stream } = redis as Redis
      const before = stream.bytesWritten
      await run()
      const bytes = stream.bytesWritten - before
      for (const [many, most] of [
        [10, 0],
        [128, 16],
        [10, 0],
      ] as const) {
        const waiting: number[] = []
        const calls = Array.from({ length: many }, () => {
          const call = run()
          waiting.push(stream.writableLength / bytes)
          return call
        })
        expect(Math.max(...waiting)).toBeCloseTo(most, 5)
        await new Promise(resolve => process.nextTick(resolve))
        expect(stream.writableLength).toBe(0)
        await Promise.all(calls)
      }
    } finally {
      redis.disconnect()
    }
  })

  test('settle when the client is closed in the same turn', async () => {
    const redis = connect(server.url)
    const key = testKeyspace().key('counter')
    await runScript(redis, increment, plus(key))
    const calls = [runScript(redis, increment, plus(key)), runScript(redis, increment, plus(key))]
    redis.disconnect()
    for (const ended of await Promise.all(calls.map(endOf))) {
      expect(ended.code === undefined || ended.code === 'ERR_REDIS_UNKNOWN').toBe(true)
    }
  })
})

describe.each(variants)('a client with its own mind, $name', ({ own }) => {
  test('that throws instead of sending makes the call unknown, not an exception', async () => {
    const redis = own({ port: server.port, autoResendUnfulfilledCommands: false })
    redis.evalsha = () => {
      throw new RangeError('Invalid string length')
    }
    await expect(runScript(redis, increment, plus('k'), { deadlineMs: 20_000 })).rejects.toMatchObject({
      code: 'ERR_REDIS_UNKNOWN',
      cause: { message: 'Invalid string length' },
    })
    redis.disconnect()
  })

  test('that was refused long ago and is closed now is not blamed for the refusal', async () => {
    await using locked = await startRedis({ args: ['--requirepass', 'right'] })
    const redis = own({ port: locked.port, autoResendUnfulfilledCommands: false })
    redis.on('error', () => {})
    await expect(runScript(redis, increment, plus('k'), { deadlineMs: 300 })).rejects.toMatchObject({
      code: 'ERR_REDIS_REFUSED',
    })
    Object.assign(redis.options, { password: 'right' })
    await until(() => (redis.status === 'ready' ? true : undefined))
    redis.disconnect()
    await until(() => (redis.status === 'end' ? true : undefined))
    await expect(runScript(redis, increment, plus('k'))).rejects.toMatchObject({ code: 'ERR_REDIS_NOT_RUN' })
  })
})

describe.each(variants)("the caller's mistakes, $name", ({ connect, own }) => {
  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('deadlineMs %d is refused', async deadlineMs => {
    const redis = connect(server.url)
    await expect(runScript(redis, increment, plus('k'), { deadlineMs })).rejects.toMatchObject({
      code: 'ERR_REDIS_OPTIONS',
    })
    redis.disconnect()
  })

  test('a missing argument rejects, and does not throw', async () => {
    const redis = connect(server.url)
    const input = { keys: { counter: 'k' }, args: { by: 1 } } as unknown as ReturnType<typeof plus>
    const call = runScript(redis, increment, input)
    await expect(call).rejects.toMatchObject({ code: 'ERR_REDIS_SCRIPT', outcome: 'not-run' })
    redis.disconnect()
  })

  test('a keyPrefix is refused, since it would change the keys of scripts', async () => {
    const redis = own({ port: server.port, keyPrefix: 'app:' })
    await expect(runScript(redis, increment, plus('k'))).rejects.toMatchObject({ code: 'ERR_REDIS_OPTIONS' })
    redis.disconnect()
  })

  test('a reply the decoder does not understand is ERR_REDIS_REPLY: it ran', async () => {
    const redis = connect(server.url)
    const key = testKeyspace().key('counter')
    const wrong = defineScript({
      name: 'test.wrong-reply',
      keys: ['counter'],
      args: {},
      reply: reply => reply.text(),
      lua: `return { redis.call('INCR', counter) }`,
    })
    try {
      await expect(runScript(redis, wrong, { keys: { counter: key }, args: {} })).rejects.toMatchObject({
        code: 'ERR_REDIS_REPLY',
        outcome: 'ran',
        script: 'test.wrong-reply',
      })
      expect(await redis.get(key)).toBe('1')
    } finally {
      redis.disconnect()
    }
  })
})

describe('the laws of scripts', () => {
  test('a number made text by .. loses digits above 14, and by string.format does not', async () => {
    const redis = server.client()
    const law = defineScript({
      name: 'test.law-numbers',
      keys: [],
      args: { big: 'integer' },
      reply: reply => [reply.text(), reply.text()],
      lua: `return { big .. '', string.format('%.0f', big) }`,
    })
    expect(await runScript(redis, law, { keys: {}, args: { big: 1_234_567_890_123_456 } })).toEqual([
      '1.2345678901235e+15',
      '1234567890123456',
    ])
  })
})
