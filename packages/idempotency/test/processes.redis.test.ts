import { whenReady } from '@safety/redis-core'
import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { LookupAnswer } from '../src/index.ts'
import { eventually, freshNamespace, instance, rejection, sleep } from './harness.ts'
import type { Instance } from './harness.ts'
import type { Job } from './worker.ts'
import { startWorker } from './worker-process.ts'

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
  await whenReady(redis)
})
afterAll(() => server[Symbol.asyncDispose]())

function jobFor(over: Partial<Job> = {}): Job {
  const namespace = freshNamespace()
  const times = { effectMs: 0, leaseMs: 500, settleMs: 100, storeBudgetMs: 5000 }
  return {
    url: server.url,
    namespace,
    key: 'a',
    mode: 'reconcile',
    callers: 1,
    ledger: `ledger:${namespace}`,
    ...times,
    ...over,
  }
}

/** A process that meets what the dead one left. */
function survivor(
  job: Job,
): Instance & { call: () => Promise<{ status: string; value: unknown }>; executions: () => number } {
  const here = instance(redis, { namespace: job.namespace })
  let executions = 0
  const effect = here.idem.define({
    name: 'worker',
    key: (input: string) => input,
    leaseMs: job.leaseMs,
    recovery:
      job.mode === 'reconcile'
        ? {
            mode: 'reconcile',
            settleMs: job.settleMs,
            lookup: async ({ effectId }): Promise<LookupAnswer<string>> => {
              const found = await redis.lrange(job.ledger, 0, -1)
              return found.includes(effectId) ? { outcome: 'ran', value: 'took place' } : { outcome: 'not-run' }
            },
          }
        : { mode: job.mode },
    run: async (_input, ctx) => {
      executions += 1
      await redis.rpush(job.ledger, ctx.effectId)
      return 'took place'
    },
  })
  return { ...here, call: () => effect(job.key), executions: () => executions }
}

/** Lets a worker die at a failpoint. */
async function die(job: Job & { killAt: string }): Promise<void> {
  await using worker = startWorker(job)
  expect(await worker.exited).toBe('SIGKILL')
  expect(worker.lines).toContainEqual({ killed: job.killAt })
}

/** A doubt whose effect took place: the state a reconciler meets. */
async function leaveDoubt(job: Job): Promise<void> {
  await using here = instance(redis, { namespace: job.namespace })
  const effect = here.idem.define({
    name: 'worker',
    key: (input: string) => input,
    recovery: { mode: 'reconcile', settleMs: job.settleMs, lookup: async () => ({ outcome: 'unknown' }) },
    run: async (_input, ctx) => {
      await redis.rpush(job.ledger, ctx.effectId)
      throw new Error('connection reset')
    },
  })
  expect(await rejection(effect(job.key))).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT' })
}

describe('many processes', () => {
  test('one of 50 callers in 5 processes runs, and all 50 get its value [claim 2]', async () => {
    const job = jobFor({ callers: 10, effectMs: 50, startKey: `start:${freshNamespace()}`, leaseMs: 10_000 })
    const workers = Array.from({ length: 5 }, () => startWorker(job))
    try {
      await eventually(() => workers.every(worker => worker.lines.some(line => line.ready)))
      await redis.set(job.startKey as string, '1')
      await Promise.all(workers.map(worker => worker.exited))
      const ended = workers.flatMap(worker => worker.lines).filter(line => line.status !== undefined)
      expect(ended).toHaveLength(50)
      expect(ended.filter(line => line.status === 'executed')).toHaveLength(1)
      expect(ended.every(line => line.value === 'took place')).toBe(true)
      expect(await redis.llen(job.ledger)).toBe(1)
    } finally {
      await Promise.all(workers.map(worker => worker[Symbol.asyncDispose]()))
    }
  })
})

describe.concurrent('a killed process', () => {
  const BEFORE_DISPATCH = ['before-claim', 'after-claim', 'before-effect']
  test.for(BEFORE_DISPATCH)('killed at %s: the effect runs once, in the next process [claim 14]', async place => {
    const job = jobFor()
    await die({ ...job, killAt: `idempotency:${place}` })
    expect(await redis.llen(job.ledger)).toBe(0)
    await using next = survivor(job)
    expect(await next.call()).toMatchObject({ status: 'executed', value: 'took place' })
    expect(next.executions()).toBe(1)
    expect(await redis.llen(job.ledger)).toBe(1)
  })

  test.for(['before-renew', 'after-renew'])(
    'killed in the effect at %s: doubt, looked up after the settle time, then run once [claim 14]',
    async place => {
      const job = jobFor({ effectMs: 5000 })
      await die({ ...job, killAt: `idempotency:${place}` })
      await using next = survivor(job)
      expect(await next.call()).toMatchObject({ status: 'executed', value: 'took place' })
      expect(next.of('reconciled')).toMatchObject([{ verdict: 'not-run' }])
      expect(await redis.llen(job.ledger)).toBe(1)
    },
  )

  test.for(['after-effect', 'before-finish'])(
    'killed at %s: doubt, the lookup finds the effect, nothing runs again [claim 14]',
    async place => {
      const job = jobFor()
      await die({ ...job, killAt: `idempotency:${place}` })
      expect(await redis.llen(job.ledger)).toBe(1)
      await using next = survivor(job)
      expect(await next.call()).toMatchObject({ status: 'replayed', source: 'lookup', value: 'took place' })
      expect(next.executions()).toBe(0)
      expect(await redis.llen(job.ledger)).toBe(1)
    },
  )

  test('killed at after-finish: the record replays [claim 14]', async () => {
    const job = jobFor()
    await die({ ...job, killAt: 'idempotency:after-finish' })
    await using next = survivor(job)
    expect(await next.call()).toMatchObject({ status: 'replayed', source: 'executor', value: 'took place' })
    expect(await redis.llen(job.ledger)).toBe(1)
  })

  test.for(['before-lookup', 'after-lookup', 'before-resolve'])(
    'a reconciler killed at %s is replaced once its own lease is over, and nothing runs again [claim 14]',
    async place => {
      const job = jobFor({ storeBudgetMs: 500 })
      await leaveDoubt(job)
      await die({ ...job, killAt: `idempotency:${place}` })
      await using next = survivor(job)
      expect((await next.idem.inspect('worker', job.key))?.state).toBe('reconciling')
      expect(await next.call()).toMatchObject({ status: 'replayed', source: 'lookup', value: 'took place' })
      expect(await redis.llen(job.ledger)).toBe(1)
    },
  )

  test('a reconciler killed at after-resolve left its verdict [claim 14]', async () => {
    const job = jobFor()
    await leaveDoubt(job)
    await die({ ...job, killAt: 'idempotency:after-resolve' })
    await using next = survivor(job)
    expect(await next.call()).toMatchObject({ status: 'replayed', source: 'lookup', value: 'took place' })
    expect(await redis.llen(job.ledger)).toBe(1)
  })

  test('after a kill a manual effect never reruns by itself: not by calls, not by sweeps, not by time [claim 15]', async () => {
    const job = jobFor({ mode: 'manual', leaseMs: 500 })
    await die({ ...job, killAt: 'idempotency:before-effect' })
    await using next = survivor(job)
    await using sweeper = next.idem.startSweeper({ intervalMs: 3_600_000 })
    await sleep(550)
    for (let round = 0; round < 3; round += 1) {
      // The call first: it is the one that meets the lapse.
      expect(await rejection(next.call())).toMatchObject({
        code: 'ERR_IDEMPOTENCY_IN_DOUBT',
        mode: 'manual',
        retryable: false,
      })
      await sweeper.sweepOnce()
      await sleep(50)
    }
    expect(next.executions()).toBe(0)
    const view = await next.idem.resolve('worker', job.key, {
      outcome: 'not-run',
      by: 'ann',
      why: 'the venue has no order',
    })
    expect(view).toMatchObject({ state: 'not-run', source: 'operator', by: 'ann', why: 'the venue has no order' })
    expect(await next.call()).toMatchObject({ status: 'executed' })
    expect(next.executions()).toBe(1)
  })

  test('an orphan is found by the sweeper of another process within lease and interval, and listed until then [claim 19]', async () => {
    const job = jobFor({ effectMs: 10_000 })
    await die({ ...job, killAt: 'idempotency:after-claim' })
    await using next = survivor(job)
    expect((await next.idem.inspect('worker', job.key))?.state).toBe('running')
    await using _sweeper = next.idem.startSweeper({ intervalMs: 50 })
    await eventually(async () => (await next.idem.inspect('worker', job.key))?.state === 'not-run')
    // Events arrive a turn later than what they tell of.
    await eventually(() => next.of('reconciled').length > 0)
    expect(next.of('reconciled')).toMatchObject([{ verdict: 'not-run', attempt: 1 }])
    expect(await redis.llen(job.ledger)).toBe(0)
  })
})
