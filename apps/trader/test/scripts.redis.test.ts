import { runScript, whenReady, type RedisClient } from '@safety/redis-core'
import { startRedis, type RedisServer } from '@safety/redis-core/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { acquireScript } from '../src/redis/acquire.ts'
import { baselineScript } from '../src/redis/baseline.ts'
import { checkpointScript } from '../src/redis/checkpoint.ts'
import { closeGateScript } from '../src/redis/close-gate.ts'
import { haltScript } from '../src/redis/halt.ts'
import { killScript } from '../src/redis/kill.ts'
import { notFoundScript } from '../src/redis/not-found.ts'
import { createJournal, type Journal } from '../src/orders/journal.ts'
import { bookKeys, type BookKeys } from '../src/redis/keys.ts'
import { intentOf } from './rig.ts'

let server: RedisServer
let redis: RedisClient
let run = 0

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
  await whenReady(redis)
})
afterAll(async () => {
  redis?.disconnect()
  await server?.[Symbol.asyncDispose]()
})

const pair = { baseAsset: 'BTC', quoteAsset: 'USDT' }

interface Case {
  readonly name: string
  /** Keys of the script and the type each has to be. */
  readonly keys: (keys: BookKeys, id: string) => Record<string, string>
  readonly call: (stage: { journal: Journal; keys: BookKeys; intent: ReturnType<typeof intentOf> }) => Promise<unknown>
}

function moving(keys: BookKeys, id: string): Record<string, string> {
  return {
    [keys.intent(id)]: 'hash',
    [keys.open]: 'zset',
    [keys.exposure]: 'hash',
    [keys.doubts('BTCUSDT')]: 'set',
    [keys.counts]: 'hash',
  }
}

const fill = {
  symbol: 'BTCUSDT',
  tradeId: '7',
  orderId: '42',
  side: 'BUY',
  quantity: '0.001',
  price: '60000.00',
  commission: '0.000001',
  commissionAsset: 'BTC',
  timeMs: 2_000_000_000_000,
} as const

const cases: Case[] = [
  {
    name: 'propose',
    keys: (keys, id) => ({ ...moving(keys, id), [keys.index]: 'zset' }),
    call: ({ journal, intent }) => journal.propose(intent, { missed: false }),
  },
  {
    name: 'settle',
    keys: (keys, id) => ({
      ...moving(keys, id),
      [keys.order('BTCUSDT', '42')]: 'string',
      [keys.rejections]: 'hash',
      [keys.stop('BTCUSDT')]: 'string',
    }),
    call: ({ journal, intent }) =>
      journal.settle({
        id: intent.id,
        symbol: 'BTCUSDT',
        to: 'FILLED',
        by: 'test',
        orderId: '42',
        executedQuantity: '0.001',
      }),
  },
  {
    name: 'dispatch',
    keys: (keys, id) => ({
      ...moving(keys, id),
      [keys.kill]: 'hash',
      [keys.halts]: 'hash',
      [keys.gate]: 'string',
      [keys.minute]: 'string',
    }),
    call: ({ journal, intent }) =>
      journal.dispatch({ intent, fence: 0, attempt: 1, signedAtMs: 1, recvWindowMs: 1000, lock: true, worker: 'w' }),
  },
  {
    name: 'apply-fill',
    keys: (keys, id) => ({
      ...moving(keys, id),
      [keys.trades]: 'zset',
      [keys.ledger]: 'hash',
      [keys.positions]: 'hash',
      [keys.meta]: 'hash',
    }),
    call: ({ journal, intent }) => journal.applyFill(fill, pair, intent.id),
  },
  {
    name: 'baseline',
    keys: keys => ({ [keys.baseline]: 'hash', [keys.meta]: 'hash', [keys.halts]: 'hash' }),
    call: ({ keys }) =>
      runScript(redis, baselineScript, {
        keys: {
          baseline: keys.baseline,
          ledger: keys.ledger,
          trades: keys.trades,
          positions: keys.positions,
          meta: keys.meta,
          halts: keys.halts,
        },
        args: { balances: '{"BTC":"1"}', atMs: 1, accept: 1, who: 'tester', why: 'test' },
      }),
  },
  {
    name: 'checkpoint',
    keys: keys => ({ [keys.checkpoint]: 'hash' }),
    call: ({ keys }) =>
      runScript(redis, checkpointScript, {
        keys: { checkpoint: keys.checkpoint },
        args: { symbol: 'BTCUSDT', barOpenMs: 5, arrivedAtMs: 6 },
      }),
  },
  {
    name: 'not-found',
    keys: (keys, id) => ({ [keys.intent(id)]: 'hash' }),
    call: ({ keys, intent }) =>
      runScript(redis, notFoundScript, { keys: { intent: keys.intent(intent.id) }, args: { signedAtMs: 0, atMs: 9 } }),
  },
  {
    name: 'halt',
    keys: keys => ({ [keys.halts]: 'hash' }),
    call: ({ keys }) =>
      runScript(redis, haltScript, { keys: { halts: keys.halts }, args: { reason: 'r', why: 'w', on: 1 } }),
  },
  {
    name: 'kill',
    keys: keys => ({ [keys.kill]: 'hash' }),
    call: ({ keys }) =>
      runScript(redis, killScript, { keys: { kill: keys.kill }, args: { level: 'flatten', who: 'a', why: 'b' } }),
  },
  {
    name: 'close-gate',
    keys: () => ({}),
    call: ({ keys }) =>
      runScript(redis, closeGateScript, { keys: { gate: keys.gate }, args: { forMs: 60_000, reason: 'HTTP 429' } }),
  },
  {
    name: 'acquire',
    keys: keys => ({ [keys.gate]: 'string', [keys.weight]: 'string' }),
    call: ({ keys }) =>
      runScript(redis, acquireScript, {
        keys: { gate: keys.gate, weight: keys.weight },
        args: { cost: 1, limit: 100 },
      }),
  },
]

async function dump(): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {}
  for (const key of (await redis.keys('*')).toSorted()) {
    const bytes = await redis.dumpBuffer(key)
    all[key] = bytes?.subarray(0, -8).toString('base64')
  }
  return all
}

function stage(): { journal: Journal; keys: BookKeys; intent: ReturnType<typeof intentOf> } {
  run += 1
  const keys = bookKeys(`s${run}`)
  return { journal: createJournal(redis, keys), keys, intent: intentOf() }
}

describe.each(cases)('the script $name', ({ keys: keysOf, call }) => {
  test('answers when none of its keys exist', async () => {
    await redis.flushall()
    await expect(call(stage())).resolves.toBeDefined()
  })

  test('refuses a key of the wrong type and writes nothing', async () => {
    const at = stage()
    for (const [key, type] of Object.entries(keysOf(at.keys, at.intent.id))) {
      await redis.flushall()
      // Everything it reads is there, but for one key that holds something else.
      if (key !== at.keys.intent(at.intent.id))
        await redis.hset(at.keys.intent(at.intent.id), { state: 'SENT', id: at.intent.id })
      await (type === 'string' ? redis.rpush(key, 'x') : redis.set(key, 'x'))
      const before = await dump()
      await expect(call(at), key).rejects.toMatchObject({ code: 'ERR_REDIS_REFUSED', redisCode: 'WRONGTYPE' })
      expect(await dump()).toEqual(before)
    }
  })

  test('runs after the server forgot it', async () => {
    await redis.flushall()
    const at = stage()
    await call(at)
    await redis.script('FLUSH')
    await expect(call(at)).resolves.toBeDefined()
  })
})

describe('a script that runs twice', () => {
  test('proposes, settles, fills, notes and kills once', async () => {
    await redis.flushall()
    const { journal, keys, intent } = stage()
    expect((await journal.propose(intent, { missed: false })).created).toBe(true)
    expect(await journal.propose(intent, { missed: true })).toMatchObject({ created: false, state: 'PROPOSED' })
    const said = {
      id: intent.id,
      symbol: 'BTCUSDT',
      to: 'FILLED',
      by: 'test',
      orderId: '42',
      executedQuantity: '0.001',
    } as const
    expect((await journal.settle(said)).changed).toBe(true)
    expect(await journal.settle(said)).toMatchObject({ changed: false, state: 'FILLED', duplicate: false })
    expect(await journal.applyFill(fill, pair, intent.id)).toBe('applied')
    const once = await dump()
    expect(await journal.applyFill(fill, pair, intent.id)).toBe('known')
    expect(await dump()).toEqual(once)
    const kill = (): Promise<unknown> =>
      runScript(redis, killScript, { keys: { kill: keys.kill }, args: { level: 'flatten', who: 'a', why: 'b' } })
    expect(await kill()).toEqual(await kill())
    expect(await journal.setBaseline({ BTC: '1' }, 5)).toBe(true)
    expect(await journal.setBaseline({ BTC: '2' }, 6)).toBe(false)
    expect((await journal.baseline())?.amounts).toEqual({ BTC: '1' })
  })

  test('a gate that is closed for longer stays so, and ends by itself', async () => {
    const { keys } = stage()
    const close = (forMs: number): Promise<number> =>
      runScript(redis, closeGateScript, { keys: { gate: keys.gate }, args: { forMs, reason: 'x' } })
    await close(60_000)
    expect(await close(1000)).toBeGreaterThan(50_000)
    expect(await redis.pttl(keys.gate)).toBeGreaterThan(50_000)
  })

  test('weight is given out up to the limit, and then only after the minute', async () => {
    const { keys } = stage()
    const ask = (cost: number): Promise<number> =>
      runScript(redis, acquireScript, { keys: { gate: keys.gate, weight: keys.weight }, args: { cost, limit: 100 } })
    expect(await ask(80)).toBe(0)
    expect(await ask(20)).toBe(0)
    expect(await ask(1)).toBeGreaterThan(0)
    expect(await redis.pttl(keys.weight)).toBeGreaterThan(0)
  })

  test('a proof of absence counts for the signature it speaks of, and for no newer one', async () => {
    const { journal, intent } = stage()
    await journal.propose(intent, { missed: false })
    await journal.settle({ id: intent.id, symbol: 'BTCUSDT', to: 'RESERVED', by: 'w', fence: 3, atMs: 1 })
    const ask = { intent, fence: 3, attempt: 1, recvWindowMs: 1000, lock: false, worker: 'w' }
    await journal.dispatch({ ...ask, signedAtMs: 100 })
    const absent = (atMs: number): Promise<{ changed: boolean }> =>
      journal.settle({ id: intent.id, symbol: 'BTCUSDT', to: 'ABSENT', by: 'lookup', fence: 3, atMs })
    expect((await absent(0)).changed).toBe(false)
    await journal.dispatch({ ...ask, signedAtMs: 200 })
    expect((await absent(100)).changed).toBe(false)
    expect((await absent(200)).changed).toBe(true)
  })

  test('what is open has no end, what is settled has one', async () => {
    const { journal, keys, intent } = stage()
    await journal.propose(intent, { missed: false })
    expect(await redis.pttl(keys.intent(intent.id))).toBe(-1)
    await journal.settle({ id: intent.id, symbol: 'BTCUSDT', to: 'DENIED', reason: 'stale-data', by: 'risk' })
    expect(await redis.pttl(keys.intent(intent.id))).toBeGreaterThan(0)
    // A fact reopens it until its fills are known.
    await journal.settle({ id: intent.id, symbol: 'BTCUSDT', to: 'ACCEPTED', by: 'stream', orderId: '1' })
    expect(await redis.pttl(keys.intent(intent.id))).toBe(-1)
  })
})
