import { createLossDetector, runScript, whenReady } from '@safety/redis-core'
import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { abandonScript } from '../src/redis/abandon.ts'
import { claimScript } from '../src/redis/claim.ts'
import { decideScript } from '../src/redis/decide.ts'
import { dueScript } from '../src/redis/due.ts'
import { finishScript } from '../src/redis/finish.ts'
import { createKeyLayout } from '../src/redis/keys.ts'
import { lossScript } from '../src/redis/loss.ts'
import { openScript } from '../src/redis/open.ts'
import { readScript } from '../src/redis/read.ts'
import { reconcileScript } from '../src/redis/reconcile.ts'
import { renewScript } from '../src/redis/renew.ts'
import { resolveScript } from '../src/redis/resolve.ts'
import { parseRecord } from '../src/record.ts'
import { freshNamespace, rejection, sleep } from './harness.ts'

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
  await whenReady(redis)
})
afterAll(() => server[Symbol.asyncDispose]())

const CLAIM = { fp: 'fp-1', mode: 'c', memo: '{"a":1}', leaseMs: 10_000, keepMs: '60000', settleMs: 500, notAfter: 0 }
const FINISH = {
  fp: 'fp-1',
  mode: 'c',
  to: 'D',
  payload: '{"v":1}',
  attempt: 1,
  keepMs: '60000',
  settleMs: 500,
  settled: 0,
}
const FORCE_EXPIRED = 1

/** One record and every script on it. */
function setUp() {
  const layout = createKeyLayout(freshNamespace())
  const { record, bucket, member } = layout.keysOf(layout.place('pay', 'order-1'))
  const keys = { record, bucket }
  const run = { deadlineMs: 5000 }
  return {
    record,
    bucket,
    member,
    claim: (token: string, over: Partial<typeof CLAIM> = {}) =>
      runScript(redis, claimScript, { keys, args: { member, token, ...CLAIM, ...over } }, run),
    renew: (token: string, fence: number, over: Partial<{ leaseMs: number; mode: string }> = {}) => {
      const { fp, mode, memo, leaseMs, keepMs, settleMs } = CLAIM
      const args = {
        member,
        token,
        fence: String(fence),
        fp,
        mode,
        memo,
        attempt: 1,
        leaseMs,
        keepMs,
        settleMs,
        ...over,
      }
      return runScript(redis, renewScript, { keys, args }, run)
    },
    finish: (token: string, fence: number, over: Partial<typeof FINISH> = {}) =>
      runScript(redis, finishScript, { keys, args: { member, token, fence: String(fence), ...FINISH, ...over } }, run),
    abandon: (token: string) =>
      runScript(redis, abandonScript, { keys, args: { member, token, mode: 'c', keepMs: '60000' } }, run),
    reconcile: (rtoken: string, leaseMs = 10_000, mode = 'c') =>
      runScript(redis, reconcileScript, { keys, args: { member, rtoken, mode, leaseMs, keepMs: '60000' } }, run),
    resolve: (rtoken: string, fence: number, to: string, payload = '{"v":2}', nextMs = 0) => {
      const args = { member, rtoken, fence: String(fence), to, payload, keepMs: '60000', nextMs }
      return runScript(redis, resolveScript, { keys, args }, run)
    },
    decide: (kind: string, id: string, to: string, force = 0) => {
      const args = { member, kind, id, to, payload: '{"v":3}', force, keepMs: '60000' }
      return runScript(redis, decideScript, { keys, args }, run)
    },
    due: (limit = 10) => runScript(redis, dueScript, { keys: { bucket }, args: { limit } }, run),
    open: () => runScript(redis, openScript, { keys: { bucket }, args: {} }, run),
    loss: () => runScript(redis, lossScript, { keys: { bucket }, args: {} }, run),
    read: () => runScript(redis, readScript, { keys: { record }, args: {} }, run),
    async stored() {
      const text = await redis.get(record)
      if (text === null) throw new Error('no record')
      const parsed = parseRecord(text)
      if (!parsed) throw new Error(`unreadable: ${text}`)
      return parsed
    },
    counter: async () => Number(await redis.zscore(bucket, '#')),
  }
}

type SetUp = ReturnType<typeof setUp>

async function owned(here: SetUp, over: Partial<typeof CLAIM> = {}): Promise<number> {
  const reply = await here.claim('token-1', over)
  if (reply.tag !== 'OWN') throw new Error(reply.tag)
  return reply.fence
}

describe('claim', () => {
  test('a missing record is granted, open, without TTL, and the same token again gets the same fence', async () => {
    const here = setUp()
    const first = await here.claim('token-1')
    expect(first).toMatchObject({ tag: 'OWN', attempt: 1, how: 'fresh', lossAgeMs: -1 })
    expect(await here.claim('token-1')).toMatchObject({
      tag: 'OWN',
      how: 'again',
      fence: 'fence' in first ? first.fence : 0,
      attempt: 1,
    })
    expect(await here.claim('token-2')).toMatchObject({ tag: 'BUSY' })
    expect(await redis.pttl(here.record)).toBe(-1)
    expect(await redis.pttl(here.bucket)).toBe(-1)
    expect(await redis.zrange(here.bucket, '0', '-1')).toContain(here.member)
    expect(await here.stored()).toMatchObject({
      state: 'running',
      token: 'token-1',
      payload: '{"m":{"a":1}}',
      fingerprint: 'fp-1',
    })
  })

  test('a running repeat claim lives for lease and retention, the others for ever', async () => {
    const here = setUp()
    await owned(here, { mode: 'r' })
    const ttl = await redis.pttl(here.record)
    expect(ttl).toBeGreaterThan(60_000)
    expect(ttl).toBeLessThanOrEqual(70_000)
  })

  test('a lapse becomes doubt at the next claim, a lapsed repeat claim is taken over with a higher fence', async () => {
    for (const [mode, tag] of [
      ['c', 'U'],
      ['m', 'U'],
      ['r', 'OWN'],
    ] as const) {
      const here = setUp()
      const fence = await owned(here, { mode, leaseMs: FORCE_EXPIRED })
      await sleep(5)
      const reply = await here.claim('token-2', { mode })
      expect(reply.tag).toBe(tag)
      if (reply.tag === 'U') {
        expect(reply).toMatchObject({ fence, attempt: 1, payload: '{"m":{"a":1},"r":"lapsed"}' })
        expect(await here.stored()).toMatchObject({ state: 'in-doubt', token: 'token-1' })
        const stored = await redis.get(here.record)
        expect(await here.claim('token-3', { mode })).toMatchObject({ tag: 'U', counter: 0 })
        expect(await redis.get(here.record)).toBe(stored)
      } else if (reply.tag === 'OWN') {
        expect(reply).toMatchObject({ how: 'takeover', attempt: 2 })
        expect(reply.fence).toBeGreaterThan(fence)
      }
    }
  })

  test('the stricter of the stored and the given mode holds and stays', async () => {
    const here = setUp()
    await owned(here, { mode: 'm', leaseMs: FORCE_EXPIRED })
    await sleep(5)
    expect(await here.claim('token-2', { mode: 'r' })).toMatchObject({ tag: 'U', mode: 'manual' })
    const there = setUp()
    await owned(there, { mode: 'r', leaseMs: FORCE_EXPIRED })
    await sleep(5)
    expect(await there.claim('token-2', { mode: 'm' })).toMatchObject({ tag: 'U', mode: 'manual' })
    expect(await there.stored()).toMatchObject({ mode: 'manual' })
    expect(await redis.pttl(there.record)).toBe(-1)
  })

  test('a claim after its caller left is LATE, a token that ended is ENDED; neither writes', async () => {
    const here = setUp()
    const late = await here.claim('token-1', { notAfter: 1 })
    expect(late).toMatchObject({ tag: 'LATE', counter: 0 })
    expect(await redis.exists(here.record, here.bucket)).toBe(0)
    const fence = await owned(here)
    await here.finish('token-1', fence, { to: 'N', payload: '{}' })
    const stored = await redis.get(here.record)
    expect(await here.claim('token-1')).toMatchObject({ tag: 'ENDED', state: 'not-run', counter: 0 })
    expect(await redis.get(here.record)).toBe(stored)
  })

  test('another fingerprint is MISMATCH in every state but not-run, and - compares nothing', async () => {
    const here = setUp()
    const fence = await owned(here)
    expect(await here.claim('token-2', { fp: 'fp-2' })).toMatchObject({ tag: 'MISMATCH', state: 'running' })
    expect(await here.claim('token-2', { fp: '-' })).toMatchObject({ tag: 'BUSY' })
    await here.finish('token-1', fence, { to: 'U', payload: '{}' })
    expect(await here.claim('token-2', { fp: 'fp-2' })).toMatchObject({ tag: 'MISMATCH', state: 'in-doubt' })
    await here.finish('token-1', fence, { to: 'N', payload: '{}' })
    expect(await here.claim('token-2', { fp: 'fp-2' })).toMatchObject({ tag: 'OWN', how: 'retry', attempt: 2 })
  })
})

describe('renew', () => {
  test('moves the lease and the settle time of the own claim, and puts back one the store lost', async () => {
    const here = setUp()
    const fence = await owned(here, { leaseMs: 1000 })
    const before = await here.stored()
    expect(await here.renew('token-1', fence)).toMatchObject({ tag: 'OK', how: 'renewed' })
    expect(await here.renew('token-1', fence)).toMatchObject({ tag: 'OK', how: 'renewed' })
    const after = await here.stored()
    expect(after.leaseEndsAtMs).toBeGreaterThan(before.leaseEndsAtMs)
    expect(after.settlesAtMs).toBe(after.leaseEndsAtMs + CLAIM.settleMs)
    await redis.del(here.record, here.bucket)
    expect(await here.renew('token-1', fence)).toMatchObject({ tag: 'OK', how: 'recreated' })
    expect(await here.stored()).toMatchObject({
      state: 'running',
      token: 'token-1',
      fence,
      attempt: 1,
      payload: '{"m":{"a":1}}',
    })
    expect(await redis.zrange(here.bucket, '0', '-1')).toContain(here.member)
  })

  test('is LOST to a foreign token, another fence and a closed record, and writes nothing then', async () => {
    const here = setUp()
    const fence = await owned(here)
    const stored = await redis.get(here.record)
    expect(await here.renew('token-2', fence)).toMatchObject({ tag: 'LOST', state: 'running', counter: 0 })
    expect(await here.renew('token-1', fence - 1)).toMatchObject({ tag: 'LOST' })
    expect(await redis.get(here.record)).toBe(stored)
    await here.finish('token-1', fence)
    expect(await here.renew('token-1', fence)).toMatchObject({ tag: 'LOST', state: 'done' })
  })
})

describe('finish', () => {
  test('closes the own claim with a TTL and takes it off the open list; again says again', async () => {
    const here = setUp()
    const fence = await owned(here)
    expect(await here.finish('token-1', fence)).toMatchObject({ tag: 'OK', how: 'first' })
    expect(await here.finish('token-1', fence)).toMatchObject({ tag: 'OK', how: 'again' })
    const ttl = await redis.pttl(here.record)
    expect(ttl).toBeGreaterThan(0)
    expect(ttl).toBeLessThanOrEqual(60_000)
    expect(await redis.zrange(here.bucket, '0', '-1')).toEqual(['#'])
    expect(await here.claim('token-2')).toMatchObject({
      tag: 'D',
      fence,
      attempt: 1,
      by: 'executor',
      payload: '{"v":1}',
      counter: 0,
    })
  })

  test('is late after a lapse, overturns an own "not run", recreates an absent record', async () => {
    const late = setUp()
    const fence = await owned(late, { leaseMs: FORCE_EXPIRED })
    await sleep(5)
    expect(await late.finish('token-1', fence)).toMatchObject({ how: 'late' })
    const overturned = setUp()
    const second = await owned(overturned)
    await overturned.finish('token-1', second, { to: 'N', payload: '{}' })
    expect(await overturned.finish('token-1', second)).toMatchObject({ how: 'overturned' })
    expect((await overturned.stored()).state).toBe('done')
    const absent = setUp()
    const third = await owned(absent)
    await redis.del(absent.record, absent.bucket)
    expect(await absent.finish('token-1', third)).toMatchObject({ how: 'recreated' })
    expect(await absent.stored()).toMatchObject({ state: 'done', fence: third, attempt: 1, fingerprint: 'fp-1' })
  })

  test('after a takeover changes nothing but conflicts, counted once per token', async () => {
    const here = setUp()
    const fence = await owned(here, { mode: 'r', leaseMs: FORCE_EXPIRED })
    await sleep(5)
    const taken = await here.claim('token-2', { mode: 'r' })
    expect(taken.tag).toBe('OWN')
    expect(await here.finish('token-1', fence, { mode: 'r' })).toMatchObject({ tag: 'SUPERSEDED', state: 'running' })
    expect(await here.finish('token-1', fence, { mode: 'r' })).toMatchObject({ tag: 'SUPERSEDED', counter: 0 })
    expect(await here.stored()).toMatchObject({ state: 'running', token: 'token-2', conflicts: 1 })
    expect(await redis.pttl(here.record)).toBeGreaterThan(0)
    expect(await here.finish('token-1', fence, { mode: 'r', to: 'N', payload: '{}' })).toMatchObject({
      tag: 'SUPERSEDED',
      counter: 0,
    })
    expect((await here.stored()).conflicts).toBe(1)
  })

  test('of the own token on a record closed by evidence, lookup or a person is superseded without a conflict', async () => {
    const here = setUp()
    const fence = await owned(here)
    await here.decide('confirm', 'evidence', 'D')
    expect(await here.finish('token-1', fence)).toMatchObject({
      tag: 'SUPERSEDED',
      state: 'done',
      by: 'confirmed',
      payload: '{"v":3}',
      counter: 0,
    })
    expect(await here.stored()).toMatchObject({ conflicts: 0, payload: '{"v":3}' })
  })

  test('a doubt settles after a reported error from now, after a timeout from the end of the lease', async () => {
    const reported = setUp()
    const fence = await owned(reported)
    const reply = await reported.finish('token-1', fence, { to: 'U', payload: '{}', settled: 0 })
    expect(await reported.stored()).toMatchObject({
      state: 'in-doubt',
      settlesAtMs: reply.nowMs + 500,
      leaseEndsAtMs: reply.nowMs,
    })
    expect(await redis.pttl(reported.record)).toBe(-1)
    const timeout = setUp()
    const other = await owned(timeout)
    const before = await timeout.stored()
    await timeout.finish('token-1', other, { to: 'U', payload: '{}', settled: -1 })
    expect((await timeout.stored()).settlesAtMs).toBe(before.leaseEndsAtMs + 500)
    const marked = setUp()
    const third = await owned(marked)
    const ago = await marked.finish('token-1', third, { to: 'U', payload: '{}', settled: 200 })
    expect((await marked.stored()).settlesAtMs).toBe(ago.nowMs + 300)
  })
})

describe('finish of an unclear end that meets a lookup\'s "not run"', () => {
  /** Lapsed, then looked up: not run. */
  async function foundNotRun(): Promise<{ here: SetUp; fence: number }> {
    const here = setUp()
    const fence = await owned(here, { leaseMs: FORCE_EXPIRED, settleMs: 0 })
    await sleep(5)
    expect(await here.reconcile('r-1')).toMatchObject({ tag: 'RECON' })
    expect(await here.resolve('r-1', fence, 'N', '{}')).toMatchObject({ tag: 'OK' })
    await sleep(5)
    return { here, fence }
  }

  test('reopens it when the effect ended after the verdict, or too shortly before it', async () => {
    const { here, fence } = await foundNotRun()
    const unclear = { to: 'U', payload: '{}', settleMs: 60_000, settled: 1000 }
    expect(await here.finish('token-1', fence, unclear)).toMatchObject({ tag: 'OK', how: 'overturned' })
    expect((await here.stored()).state).toBe('in-doubt')
  })

  test('leaves it when the verdict came a settle time after the end: the reply of an earlier finish was lost', async () => {
    const { here, fence } = await foundNotRun()
    const unclear = { to: 'U', payload: '{}', settleMs: 100, settled: 1000 }
    expect(await here.finish('token-1', fence, unclear)).toMatchObject({ tag: 'OK', how: 'again' })
    expect((await here.stored()).state).toBe('not-run')
  })
})

describe('abandon', () => {
  test('ends the own claim, or leaves the token as ended for 5 minutes, so that the ghost claim meets ENDED', async () => {
    const owning = setUp()
    await owned(owning)
    expect(await owning.abandon('token-1')).toMatchObject({ tag: 'OK' })
    expect((await owning.stored()).state).toBe('not-run')
    const absent = setUp()
    await absent.abandon('token-1')
    await absent.abandon('token-1')
    const ttl = await redis.pttl(absent.record)
    expect(ttl).toBeGreaterThan(290_000)
    expect(ttl).toBeLessThanOrEqual(300_000)
    expect(await absent.claim('token-1')).toMatchObject({ tag: 'ENDED' })
    expect(await absent.claim('token-2')).toMatchObject({ tag: 'OWN', how: 'retry', attempt: 1 })
  })

  test('does nothing to the claim of another token', async () => {
    const here = setUp()
    await owned(here)
    const stored = await redis.get(here.record)
    expect(await here.abandon('token-2')).toMatchObject({ tag: 'OK', counter: 0 })
    expect(await redis.get(here.record)).toBe(stored)
  })
})

describe('reconcile and resolve', () => {
  test('one reconciler at a time; a lapsed one is replaced and its verdict is stale', async () => {
    const here = setUp()
    const fence = await owned(here)
    expect(await here.reconcile('r-1')).toMatchObject({ tag: 'NO', state: 'running' })
    await here.finish('token-1', fence, { to: 'U', payload: '{"m":{"a":1},"r":"unclear"}' })
    expect(await here.reconcile('r-1', 60_000)).toMatchObject({
      tag: 'RECON',
      fence,
      was: 'in-doubt',
      payload: '{"m":{"a":1},"r":"unclear"}',
    })
    expect(await here.reconcile('r-2')).toMatchObject({ tag: 'NO', state: 'reconciling' })
    expect(await here.claim('token-2')).toMatchObject({ tag: 'U' })
    expect(await here.reconcile('r-1', 20)).toMatchObject({ tag: 'RECON', was: 'reconciling' })
    await sleep(30)
    expect(await here.reconcile('r-2')).toMatchObject({ tag: 'RECON' })
    expect(await here.resolve('r-1', fence, 'D')).toMatchObject({ tag: 'STALE', state: 'reconciling', counter: 0 })
    expect(await here.resolve('r-2', fence, 'D')).toMatchObject({ tag: 'OK', how: 'first' })
    expect(await here.resolve('r-2', fence, 'D')).toMatchObject({ tag: 'OK', how: 'again' })
    expect(await here.claim('token-3')).toMatchObject({ tag: 'D', by: 'lookup', payload: '{"v":2}' })
  })

  test('"not run" is EARLY before the settle time and stands after it; a doubt comes back when it said', async () => {
    const here = setUp()
    const fence = await owned(here, { settleMs: 600 })
    await here.finish('token-1', fence, { to: 'U', payload: '{"r":"unclear"}', settleMs: 600 })
    await here.reconcile('r-1')
    expect(await here.resolve('r-1', fence, 'N', '{}')).toMatchObject({ tag: 'EARLY', counter: 0 })
    expect(await here.resolve('r-1', fence, 'U', '', 5000)).toMatchObject({ tag: 'OK' })
    expect(await here.stored()).toMatchObject({ state: 'in-doubt', payload: '{"r":"unclear"}' })
    expect((await here.due()).members).toEqual([])
    expect((await here.open()).members).toContain(here.member)
    await sleep(620)
    await here.reconcile('r-2')
    expect(await here.resolve('r-2', fence, 'N', '{}')).toMatchObject({ tag: 'OK' })
    expect((await here.stored()).state).toBe('not-run')
  })

  test('a lapsed repeat claim becomes not run; a member whose record is closed or gone is dropped', async () => {
    const lapsed = setUp()
    await owned(lapsed, { mode: 'r', leaseMs: FORCE_EXPIRED })
    await sleep(5)
    expect((await lapsed.due()).members).toEqual([lapsed.member])
    expect(await lapsed.reconcile('r-1', 10_000, 'r')).toMatchObject({ tag: 'LAPSED', attempt: 1, token: 'token-1' })
    expect((await lapsed.stored()).state).toBe('not-run')
    const gone = setUp()
    await owned(gone)
    await redis.del(gone.record)
    expect(await gone.reconcile('r-1')).toMatchObject({ tag: 'NO', state: undefined })
    expect(await redis.zrange(gone.bucket, '0', '-1')).toEqual(['#'])
    expect(await gone.reconcile('r-1')).toMatchObject({ tag: 'NO', counter: 0 })
  })
})

describe('decide', () => {
  test('confirm creates, closes and overturns; final records and the same evidence are left as they are', async () => {
    const absent = setUp()
    expect(await absent.decide('confirm', 'e-1', 'D')).toMatchObject({ tag: 'OK', how: 'created' })
    const stored = await redis.get(absent.record)
    expect(await absent.decide('confirm', 'e-1', 'F')).toMatchObject({ how: 'again', counter: 0, record: stored })
    expect(await absent.decide('confirm', 'e-2', 'F')).toMatchObject({ how: 'again', counter: 0 })
    expect(await redis.get(absent.record)).toBe(stored)
    expect(await redis.pttl(absent.record)).toBeGreaterThan(0)
    const wrong = setUp()
    const fence = await owned(wrong)
    await wrong.finish('token-1', fence, { to: 'N', payload: '{}' })
    expect(await wrong.decide('confirm', 'e-1', 'D')).toMatchObject({ how: 'overturned' })
  })

  test('resolve needs force against a live lease and before the settle time, and never changes what is closed', async () => {
    const here = setUp()
    const fence = await owned(here)
    expect(await here.decide('resolve', 'o-1', 'D')).toMatchObject({ tag: 'REFUSED', state: 'running' })
    await here.finish('token-1', fence, { to: 'U', payload: '{}' })
    expect(await here.decide('resolve', 'o-2', 'N')).toMatchObject({ tag: 'REFUSED', state: 'in-doubt' })
    expect(await here.decide('resolve', 'o-3', 'N', 1)).toMatchObject({ tag: 'OK', how: 'first' })
    expect(await here.decide('resolve', 'o-3', 'N', 1)).toMatchObject({ tag: 'OK', how: 'again' })
    expect(await here.decide('resolve', 'o-4', 'D', 1)).toMatchObject({ tag: 'REFUSED', state: 'not-run', leftMs: 0 })
    expect(await setUp().decide('resolve', 'o-1', 'D')).toMatchObject({ tag: 'NONE' })
  })

  test('release frees a failed record, a done one with force, and shuts the old token out', async () => {
    const failed = setUp()
    const fence = await owned(failed)
    expect(await failed.decide('release', 'o-0', 'N', 1)).toMatchObject({ tag: 'REFUSED', state: 'running' })
    await failed.finish('token-1', fence, { to: 'F', payload: '{"f":{}}' })
    expect(await failed.decide('release', 'o-1', 'N')).toMatchObject({ tag: 'OK', how: 'first' })
    const released = await redis.get(failed.record)
    expect(await failed.decide('release', 'o-1', 'N')).toMatchObject({ tag: 'OK', how: 'again' })
    expect(await failed.decide('release', 'o-2', 'N', 1)).toMatchObject({ tag: 'REFUSED', state: 'not-run', leftMs: 0 })
    expect(await redis.get(failed.record)).toBe(released)
    expect(await failed.finish('token-1', fence)).toMatchObject({ tag: 'SUPERSEDED', state: 'not-run' })
    const next = await failed.claim('token-2')
    expect(next).toMatchObject({ tag: 'OWN', how: 'retry' })
    expect('fence' in next && next.fence).toBeGreaterThan(fence)
    const done = setUp()
    await done.finish('token-1', await owned(done))
    expect(await done.decide('release', 'o-1', 'N')).toMatchObject({ tag: 'REFUSED', state: 'done' })
    expect(await done.decide('release', 'o-1', 'N', 1)).toMatchObject({ tag: 'OK' })
  })
})

describe('the store as a whole', () => {
  test('fences rise over takeover, verdict, expiry and DEL [claim 12]', async () => {
    const here = setUp()
    const fences: number[] = []
    const grant = async (token: string, over: Partial<typeof CLAIM> = {}): Promise<number> => {
      const reply = await here.claim(token, { mode: 'r', ...over })
      if (reply.tag !== 'OWN') throw new Error(reply.tag)
      fences.push(reply.fence)
      return reply.fence
    }
    await grant('t-1', { leaseMs: FORCE_EXPIRED })
    await sleep(3)
    const second = await grant('t-2')
    await here.finish('t-2', second, { mode: 'r', to: 'N', payload: '{}' })
    const third = await grant('t-3')
    await here.finish('t-3', third, { mode: 'r', keepMs: '10' })
    await sleep(30)
    expect(await redis.exists(here.record)).toBe(0)
    await grant('t-4')
    await redis.del(here.record, here.bucket)
    await grant('t-5')
    expect(fences).toEqual([...fences].sort((a, b) => a - b))
    expect(new Set(fences).size).toBe(5)
  })

  test('every write raises the counter and returns it; replays, BUSY, doubt and refusals leave it alone', async () => {
    const here = setUp()
    const detector = createLossDetector()
    const writes: (() => Promise<{ counter: number }>)[] = []
    let fence = 0
    writes.push(async () => {
      const reply = await here.claim('token-1')
      if (reply.tag === 'OWN') fence = reply.fence
      return reply
    })
    writes.push(() => here.claim('token-1'))
    writes.push(() => here.renew('token-1', fence))
    writes.push(() => here.finish('token-1', fence, { to: 'U', payload: '{}' }))
    writes.push(() => here.reconcile('r-1'))
    writes.push(() => here.resolve('r-1', fence, 'U', ''))
    writes.push(() => here.finish('token-1', fence))
    writes.push(() => here.finish('token-1', fence))
    writes.push(() => here.loss())
    let last = 0
    for (const write of writes) {
      const mark = detector.mark('b')
      const { counter } = await write()
      expect(counter).toBe(await here.counter())
      if (last > 0) expect(counter).toBe(last + 4096)
      last = counter
      expect(detector.check('b', mark, counter)).toBe(false)
    }
    expect(last % 4096).toBeGreaterThan(0)
    expect((await here.claim('token-9')).counter).toBe(0)
    expect((await here.renew('token-9', 1)).counter).toBe(0)
    expect(await here.counter()).toBe(last)
  })

  test('a loss mark is told to every grant of the bucket', async () => {
    const here = setUp()
    await here.loss()
    const reply = await here.claim('token-1')
    expect(reply.tag === 'OWN' && reply.lossAgeMs).toBeGreaterThanOrEqual(0)
    expect((await here.due()).members).toEqual([])
  })

  test('a wrong type of record or bucket is refused before anything is written', async () => {
    const wrongRecord = setUp()
    await redis.lpush(wrongRecord.record, 'x')
    const wrongBucket = setUp()
    await redis.set(wrongBucket.bucket, 'x')
    for (const here of [wrongRecord, wrongBucket]) {
      const calls = [
        here.claim('t'),
        here.renew('t', 1),
        here.finish('t', 1),
        here.abandon('t'),
        here.decide('confirm', 'e', 'D'),
      ]
      for (const call of calls) {
        expect(await rejection(call)).toMatchObject({ code: 'ERR_REDIS_REFUSED', redisCode: 'WRONGTYPE' })
      }
    }
    expect(await redis.exists(wrongRecord.bucket)).toBe(0)
    expect(await redis.exists(wrongBucket.record)).toBe(0)
    for (const call of [wrongRecord.reconcile('r'), wrongRecord.resolve('r', 1, 'D'), wrongRecord.read()]) {
      expect(await rejection(call)).toMatchObject({ redisCode: 'WRONGTYPE' })
    }
    for (const call of [wrongBucket.due(), wrongBucket.open(), wrongBucket.loss(), wrongBucket.reconcile('r')]) {
      expect(await rejection(call)).toMatchObject({ redisCode: 'WRONGTYPE' })
    }
  })

  test('a record of another version is FORMAT for every script and stays as it is', async () => {
    const here = setUp()
    await redis.set(here.record, '2|something else')
    const replies = [
      await here.claim('t'),
      await here.renew('t', 1),
      await here.finish('t', 1),
      await here.abandon('t'),
      await here.reconcile('r'),
      await here.resolve('r', 1, 'D'),
      await here.decide('resolve', 'o', 'D'),
    ]
    expect(replies.map(reply => reply.tag)).toEqual(Array.from({ length: 7 }, () => 'FORMAT'))
    expect(await redis.get(here.record)).toBe('2|something else')
    expect(await redis.exists(here.bucket)).toBe(0)
  })

  test('every script is found again after SCRIPT FLUSH', async () => {
    const here = setUp()
    const flush = () => redis.script('FLUSH')
    await flush()
    const fence = await owned(here)
    const calls = [
      () => here.renew('token-1', fence),
      () => here.finish('token-1', fence, { to: 'U', payload: '{}' }),
      () => here.reconcile('r-1'),
      () => here.resolve('r-1', fence, 'U', ''),
      () => here.decide('confirm', 'e', 'D'),
      () => here.abandon('token-9'),
      () => here.due(),
      () => here.open(),
      () => here.loss(),
      () => here.read(),
    ]
    for (const call of calls) {
      await flush()
      expect((await call()).tag).toMatch(/^(OK|RECON)$/)
    }
  })

  test('a payload of any text, up to a mebibyte, comes back as it was', async () => {
    for (const value of ['|1|2|3|', '\n\r\0', '{"a":"b"}', '💰'.repeat(50), 'x'.repeat(1_048_576)]) {
      const here = setUp()
      const fence = await owned(here)
      const payload = JSON.stringify({ v: value })
      await here.finish('token-1', fence, { payload })
      expect(await here.claim('token-2')).toMatchObject({ tag: 'D', payload })
    }
  })
})
