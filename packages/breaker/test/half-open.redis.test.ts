import { startRedis, testKeyspace } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'

import { askAll, endFleet, endProcesses, mostAtOnce, pause, startFleet, statesOf, until } from './support/fleet.ts'
import type { Member } from './support/fleet.ts'

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

const allAre = (members: readonly Member[], wanted: string) => async (): Promise<boolean> =>
  (await statesOf(members)).every(state => state === wanted)

describe('recovery of a fleet', { timeout: 180_000 }, () => {
  test('half-open admits the configured probes fleet-wide', { timeout: 300_000 }, async () => {
    fleet = await startFleet(50, {
      url: server.url,
      prefix: testKeyspace().prefix,
      options: {
        expect: 50,
        windows: { long: { lengthMs: 60_000 } },
        coolOff: { baseMs: 500 },
        halfOpen: { successes: 10 },
      },
    })
    await askAll(fleet, 'calls', 1, 'down', 0)
    await until('all are open', allAre(fleet, 'open'), 60_000)
    await askAll(fleet, 'drive', 250, 'ok', 20)
    await until('all are closed', allAre(fleet, 'closed'), 60_000)
    const results = await askAll(fleet, 'halt')
    const probes = results.flatMap(result => result.probes)
    expect(mostAtOnce(probes)).toBe(1)
    expect(probes.length).toBeGreaterThanOrEqual(10)
    expect(results.flatMap(result => result.foreign)).toEqual([])
    const events = (await askAll(fleet, 'events')).flat().map(({ event }) => event)
    for (const type of ['opened', 'half-opened', 'closed'] as const) {
      const told = events.filter(event => event.type === type && event.scope === 'fleet')
      expect(
        told.filter(event => event.first),
        type,
      ).toHaveLength(new Set(told.map(event => event.epoch)).size)
    }
    expect(new Set((await askAll(fleet, 'snapshot')).map(snapshot => snapshot.epoch)).size).toBe(1)
  })

  test('a prober that dies is replaced within its lease and one call', async () => {
    const secret = 'half-open-test'
    const prefix = testKeyspace().prefix
    const options = {
      expect: 2,
      minimumCalls: 10,
      coolOff: { baseMs: 300 },
      halfOpen: { successes: 1, leaseMs: 1_000 },
    }
    const env = { SAFETY_FAILPOINTS: secret }
    const failpoints = { secret, stopAt: 'breaker:probe-granted' }
    const dying = await startFleet(1, { url: server.url, prefix, options, env, failpoints, named: 'dying' })
    const heir = await startFleet(1, { url: server.url, prefix, options, named: 'heir' })
    fleet = [...dying, ...heir]
    await askAll(fleet, 'calls', 5, 'down', 0)
    await until('all are open', allAre(fleet, 'open'))
    await pause(400)
    await expect(dying[0]?.ask('calls', 1, 'ok', 0)).rejects.toThrow('the process has ended')
    await until('the heir knows', async () => (await heir[0]?.ask('snapshot'))?.state === 'half-open')
    expect(await heir[0]?.ask('calls', 1, 'ok', 0)).toMatchObject({ rejected: 1 })
    await heir[0]?.ask('drive', 20, 'ok', 0)
    await until('the heir has closed it', allAre(heir, 'closed'))
  })

  test('a member whose probe fails lets the others go first', async () => {
    fleet = await startFleet(3, {
      url: server.url,
      prefix: testKeyspace().prefix,
      options: {
        expect: 3,
        minimumCalls: 10,
        coolOff: { baseMs: 300, factor: 1 },
        halfOpen: { successes: 1, leaseMs: 2_000 },
      },
    })
    await askAll(fleet, 'calls', 4, 'down', 0)
    await until('all are open', allAre(fleet, 'open'))
    const [bad, ...good] = fleet
    await pause(400)
    expect(await bad?.ask('calls', 1, 'down', 0)).toMatchObject({ failed: 1 })
    await until('it is open again', allAre(fleet, 'open'))
    await pause(400)
    expect(await bad?.ask('calls', 1, 'down', 0)).toMatchObject({ rejected: 1, failed: 0 })
    await askAll(good, 'drive', 20, 'ok', 0)
    await until('the good ones have closed it', allAre(fleet, 'closed'))
  })
})
