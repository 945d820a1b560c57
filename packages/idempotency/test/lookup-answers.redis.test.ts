import { whenReady } from '@safety/redis-core'
import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'

import type { LookupAnswer, LookupContext } from '../src/index.ts'
import { eventually, instance, recordKeys, rejection, sleep } from './harness.ts'
import type { Instance } from './harness.ts'

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
  await whenReady(redis)
})
afterAll(() => server[Symbol.asyncDispose]())

/** An effect that always ends unclearly, so that its lookup is asked at once. */
function doubtful(here: Instance, lookup: (ctx: LookupContext) => unknown, settleMs = 0, name = 'pay') {
  return here.idem.define({
    name,
    key: (input: string) => input,
    memo: input => ({ order: input }),
    onBusy: 'reject',
    recovery: { mode: 'reconcile', settleMs, lookup: async ctx => lookup(ctx) as LookupAnswer<number> },
    run: (): number => {
      throw new Error('socket hang up')
    },
  })
}

function throwing(name: string): object {
  return Object.defineProperty({}, name, {
    enumerable: true,
    get: () => {
      throw new Error(`no ${name}`)
    },
  })
}

const NO_ANSWERS: Readonly<Record<string, unknown>> = {
  null: null,
  undefined,
  text: 'ran',
  number: 5,
  'no outcome': {},
  'an outcome that throws': throwing('outcome'),
  'a value that throws': Object.assign(throwing('value'), { outcome: 'ran' }),
  'a failure that throws': { outcome: 'failed', error: throwing('message') },
  'a retryAfterMs that throws': Object.assign(throwing('retryAfterMs'), { outcome: 'unknown' }),
}

describe('a lookup that answers what it must not counts as unknown [claim 16]', () => {
  test.for(Object.entries(NO_ANSWERS))('%s: IN_DOUBT, and the record stays in doubt', async ([, answer]) => {
    await using here = instance(redis)
    expect(await rejection(doubtful(here, () => answer)('k'))).toMatchObject({
      code: 'ERR_IDEMPOTENCY_IN_DOUBT',
      reason: 'unclear',
      cause: { message: 'socket hang up' },
    })
    expect(await here.idem.inspect('pay', 'k')).toMatchObject({ state: 'in-doubt', memo: { order: 'k' } })
  })

  test.for([1e300, Number.MAX_SAFE_INTEGER, 86_400_001])(
    'a retryAfterMs of %s is a day, and the doubt is given back',
    async retryAfterMs => {
      await using here = instance(redis)
      const doubt = await rejection(doubtful(here, () => ({ outcome: 'unknown', retryAfterMs }))('k'))
      expect(doubt).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT', retryAfterMs: 86_400_000 })
      expect((await here.idem.inspect('pay', 'k'))?.state).toBe('in-doubt')
    },
  )

  test('a value is read once', async () => {
    await using here = instance(redis)
    let reads = 0
    const answer = {
      outcome: 'ran',
      get value() {
        return (reads += 1)
      },
    }
    expect(await doubtful(here, () => answer)('k')).toMatchObject({ status: 'replayed', value: 1 })
    expect(reads).toBe(1)
  })
})

describe('a sweep goes on past a record that fails it', () => {
  const GOOD = 12

  /** Doubts of which one cannot be read, and the rest are found. */
  async function oneBroken(here: Instance) {
    let found = false
    const lookup = (): unknown => (found ? { outcome: 'ran', value: 1 } : { outcome: 'unknown', retryAfterMs: 0 })
    const bad = doubtful(here, lookup, 0, 'bad')
    await rejection(bad('k'))
    const [record = ''] = await recordKeys(redis, here.namespace)
    await redis.set(record, String(await redis.get(record)).replace(/\{.*$/, '{"m":'), 'KEEPTTL')
    const good = doubtful(here, lookup, 0, 'good')
    for (let index = 0; index < GOOD; index += 1) await rejection(good(`k${index}`))
    found = true
    return bad.effectIdOf('k')
  }

  async function resolved(here: Instance): Promise<number> {
    let count = 0
    for (let index = 0; index < GOOD; index += 1) {
      if ((await here.idem.inspect('good', `k${index}`))?.state === 'done') count += 1
    }
    return count
  }

  test('one sweep: the others are looked up, then it rejects and names the record', async () => {
    await using here = instance(redis)
    const effectId = await oneBroken(here)
    await using sweeper = here.idem.startSweeper({ intervalMs: 3_600_000, concurrency: 2 })
    const error = await rejection<Error>(sweeper.sweepOnce())
    expect(error.message).toContain(`effect bad (${effectId})`)
    expect(error.cause).toBeInstanceOf(SyntaxError)
    expect(await resolved(here)).toBe(GOOD)
  })

  test('on its timer: the others are looked up, the process is warned once, and the store is not said to be down', async () => {
    await using here = instance(redis)
    await oneBroken(here)
    const warn = vi.spyOn(process, 'emitWarning').mockReturnValue(undefined)
    try {
      {
        await using _sweeper = here.idem.startSweeper({ intervalMs: 10 })
        await eventually(() => warn.mock.calls.length > 0)
        await eventually(async () => (await resolved(here)) === GOOD)
      }
      expect(warn.mock.calls).toEqual([[expect.stringContaining('effect bad'), 'SafetyWarning']])
      expect(here.of('store-down')).toEqual([])
    } finally {
      warn.mockRestore()
    }
  })
})

describe('a doubt that its lookup cannot decide yet is reported like any other', () => {
  test('because the settle time is long', async () => {
    await using here = instance(redis)
    const effect = doubtful(here, () => ({ outcome: 'not-run' }), 3_600_000)
    await rejection(effect('k'))
    await using _sweeper = here.idem.startSweeper({ intervalMs: 20, stuckAfterMs: 1 })
    await eventually(() => here.of('doubt-stuck').length > 0)
    expect(here.of('doubt-stuck')).toMatchObject([{ effectId: effect.effectIdOf('k'), reason: 'unclear' }])
  })

  test('because it asked to be left alone: reported, by any process, and not asked again', async () => {
    await using here = instance(redis)
    await using other = instance(redis, { namespace: here.namespace })
    let looks = 0
    const lookup = (): unknown => {
      looks += 1
      return { outcome: 'unknown', retryAfterMs: 3_600_000 }
    }
    const effect = doubtful(here, lookup)
    doubtful(other, lookup)
    await rejection(effect('k'))
    expect(looks).toBe(1)
    await using _sweeper = other.idem.startSweeper({ intervalMs: 20, stuckAfterMs: 1 })
    await eventually(() => other.of('doubt-stuck').length > 0)
    expect(looks).toBe(1)
    expect(await here.idem.inspect('pay', 'k')).toMatchObject({
      state: 'in-doubt',
      reason: 'unclear',
      memo: { order: 'k' },
    })
    // A caller wants to know now.
    expect(await rejection(effect('k'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT', retryAfterMs: 3_600_000 })
    expect(looks).toBe(2)
  })

  test('is left alone until then, and asked after it with all it had', async () => {
    await using here = instance(redis)
    const asked: LookupContext[] = []
    const lookup = (ctx: LookupContext): unknown => {
      asked.push(ctx)
      return asked.length === 1 ? { outcome: 'unknown', retryAfterMs: 2500 } : { outcome: 'ran', value: 7 }
    }
    await rejection(doubtful(here, lookup)('k'))
    await using sweeper = here.idem.startSweeper({ intervalMs: 3_600_000 })
    await sleep(1100)
    expect(await sweeper.sweepOnce()).toMatchObject({ looked: 1, left: 1 })
    expect(asked).toHaveLength(1)
    await eventually(async () => (await sweeper.sweepOnce()).resolved === 1)
    expect(asked[1]).toMatchObject({ memo: { order: 'k' }, attempt: 1, effectId: asked[0]?.effectId })
    expect(await here.idem.inspect('pay', 'k')).toMatchObject({ state: 'done', source: 'lookup', value: 7 })
  })

  test('a later answer that names no time ends what an earlier one asked for', async () => {
    await using here = instance(redis)
    const answers: unknown[] = [{ outcome: 'unknown', retryAfterMs: 3_600_000 }, { outcome: 'not-run' }]
    const effect = doubtful(here, () => answers.shift() ?? { outcome: 'not-run' }, 300)
    for (let round = 0; round < 2; round += 1) {
      expect(await rejection(effect('k'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT' })
    }
    expect(answers).toEqual([])
    await using sweeper = here.idem.startSweeper({ intervalMs: 3_600_000 })
    await eventually(async () => (await sweeper.sweepOnce()).resolved === 1)
    expect(await here.idem.inspect('pay', 'k')).toMatchObject({ state: 'not-run', memo: { order: 'k' } })
  })
})
