import { systemClock, whenReady } from '@safety/redis-core'
import type { Clock, RedisClient } from '@safety/redis-core'
import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { abandonScript } from '../src/redis/abandon.ts'
import { claimScript } from '../src/redis/claim.ts'
import { decideScript } from '../src/redis/decide.ts'
import { dueScript } from '../src/redis/due.ts'
import { finishScript } from '../src/redis/finish.ts'
import { lossScript } from '../src/redis/loss.ts'
import { openScript } from '../src/redis/open.ts'
import { readScript } from '../src/redis/read.ts'
import { reconcileScript } from '../src/redis/reconcile.ts'
import { renewScript } from '../src/redis/renew.ts'
import { resolveScript } from '../src/redis/resolve.ts'
import { eventually, gate, instance, receiver, rejection, sleep } from './harness.ts'

const DAY_MS = 86_400_000
const HOUR_S = 3600

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
  await whenReady(redis)
})
afterAll(() => server[Symbol.asyncDispose]())

const SCRIPTS = [
  abandonScript,
  claimScript,
  decideScript,
  dueScript,
  finishScript,
  lossScript,
  openScript,
  readScript,
  reconcileScript,
  renewScript,
  resolveScript,
]
const TEXTS = new Map(SCRIPTS.map(script => [script.sha1, script.text]))

/** A server whose clock can be set: every script sees its own TIME moved. */
function withServerClock(client: Redis): { readonly client: RedisClient; offsetS: number } {
  const moved = { client: undefined as unknown as RedisClient, offsetS: 0 }
  const evalsha = (sha1: string, ...rest: [number, ...string[]]) => {
    const time = `(function() local t = redis.call('TIME') return { string.format('%.0f', t[1] + ${moved.offsetS}), t[2] } end)()`
    const text = (TEXTS.get(sha1) as string).replaceAll("redis.call('TIME')", time)
    return client.eval(text, ...rest)
  }
  moved.client = new Proxy(client, {
    get: (target, name) => {
      if (name === 'evalsha') return evalsha
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value
    },
  })
  return moved
}

const KEYED = { name: 'pay', key: (input: string) => input } as const

describe('clocks [claim 25]', () => {
  test.for([DAY_MS, -DAY_MS])('a client clock %d ms off changes nothing', async offsetMs => {
    const clock: Clock = { ...systemClock, now: () => systemClock.now() + offsetMs }
    await using wrong = instance(redis, { clock })
    await using right = instance(redis, { namespace: wrong.namespace })
    const running = gate<string>()
    let deadline = 0
    const options = { ...KEYED, recovery: { mode: 'manual' }, leaseMs: 1000, onBusy: 'reject' } as const
    const effect = wrong.idem.define({
      ...options,
      run: (_input, ctx) => {
        deadline = ctx.deadline
        return running.promise
      },
    })
    const call = effect('a')
    await eventually(() => wrong.of('started').length === 1)
    const other = right.idem.define({ ...options, run: () => 'twice' })
    // Longer than a lease: only renewals keep it, by the server's clock.
    for (let round = 0; round < 24; round += 1) {
      expect(await rejection(other('a'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_BUSY' })
      await sleep(50)
    }
    expect(Math.abs(deadline - offsetMs - Date.now())).toBeLessThan(60_000)
    running.open('once')
    expect(await call).toMatchObject({ status: 'executed', value: 'once', recorded: true })
    expect(await other('a')).toMatchObject({ status: 'replayed', value: 'once' })
    // By now this process knows the server's clock, and says until when its claim counts.
    expect(await effect('a')).toMatchObject({ status: 'replayed', value: 'once' })
    expect([wrong.of('lease-lost'), wrong.of('ghost-refused')]).toEqual([[], []])
  })

  test('a server clock set forward makes early doubt and no rerun, also under a lookup that does not find the effect yet', async () => {
    for (const mode of ['manual', 'reconcile'] as const) {
      const moved = withServerClock(redis)
      await using executing = instance(moved.client)
      await using asking = instance(moved.client, { namespace: executing.namespace })
      const at = receiver()
      const running = gate()
      const options = {
        ...KEYED,
        recovery:
          mode === 'manual'
            ? { mode }
            : { mode, settleMs: 5000, lookup: async () => ({ outcome: 'not-run' }) as const },
        onBusy: 'reject',
        leaseMs: 30_000,
      } as const
      const effect = executing.idem.define({
        ...options,
        run: async (_input: string, ctx) => {
          await running.promise
          return at.take(ctx, 'once')
        },
      })
      const other = asking.idem.define({ ...options, run: (_input: string, ctx) => at.take(ctx, 'twice') })
      const call = effect('a')
      await eventually(() => executing.of('started').length === 1)
      expect(await rejection(other('a'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_BUSY' })
      moved.offsetS = HOUR_S
      const doubt = await rejection(other('a'))
      expect(doubt).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT', reason: 'lapsed', mode })
      if (mode === 'reconcile') expect(doubt['retryAfterMs']).toBeGreaterThan(30_000)
      expect(at.count()).toBe(0)
      running.open()
      expect(await call).toMatchObject({ status: 'executed', value: 'once', recorded: true })
      expect(await other('a')).toMatchObject({ status: 'replayed', value: 'once' })
      expect(at.count()).toBe(1)
    }
  })

  test('a process that only sweeps sees the server clock set forward as well', async () => {
    const moved = withServerClock(redis)
    await using executing = instance(moved.client)
    await using sweeping = instance(moved.client, { namespace: executing.namespace })
    const at = receiver()
    const running = gate()
    const options = {
      ...KEYED,
      recovery: { mode: 'reconcile', settleMs: 5000, lookup: async () => ({ outcome: 'not-run' }) as const },
      onBusy: 'reject',
      leaseMs: 30_000,
    } as const
    const call = executing.idem.define({
      ...options,
      run: async (_input: string, ctx) => {
        await running.promise
        return at.take(ctx, 'once')
      },
    })('a')
    await eventually(() => executing.of('started').length === 1)
    const other = sweeping.idem.define({ ...options, run: (_input: string, ctx) => at.take(ctx, 'twice') })
    await using sweeper = sweeping.idem.startSweeper({ intervalMs: 3_600_000 })
    await sweeper.sweepOnce()
    moved.offsetS = HOUR_S
    await sweeper.sweepOnce()
    expect(await executing.idem.inspect('pay', 'a')).toMatchObject({ state: 'in-doubt', reason: 'lapsed' })
    expect(await rejection(other('a'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT' })
    expect(at.count()).toBe(0)
    running.open()
    expect(await call).toMatchObject({ status: 'executed', value: 'once', recorded: true })
    expect(at.count()).toBe(1)
  })

  test('a server clock set back makes a longer lease; fences rise all the same', async () => {
    const moved = withServerClock(redis)
    await using here = instance(moved.client)
    const effect = here.idem.define({ ...KEYED, recovery: { mode: 'repeat' }, leaseMs: 1000, run: () => 'ok' })
    const first = await effect('a')
    moved.offsetS = -HOUR_S
    await here.idem.release('pay', 'a', { by: 'ann', why: 'test', force: true })
    const second = await effect('a')
    expect(second).toMatchObject({ status: 'executed', attempt: 2 })
    expect(second.fence).toBeGreaterThan(first.fence)
    moved.offsetS = 0
    await using other = instance(moved.client, { namespace: here.namespace })
    const running = gate<string>()
    const slow = here.idem.define({
      ...KEYED,
      name: 'slow',
      recovery: { mode: 'repeat' },
      leaseMs: 60_000,
      run: () => running.promise,
    })('b')
    await eventually(() => here.of('started').some(event => event.effect === 'slow'))
    moved.offsetS = -HOUR_S
    const options = { ...KEYED, name: 'slow', recovery: { mode: 'repeat' }, onBusy: 'reject' } as const
    const busy = await rejection(other.idem.define({ ...options, run: () => 'twice' })('b'))
    expect(busy).toMatchObject({ code: 'ERR_IDEMPOTENCY_BUSY' })
    expect(busy['retryAfterMs']).toBeGreaterThan(HOUR_S * 1000)
    running.open('once')
    expect(await slow).toMatchObject({ status: 'executed', value: 'once' })
  })
})
