import { startRedis, testKeyspace } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'

import { askAll, endFleet, endProcesses, firstOf, pause, startFleet, statesOf, until } from './support/fleet.ts'
import type { FleetSetup, Member } from './support/fleet.ts'

let server: RedisServer
let fleet: Member[] = []

beforeAll(async () => {
  server = await startRedis()
})
afterAll(async () => {
  await endProcesses()
  await server[Symbol.asyncDispose]()
})
afterEach(async () => {
  await endFleet(fleet)
  fleet = []
})

async function start(count: number, setup: Partial<FleetSetup> = {}): Promise<Member[]> {
  fleet = await startFleet(count, { url: server.url, prefix: testKeyspace().prefix, ...setup })
  return fleet
}

// Starting processes takes its time on a busy machine.
describe('a fleet of processes opens as one', { timeout: 180_000 }, () => {
  test('10,000 closed calls send no command but heartbeats [claim 28]', async () => {
    const [member] = await start(1, { options: { expect: 1 } })
    await pause(300)
    const before = await commandsCalled()
    const results = await member?.ask('calls', 10_000, 'ok', 0)
    const after = await commandsCalled()
    expect(results).toMatchObject({ ok: 10_000, rejected: 0, foreign: [] })
    // At most two heartbeats can fall into it.
    expect(after.evalsha - before.evalsha).toBeLessThanOrEqual(2)
    expect(after.others - before.others).toBe(0)
  })

  test('10,000 rejected calls send no command but heartbeats', async () => {
    const [member] = await start(1, { options: { expect: 1, coolOff: { baseMs: 60_000 } } })
    await member?.ask('calls', 20, 'down', 0)
    await until('it is open', async () => (await member?.ask('snapshot'))?.scope === 'fleet')
    await pause(300)
    const before = await commandsCalled()
    const results = await member?.ask('calls', 10_000, 'ok', 0)
    const after = await commandsCalled()
    expect(results).toMatchObject({ ok: 0, rejected: 10_000, foreign: [] })
    expect(after.evalsha - before.evalsha).toBeLessThanOrEqual(2)
    expect(after.others - before.others).toBe(0)
  })

  test('a process without failures opens within 100 ms of the first [claim 29]', async () => {
    const members = await start(3, { options: { expect: 3, coolOff: { baseMs: 60_000 } } })
    const [first, second, quiet] = members
    await Promise.all([first?.ask('drive', 10, 'down', 0), second?.ask('drive', 10, 'down', 0)])
    await until('all are open', async () => (await statesOf(members)).every(state => state === 'open'))
    await Promise.all([first?.ask('halt'), second?.ask('halt')])
    const stamps = firstOf('opened', await askAll(members, 'events'))
    const fleetMoves = (await askAll(members, 'events')).map(events =>
      events.find(({ event }) => event.scope === 'fleet' && event.type === 'opened'),
    )
    expect(await quiet?.ask('snapshot')).toMatchObject({ totals: { ok: 0, failed: 0 }, scope: 'fleet' })
    const times = fleetMoves.map(stamped => stamped?.atMs ?? Infinity)
    expect((times[2] ?? Infinity) - Math.min(...times)).toBeLessThan(100)
    expect(stamps.every(stamped => stamped !== undefined)).toBe(true)
    expect(fleetMoves.filter(stamped => stamped?.event.first)).toHaveLength(1)
  })

  test('20 processes with 2 failures each open [claim 30]', async () => {
    const members = await start(20, { options: { expect: 20, windows: { long: { lengthMs: 60_000 } } } })
    await askAll(members, 'calls', 2, 'down', 0)
    await until('all are open', async () => (await statesOf(members)).every(state => state === 'open'))
    const snapshots = await askAll(members, 'snapshot')
    expect(new Set(snapshots.map(snapshot => snapshot.epoch)).size).toBe(1)
    expect(snapshots.every(snapshot => snapshot.scope === 'fleet' && snapshot.totals.failed === 2)).toBe(true)
  })

  test('one bad of 5 with 80 % of the traffic opens itself, not the fleet [claim 31]', async () => {
    const members = await start(5, { options: { expect: 5, coolOff: { baseMs: 60_000 } } })
    const [bad, ...good] = members
    await Promise.all([bad?.ask('drive', 10, 'down', 0), ...good.map(member => member.ask('drive', 160, 'ok', 0))])
    await until('the bad one is open', async () => (await bad?.ask('snapshot'))?.state === 'open')
    await pause(1_500)
    expect(await bad?.ask('snapshot')).toMatchObject({ state: 'open', scope: 'process' })
    expect(await statesOf(good)).toEqual(['closed', 'closed', 'closed', 'closed'])
    for (const member of good) expect(await member.ask('halt')).toMatchObject({ rejected: 0, failed: 0 })
  })

  test('when all opened by themselves the fleet opens too [claim 33]', async () => {
    // No pooled window can be met: only what the processes did by themselves counts.
    const windows = { long: { lengthMs: 60_000 }, fast: { lengthMs: 60_000, minimumCalls: 3, failureRatio: 1 } }
    const members = await start(3, { options: { expect: 3, windows, minimumCalls: 1_000_000 } })
    await askAll(members, 'calls', 3, 'down', 0)
    await until('the fleet is open', async () =>
      (await askAll(members, 'snapshot')).every(({ scope, state }) => scope === 'fleet' && state === 'open'),
    )
  })

  test('a wall clock an hour off in one process changes nothing [claim 4]', async () => {
    const members = await start(2, { options: { expect: 2, minimumCalls: 10, coolOff: { baseMs: 1_500, jitter: 0 } } })
    const [ahead, right] = members
    await ahead?.ask('shiftWallClock', 3_600_000)
    await askAll(members, 'calls', 10, 'down', 0)
    await until('both are open', async () => (await statesOf(members)).every(state => state === 'open'))
    await ahead?.ask('shiftWallClock', -3_600_000)
    const dues = (await askAll(members, 'snapshot')).map(snapshot => snapshot.dueInMs)
    expect(Math.abs((dues[0] ?? 0) - (dues[1] ?? Infinity))).toBeLessThan(500)
    await pause(1_600)
    await ahead?.ask('drive', 50, 'ok', 0)
    await right?.ask('drive', 50, 'ok', 0)
    await until('both are closed', async () => (await statesOf(members)).every(state => state === 'closed'))
  })
})

describe('orders reach the fleet', { timeout: 180_000 }, () => {
  const order = { by: 'ada', reason: 'incident 7', forMs: 60_000 }

  test('an order reaches every process in 100 ms by push, and exactly one says first [claims 27, 40]', async () => {
    const members = await start(5, { options: { expect: 5 } })
    // The first in a process compiles and opens; what counts is the way, not the start.
    await members[0]?.ask('force', 'disabled', { ...order, by: 'warm-up' })
    await members[0]?.ask('release', { by: 'warm-up', reason: 'done' })
    await pause(200)
    const receipt = await members[0]?.ask('force', 'open', order)
    expect(receipt).toMatchObject({ reach: 'fleet', state: 'forced-open', orders: [{ by: 'ada' }] })
    await until('all are forced open', async () => (await statesOf(members)).every(state => state === 'forced-open'))
    const sets = (await askAll(members, 'events')).map(events =>
      events.find(({ event }) => event.type === 'override-set' && event.order.by === 'ada'),
    )
    const times = sets.map(stamped => stamped?.atMs ?? Infinity)
    expect(Math.max(...times) - Math.min(...times)).toBeLessThan(100)
    expect(sets.filter(stamped => stamped?.event.first)).toHaveLength(1)
    const results = await askAll(members, 'calls', 1, 'ok', 0)
    expect(results.every(result => result.rejected === 1)).toBe(true)

    await members[3]?.ask('release', { by: 'eve', reason: 'wrong', holder: 'ada' })
    await until('all are closed', async () => (await statesOf(members)).every(state => state === 'closed'))
    const ends = (await askAll(members, 'events')).flatMap(events =>
      events.filter(({ event }) => event.type === 'override-ended' && event.order.by === 'ada'),
    )
    expect(ends).toHaveLength(5)
    expect(ends.filter(({ event }) => event.first)).toHaveLength(1)
    for (const { event } of ends) expect(event).toMatchObject({ how: 'released', by: 'eve', reason: 'wrong' })
  })

  test("history is the fleet's, whoever asks [claim 26]", async () => {
    const members = await start(2, { options: { expect: 2 } })
    await members[0]?.ask('force', 'open', { ...order, forMs: 1_000 })
    await until('the order has ended everywhere', async () => {
      const events = await askAll(members, 'events')
      return events.every(list => list.some(({ event }) => event.type === 'override-ended'))
    })
    const [here, there] = await askAll(members, 'history')
    expect(there).toEqual(here)
    expect((here as object[]).toReversed()).toMatchObject([
      { kind: 'ordered', by: 'ada', reason: 'incident 7', target: 'forced-open' },
      { kind: 'moved', from: 'closed', state: 'forced-open', why: 'forced', by: 'ada' },
      { kind: 'expired', by: 'ada', target: 'forced-open' },
      { kind: 'moved', from: 'forced-open', state: 'closed', why: 'override-expired' },
    ])
    expect(await statesOf(members)).toEqual(['closed', 'closed'])
  })

  test('an order ends everywhere by itself, and exactly one process tells it first [claims 24, 27]', async () => {
    const members = await start(3, { options: { expect: 3 } })
    await members[1]?.ask('force', 'disabled', { ...order, forMs: 2_000 })
    await until('it has ended everywhere', async () => {
      const events = await askAll(members, 'events')
      return ['override-ended', 'closed'].every(type =>
        events.every(list => list.some(({ event }) => event.type === type)),
      )
    })
    const all = await askAll(members, 'events')
    for (const type of ['override-set', 'forced', 'override-ended', 'closed']) {
      const told = all.map(events => events.filter(({ event }) => event.type === type))
      expect(
        told.map(list => list.length),
        type,
      ).toEqual([1, 1, 1])
      expect(
        told.flat().filter(({ event }) => event.first),
        type,
      ).toHaveLength(1)
    }
    await askAll(members, 'calls', 10, 'down', 0)
    await until('the next failures open it again', async () =>
      (await statesOf(members)).every(state => state === 'open'),
    )
  })
})

async function commandsCalled(): Promise<{ evalsha: number; others: number }> {
  const redis = server.client()
  await new Promise(resolve => redis.once('ready', resolve))
  const stats = await redis.info('commandstats')
  redis.disconnect()
  let evalsha = 0
  let others = 0
  for (const [, name = '', calls = '0'] of stats.matchAll(/cmdstat_([a-z|]+):calls=(\d+)/g)) {
    if (name === 'evalsha') evalsha += Number(calls)
    // What scripts call counts inside evalsha; what this reading itself sends is left out.
    else if (name === 'eval' || name === 'subscribe' || name === 'get') others += Number(calls)
  }
  return { evalsha, others }
}
