import { createToken } from '@safety/redis-core'
import type { Keyspace, RedisClient } from '@safety/redis-core'
import { startRedis, testKeyspace } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { resolveOptions } from '../src/options.ts'
import type { BreakerOptions } from '../src/index.ts'
import { breakerKeys } from '../src/redis/keys.ts'
import { createRedisStore } from '../src/redis/redis-store.ts'
import type { BreakerStore, FlushRequest, StoreReply } from '../src/store.ts'
import { evenRandom } from './support/local-breaker.ts'

let server: RedisServer
let redis: Redis
let space: Keyspace
let keys: ReturnType<typeof breakerKeys>

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
  await new Promise(resolve => redis.once('ready', resolve))
})
afterAll(() => server[Symbol.asyncDispose]())
beforeEach(() => {
  space = testKeyspace()
  keys = breakerKeys(space, 'orders', false)
})

const DEADLINE_MS = 10_000
const quick: Partial<BreakerOptions> = {
  expect: 1,
  quorum: { min: 1 },
  coolOff: { baseMs: 200, jitter: 0 },
  ramp: false,
}

interface One {
  readonly store: BreakerStore
  readonly flush: (request?: Partial<FlushRequest>) => Promise<StoreReply>
  /** Reports failures until the report round is over, as the client does. */
  readonly fail: (count: number) => Promise<StoreReply>
}

function member(instance: string, options: Partial<BreakerOptions> = quick): One {
  const resolved = resolveOptions({ name: 'orders', redis, keyspace: space, instance, random: evenRandom, ...options })
  const store = createRedisStore(redis as RedisClient, resolved, createToken().slice(0, 6))
  let batch = 0
  let epoch = 0
  const flush = async (request: Partial<FlushRequest> = {}): Promise<StoreReply> => {
    batch += 1
    const plain: FlushRequest = {
      batch,
      epoch,
      state: 'closed',
      leftMs: 0,
      opens: 0,
      orders: [],
      proved: false,
      hint: false,
      active: true,
      failing: false,
      opened: false,
      long: [0, 0, 0],
      fast: [],
    }
    const reply = await store.flush({ ...plain, ...request }, DEADLINE_MS)
    epoch = Math.max(epoch, reply.epoch)
    return reply
  }
  return {
    store,
    flush,
    async fail(count) {
      const reply = await flush({ failing: true, long: [0, count, 0], fast: [[0, count, 0]] })
      return reply.code === 'confirm' ? flush({ failing: true }) : reply
    },
  }
}

async function openFleet(one: One): Promise<StoreReply> {
  await one.flush()
  const reply = await one.fail(20)
  expect(reply).toMatchObject({ code: 'adopt', state: 'open', moved: true })
  return reply
}

async function due(reply: StoreReply): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, reply.untilMs - reply.nowMs + 5))
}

const order = { id: 'o1', by: 'ada', reason: 'drill', target: 'forced-open', forMs: 60_000 } as const

describe('every script [claim 38]', () => {
  test('answers without any key', async () => {
    const { store, flush } = member('a')
    expect(await store.probe('t', 7, DEADLINE_MS)).toMatchObject({ code: 'lost' })
    expect(await store.result({ token: 't', epoch: 7, verdict: 'ok' }, DEADLINE_MS)).toMatchObject({ code: 'late' })
    expect(await store.force(order, DEADLINE_MS)).toMatchObject({ code: 'lost' })
    expect(await store.release({ id: 'r', holder: '*', by: 'ada', reason: 'x' }, DEADLINE_MS)).toMatchObject({
      code: 'lost',
    })
    expect(await store.history(100, DEADLINE_MS)).toEqual([])
    expect(await redis.keys(`${space.prefix}:*`)).toEqual([])
    expect(await flush()).toMatchObject({ code: 'counted', state: 'closed', epoch: 1, moved: false, counts: [1, 1, 0] })
  })

  test('is refused for a key of the wrong type, and writes nothing then', async () => {
    const { channel: _, ...names } = keys
    for (const key of Object.values(names)) {
      await redis.set(key, 'text')
      const { store, flush } = member('a')
      await expect(flush()).rejects.toMatchObject({ outcome: 'not-run', redisCode: 'WRONGTYPE' })
      const own = [names.stateKey, names.ordersKey, names.leasesKey, names.historyKey]
      if (own.includes(key)) {
        for (const run of [
          () => store.probe('t', 0, DEADLINE_MS),
          () => store.result({ token: 't', epoch: 0, verdict: 'ok' }, DEADLINE_MS),
          () => store.force(order, DEADLINE_MS),
          () => store.release({ id: 'r', holder: '*', by: 'ada', reason: 'x' }, DEADLINE_MS),
        ]) {
          await expect(run()).rejects.toMatchObject({ redisCode: 'WRONGTYPE' })
        }
      }
      if (key === names.historyKey)
        await expect(store.history(1, DEADLINE_MS)).rejects.toMatchObject({ redisCode: 'WRONGTYPE' })
      if (key === names.membersKey)
        await expect(store.probe('t', 0, DEADLINE_MS)).rejects.toMatchObject({ redisCode: 'WRONGTYPE' })
      expect(await redis.keys(`${space.prefix}:*`)).toEqual([key])
      await redis.del(key)
    }
  })

  test('run twice with the same arguments does what it does once, with SCRIPT FLUSH between', async () => {
    const one = member('a')
    const twice = async (run: () => Promise<StoreReply>): Promise<[StoreReply, StoreReply]> => {
      const first = await run()
      await redis.script('FLUSH')
      return [first, await run()]
    }
    await one.flush()
    await redis.script('FLUSH')
    const batch = { batch: 2, failing: true, long: [3, 4, 0], fast: [[3, 4, 0]] } as Partial<FlushRequest>
    await twice(() => one.flush(batch))
    expect(await pooled()).toEqual({ long: [3, 4, 0], fast: [3, 4, 0] })
    const opened = await openFleet(one)
    await due(opened)
    const [, granted] = await twice(() => one.store.probe('token', opened.epoch, DEADLINE_MS))
    expect(granted).toMatchObject({ code: 'granted', state: 'half-open', moved: false })
    expect(await redis.zcard(keys.leasesKey)).toBe(1)
    const [counted, late] = await twice(() =>
      one.store.result({ token: 'token', epoch: granted.epoch, verdict: 'ok' }, DEADLINE_MS),
    )
    expect([counted.code, late.code]).toEqual(['counted', 'late'])
    expect([counted.counts[0], late.counts[0]]).toEqual([1, 1])
    const [set, setAgain] = await twice(() => one.store.force(order, DEADLINE_MS))
    expect(setAgain).toMatchObject({ code: 'done', epoch: set.epoch, moved: false })
    expect(setAgain.orders).toEqual(set.orders)
    const release = { id: 'r1', holder: 'ada', by: 'bob', reason: 'over' }
    const [released, releasedAgain] = await twice(() => one.store.release(release, DEADLINE_MS))
    expect(released).toMatchObject({ ended: 1, moved: true, state: 'closed' })
    expect(releasedAgain).toMatchObject({ ended: 1, moved: false, epoch: released.epoch })
    const reset = { id: 'reset-1', target: 'closed', by: 'ada', reason: 'x', forMs: 0 } as const
    const [cleared, clearedAgain] = await twice(() => one.store.force(reset, DEADLINE_MS))
    expect(cleared).toMatchObject({ code: 'done', moved: true })
    expect(clearedAgain).toMatchObject({ code: 'done', moved: false, epoch: cleared.epoch })
    await redis.script('FLUSH')
    expect(await one.store.history(100, DEADLINE_MS)).not.toEqual([])
  })

  test('leaves no key without its time to live', async () => {
    const one = member('a')
    const opened = await openFleet(one)
    await due(opened)
    await one.store.probe('token', opened.epoch, DEADLINE_MS)
    await one.flush({ opened: true, failing: true })
    await one.store.force(order, DEADLINE_MS)
    await one.flush()
    const day = 86_400_000
    const longest: Record<string, number> = { [keys.historyKey]: 30 * day, [keys.leasesKey]: 4 * 30_000 }
    const all = await redis.keys(`${space.prefix}:*`)
    expect(all.length).toBeGreaterThanOrEqual(5)
    for (const key of all) {
      const ttl = await redis.pttl(key)
      expect(ttl, key).toBeGreaterThan(0)
      expect(ttl, key).toBeLessThanOrEqual(longest[key] ?? 8 * day)
    }
  })

  test('50 members take less than 6 kB while closed, history aside', async () => {
    for (let n = 0; n < 50; n += 1) {
      await member(createToken(), { ...quick, expect: 50, quorum: {} }).flush({ long: [10, 1, 0], fast: [[10, 1, 0]] })
    }
    let bytes = 0
    for (const key of await redis.keys(`${space.prefix}:*`)) bytes += Number(await redis.memory('USAGE', key))
    expect(bytes).toBeLessThan(6_000)
  })
})

async function pooled(): Promise<{ long: number[]; fast: number[] }> {
  const unpack = `local w = cmsgpack.unpack(redis.call('HGET', KEYS[1], 'w')) local out = {}
    for _, ring in ipairs({ w[3], w[4] }) do
      for j = 2, 4 do local sum = 0 for k = j, #ring, 4 do sum = sum + ring[k] end out[#out + 1] = sum end
    end return out`
  const sums = (await redis.eval(unpack, 1, keys.stateKey)) as number[]
  return { long: sums.slice(0, 3), fast: sums.slice(3) }
}

describe('flush', () => {
  test('a batch counts once however often it is sent, and another life of the process counts anew', async () => {
    const one = member('a', { ...quick, minimumCalls: 1_000, windows: { fast: { minimumCalls: 1_000 } } })
    await one.flush()
    await one.flush({
      batch: 9,
      long: [5, 0, 0],
      fast: [
        [2, 0, 0],
        [3, 0, 0],
      ],
    })
    await one.flush({
      batch: 9,
      long: [5, 0, 0],
      fast: [
        [2, 0, 0],
        [3, 0, 0],
      ],
    })
    expect(await pooled()).toEqual({ long: [5, 0, 0], fast: [5, 0, 0] })
    const reborn = member('a', { ...quick, minimumCalls: 1_000, windows: { fast: { minimumCalls: 1_000 } } })
    await reborn.flush({ batch: 1, long: [1, 0, 0] })
    expect((await pooled()).long).toEqual([6, 0, 0])
  })

  test('pooled evidence leaves the fast window after its length', async () => {
    const one = member('a', {
      ...quick,
      windows: { fast: { lengthMs: 100, minimumCalls: 1_000 } },
      minimumCalls: 1_000,
    })
    await one.flush({ long: [5, 0, 0], fast: [[5, 0, 0]] })
    await new Promise(resolve => setTimeout(resolve, 130))
    await one.flush()
    expect(await pooled()).toEqual({ long: [5, 0, 0], fast: [0, 0, 0] })
  })

  test('opens at exactly the ratio and the minimum of the pooled window', async () => {
    const options = { ...quick, failureRatio: 0.07, minimumCalls: 100, windows: { fast: false } } as const
    const one = member('a', options)
    await one.flush({ failing: true, long: [93, 6, 0] })
    expect(await one.flush({ failing: true })).toMatchObject({ code: 'counted' })
    expect(await one.flush({ failing: true, long: [0, 1, 0] })).toMatchObject({ code: 'confirm' })
    expect(await one.flush({ failing: true })).toMatchObject({ code: 'adopt', state: 'open' })
  })

  test('opens for slow calls alone', async () => {
    const one = member('a', { ...quick, slowCall: { thresholdMs: 100 }, windows: { fast: false } })
    await one.flush()
    await one.flush({ failing: true, long: [20, 0, 10] })
    expect(await one.flush({ failing: true })).toMatchObject({ state: 'open', move: { why: 'slow-ratio' } })
  })

  test('asks for fresh reports first, and waits 150 ms at most for who is silent', async () => {
    const [one, two] = [member('a', { ...quick, quorum: { min: 1 } }), member('b')]
    await one.flush()
    await two.flush()
    await new Promise(resolve => setTimeout(resolve, 2))
    expect(await one.flush({ failing: true, long: [0, 20, 0] })).toMatchObject({ code: 'confirm' })
    expect(await one.flush({ failing: true })).toMatchObject({ code: 'confirm' })
    await new Promise(resolve => setTimeout(resolve, 155))
    expect(await one.flush({ failing: true })).toMatchObject({ code: 'adopt', state: 'open' })
  })

  test('a healthy report in the round keeps the fleet closed', async () => {
    const [one, two] = [member('a', { ...quick, quorum: { min: 1 } }), member('b')]
    await one.flush()
    await two.flush()
    expect(await one.flush({ failing: true, long: [0, 20, 0] })).toMatchObject({ code: 'confirm' })
    expect(await two.flush({ long: [180, 0, 0], fast: [[180, 0, 0]] })).toMatchObject({ code: 'counted' })
    expect(await one.flush({ failing: true })).toMatchObject({ code: 'counted', state: 'closed' })
  })

  test('needs a quorum of those with calls, and all of them when there are fewer', async () => {
    const options: Partial<BreakerOptions> = { ...quick, expect: 8, quorum: { ratio: 0.25, min: 2 } }
    const fleet = Array.from({ length: 8 }, (_, n) => member(`m${n}`, options))
    for (const one of fleet) await one.flush()
    expect(await fleet[0]?.flush({ failing: true, long: [0, 50, 0] })).toMatchObject({ code: 'no-quorum' })
    expect(await fleet[1]?.flush({ failing: true, long: [0, 1, 0] })).toMatchObject({ code: 'confirm' })

    space = testKeyspace()
    keys = breakerKeys(space, 'orders', false)
    const alone = member('alone', { ...quick, expect: 0, quorum: { settleMs: 1 } })
    await alone.flush()
    await new Promise(resolve => setTimeout(resolve, 5))
    expect(await alone.fail(20)).toMatchObject({ state: 'open' })
  })

  test('the first reporter alone does not open it: by expect, and by settleMs [claim 32]', async () => {
    const expecting = member('a', { ...quick, expect: 10, quorum: {} })
    expect(await expecting.fail(100)).toMatchObject({ code: 'no-quorum' })
    space = testKeyspace()
    const settling = member('a', { ...quick, expect: 0, quorum: { settleMs: 60_000 } })
    expect(await settling.fail(100)).toMatchObject({ code: 'no-quorum' })
    space = testKeyspace()
    const settled = member('a', { ...quick, expect: 0, quorum: { settleMs: 1 } })
    await settled.flush()
    await new Promise(resolve => setTimeout(resolve, 5))
    expect(await settled.fail(100)).toMatchObject({ state: 'open' })
  })

  test('opens when enough members opened by themselves, whatever is pooled [claim 33]', async () => {
    const options: Partial<BreakerOptions> = { ...quick, expect: 4, quorum: {} }
    const fleet = Array.from({ length: 4 }, (_, n) => member(`m${n}`, options))
    for (const one of fleet) await one.flush()
    expect(await fleet[0]?.flush({ opened: true, failing: true })).toMatchObject({ code: 'counted' })
    await fleet[1]?.flush({ opened: true, failing: true })
    await fleet[2]?.flush({ opened: false })
    await fleet[3]?.flush({ opened: false })
    expect(await fleet[0]?.flush({ opened: true, failing: true })).toMatchObject({
      code: expect.stringMatching(/confirm|adopt/),
    })
    expect(await fleet[1]?.flush({ opened: true, failing: true })).toMatchObject({
      state: 'open',
      move: { why: 'members-open' },
    })
  })

  test('two shapes never mix: the first pools, the other is told [claim 41]', async () => {
    const first = member('a')
    const other = member('b', { ...quick, windows: { long: { buckets: 20 } } })
    await first.flush({ long: [3, 0, 0] })
    expect(await other.flush({ failing: true, long: [0, 100, 0] })).toMatchObject({
      code: 'other-config',
      state: 'closed',
    })
    expect((await pooled()).long).toEqual([3, 0, 0])
    expect(await other.flush({ failing: true })).toMatchObject({ code: 'other-config' })
  })

  test('the other shape takes over once the first has been silent for two windows', async () => {
    const first = member('a', { ...quick, windows: { long: { lengthMs: 1_000 } } })
    const other = member('b', { ...quick, windows: { long: { lengthMs: 1_000, buckets: 5 } } })
    await first.flush({ long: [3, 0, 0] })
    expect(await other.flush()).toMatchObject({ code: 'other-config' })
    await new Promise(resolve => setTimeout(resolve, 2_020))
    expect(await other.flush({ long: [1, 0, 0] })).toMatchObject({ code: 'counted' })
  })

  test('who knows re-seeds what Redis lost: state, time left, opens, orders', async () => {
    const one = member('a')
    const opened = await openFleet(one)
    await redis.del(...Object.values(keys))
    const seed = { state: 'open', leftMs: 5_000, opens: 3, orders: [] } as const
    const reply = await one.flush(seed)
    expect(reply).toMatchObject({ state: 'open', epoch: opened.epoch, opens: 3, reseeded: true, moved: false })
    expect(reply.untilMs - reply.nowMs).toBe(5_000)
    expect(await one.store.history(1, DEADLINE_MS)).toMatchObject([{ kind: 'reseeded', state: 'open' }])
    await redis.del(...Object.values(keys))
    const held = { id: 'o9', by: 'ada', reason: 'drill', target: 'disabled', at: 1, ends: Date.now() + 60_000 } as const
    const forced = await one.flush({ state: 'closed', orders: [held] })
    expect(forced).toMatchObject({ state: 'disabled', reseeded: true, moved: true, orders: [held] })
  })

  test('a newcomer never outranks a process that knows', async () => {
    const one = member('a')
    const opened = await openFleet(one)
    await redis.del(...Object.values(keys))
    expect(await member('newcomer').flush()).toMatchObject({ epoch: 1, state: 'closed', reseeded: false })
    expect(await one.flush({ state: 'open', leftMs: 1_000 })).toMatchObject({ epoch: opened.epoch, state: 'open' })
  })

  test('silent members are forgotten', async () => {
    await member('a').flush()
    await redis.zadd(keys.membersKey, Date.now() - 15_100, 'ghost')
    await redis.zadd(keys.openedKey, 1, 'ghost')
    await redis.hset(keys.batchesKey, 'ghost', 'run 1')
    expect(await member('a').flush()).toMatchObject({ counts: [1, 1, 0] })
    expect(await redis.zcard(keys.openedKey)).toBe(0)
    expect(await redis.hexists(keys.batchesKey, 'ghost')).toBe(0)
  })

  test('when the server clock went back, members and evidence start anew and no cool-off grows', async () => {
    const one = member('a')
    await one.flush({ long: [5, 0, 0] })
    await redis.hset(keys.stateKey, { ['at']: String(Date.now() + 3_600_000) })
    await redis.zadd(keys.membersKey, Date.now() + 3_600_000, 'ghost')
    expect(await one.flush({ long: [1, 0, 0] })).toMatchObject({ code: 'counted', counts: [1, 1, 0] })
    expect((await pooled()).long).toEqual([1, 0, 0])
    const opened = await openFleet(one)
    await redis.hset(keys.stateKey, { ['u']: String(Date.now() + 3_600_000) })
    expect(await one.store.probe('t', opened.epoch, DEADLINE_MS)).toMatchObject({ code: 'granted' })
  })

  test('a hint lapses, and what was proved while Redis was away closes', async () => {
    const one = member('a')
    await due(await openFleet(one))
    expect(await one.flush({ hint: true, state: 'open' })).toMatchObject({
      state: 'closed',
      move: { why: 'hint-lapsed' },
    })
    const again = await one.fail(20)
    await due(again)
    const proved = await one.flush({ proved: true, state: 'open' })
    expect(proved).toMatchObject({ state: 'closed', move: { why: 'proved-while-away' } })
    const [closed, halfOpen] = await one.store.history(2, DEADLINE_MS)
    expect([halfOpen?.state, closed?.state]).toEqual(['half-open', 'closed'])
  })
})

describe('probe and result', () => {
  test('grants as many leases as probes, and a denial renews none', async () => {
    const options: Partial<BreakerOptions> = { ...quick, halfOpen: { probes: 2, leaseMs: 400 } }
    const one = member('a', options)
    const opened = await openFleet(one)
    expect(await one.store.probe('t1', opened.epoch, DEADLINE_MS)).toMatchObject({ code: 'later', state: 'open' })
    await due(opened)
    const codes: string[] = []
    for (const token of ['t1', 't2', 't3']) codes.push((await one.store.probe(token, opened.epoch, DEADLINE_MS)).code)
    expect(codes).toEqual(['granted', 'granted', 'later'])
    const before = await redis.zrange(keys.leasesKey, '0', '-1', 'WITHSCORES')
    const denied = await one.store.probe('t4', opened.epoch, DEADLINE_MS)
    expect(denied.untilMs).toBe(Number(before[1]))
    expect(await redis.zrange(keys.leasesKey, '0', '-1', 'WITHSCORES')).toEqual(before)
    await due(denied)
    expect(await one.store.probe('t5', opened.epoch, DEADLINE_MS)).toMatchObject({ code: 'granted' })
    expect(await one.store.result({ token: 't1', epoch: opened.epoch, verdict: 'failed' }, DEADLINE_MS)).toMatchObject({
      code: 'late',
      state: 'half-open',
    })
  })

  test('who failed the last round lets others go first', async () => {
    const options: Partial<BreakerOptions> = { ...quick, halfOpen: { leaseMs: 300, successes: 1 } }
    const [bad, good] = [member('bad', options), member('good', options)]
    await good.flush()
    let reply = await openFleetOf(bad, good)
    await due(reply)
    await bad.store.probe('b1', reply.epoch, DEADLINE_MS)
    const halfOpen = await bad.flush()
    reply = await bad.store.result({ token: 'b1', epoch: halfOpen.epoch, verdict: 'failed' }, DEADLINE_MS)
    expect(reply).toMatchObject({ state: 'open', opens: 2 })
    await due(reply)
    expect(await bad.store.probe('b2', reply.epoch, DEADLINE_MS)).toMatchObject({ code: 'later', state: 'open' })
    expect(await good.store.probe('g1', reply.epoch, DEADLINE_MS)).toMatchObject({ code: 'granted' })
    expect(await bad.store.probe('b2', reply.epoch, DEADLINE_MS)).toMatchObject({ code: 'later', state: 'half-open' })
    const epoch = (await good.flush()).epoch
    expect(await good.store.result({ token: 'g1', epoch, verdict: 'ok' }, DEADLINE_MS)).toMatchObject({
      state: 'closed',
    })
  })

  test('a barred process probes all the same when no other one comes', async () => {
    const options: Partial<BreakerOptions> = { ...quick, halfOpen: { leaseMs: 100, successes: 1 } }
    const [bad, good] = [member('bad', options), member('good', options)]
    await good.flush()
    let reply = await openFleetOf(bad, good)
    await due(reply)
    await bad.store.probe('b1', reply.epoch, DEADLINE_MS)
    reply = await bad.store.result({ token: 'b1', epoch: (await bad.flush()).epoch, verdict: 'failed' }, DEADLINE_MS)
    await due(reply)
    const later = await bad.store.probe('b2', reply.epoch, DEADLINE_MS)
    expect(later.code).toBe('later')
    await due(later)
    expect(await bad.store.probe('b2', reply.epoch, DEADLINE_MS)).toMatchObject({ code: 'granted' })
  })

  test('a void verdict frees the slot and counts nothing; a late one changes nothing', async () => {
    const one = member('a', { ...quick, halfOpen: { successes: 1 } })
    const opened = await openFleet(one)
    await due(opened)
    const { epoch } = await one.store.probe('t1', opened.epoch, DEADLINE_MS)
    expect(await one.store.result({ token: 't1', epoch, verdict: 'void' }, DEADLINE_MS)).toMatchObject({
      code: 'counted',
      state: 'half-open',
      counts: [0, 0, 0],
    })
    expect(await one.store.result({ token: 't1', epoch, verdict: 'failed' }, DEADLINE_MS)).toMatchObject({
      code: 'late',
      state: 'half-open',
    })
  })

  test('ramps only from the rate at the trip on', async () => {
    for (const [minRate, ramps] of [
      [2, true],
      [2.1, false],
    ] as const) {
      space = testKeyspace()
      const one = member('a', { ...quick, ramp: { lengthMs: 5_000, minRate }, halfOpen: { successes: 1 } })
      const opened = await openFleet(one)
      await due(opened)
      const { epoch } = await one.store.probe('t', opened.epoch, DEADLINE_MS)
      const closed = await one.store.result({ token: 't', epoch, verdict: 'ok' }, DEADLINE_MS)
      expect(closed.untilMs - closed.nowMs === 5_000).toBe(ramps)
    }
  })
})

async function openFleetOf(bad: One, good: One): Promise<StoreReply> {
  const report = await bad.flush({ failing: true, long: [0, 20, 0], fast: [[0, 20, 0]] })
  expect(report.code).toBe('confirm')
  await good.flush()
  const reply = await bad.flush({ failing: true })
  expect(reply).toMatchObject({ state: 'open' })
  return reply
}

describe('orders', () => {
  test('forced-open beats disabled, each ends by itself, and the last end closes with opens 0', async () => {
    const one = member('a')
    await openFleet(one)
    await one.store.force({ ...order, id: 'o1', by: 'calendar', target: 'disabled', forMs: 400 }, DEADLINE_MS)
    const both = await one.store.force({ ...order, id: 'o2', forMs: 200 }, DEADLINE_MS)
    expect(both).toMatchObject({ state: 'forced-open' })
    expect(both.orders).toHaveLength(2)
    await new Promise(resolve => setTimeout(resolve, 210))
    expect(await one.flush()).toMatchObject({ state: 'disabled', ended: 1 })
    await new Promise(resolve => setTimeout(resolve, 210))
    expect(await one.flush()).toMatchObject({ state: 'closed', ended: 1, opens: 0, orders: [] })
  })

  test('a released order stays dead when a late copy of it arrives', async () => {
    const one = member('a')
    await one.flush()
    await one.store.force(order, DEADLINE_MS)
    await one.store.release({ id: 'r', holder: 'ada', by: 'ada', reason: 'over' }, DEADLINE_MS)
    expect(await one.store.force(order, DEADLINE_MS)).toMatchObject({ code: 'done', state: 'closed', orders: [] })
  })

  test('a 17th holder is refused, a released one makes room', async () => {
    const one = member('a')
    await one.flush()
    for (let n = 0; n < 16; n += 1) {
      expect(await one.store.force({ ...order, id: `o${n}`, by: `holder-${n}` }, DEADLINE_MS)).toMatchObject({
        code: 'done',
      })
    }
    const more = { ...order, id: 'o16', by: 'holder-16' }
    expect(await one.store.force(more, DEADLINE_MS)).toMatchObject({ code: 'full' })
    await one.store.release({ id: 'r', holder: 'holder-3', by: 'ada', reason: 'over' }, DEADLINE_MS)
    expect(await one.store.force(more, DEADLINE_MS)).toMatchObject({ code: 'done' })
  })

  test('texts of operators survive as they are', async () => {
    const one = member('a')
    await one.flush()
    const by = 'Ünï|{}:"\\\n’'
    const reason = '日本語 \u0000 %s'
    await one.store.force({ ...order, by, reason }, DEADLINE_MS)
    const [moved, ordered] = await one.store.history(2, DEADLINE_MS)
    expect(ordered).toMatchObject({ by, reason })
    expect(moved).toMatchObject({ by, reason })
  })

  test('history keeps 100 records', async () => {
    const one = member('a')
    await one.flush()
    for (let n = 0; n < 105; n += 1) {
      await one.store.force({ id: `r${n}`, target: 'closed', by: 'ada', reason: `${n}`, forMs: 0 }, DEADLINE_MS)
    }
    const records = await one.store.history(100, DEADLINE_MS)
    expect(records).toHaveLength(100)
    expect(records[0]).toMatchObject({ kind: 'moved', reason: '104' })
  })
})

test('names with braces, colons, bars and unicode never share a key', () => {
  const names = [
    'a:b',
    'a{b}',
    '{a}b',
    'a|b',
    'a b',
    'ä',
    'a\u0308',
    'a%3Ab',
    'A',
    'a',
    '~',
    '日本',
    'x'.repeat(200),
    'x'.repeat(199),
  ]
  const all = names.map(name => breakerKeys(space, name, false).stateKey)
  expect(new Set(all).size).toBe(names.length)
  expect(new Set(names.map(name => breakerKeys(space, name, true).stateKey)).size).toBe(names.length)
  for (const key of all) expect(key.match(/[{}]/g)).toEqual(['{', '}'])
})
