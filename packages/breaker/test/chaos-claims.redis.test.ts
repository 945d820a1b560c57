import { startRedis, testKeyspace } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { askAll, endFleet, endProcesses, mostAtOnce, pause, startFleet, statesOf, until } from './support/fleet.ts'
import type { Member } from './support/fleet.ts'
import type { CallResults, StampedEvent } from './support/member.ts'

// One life of a fleet under faults, held against the eight claims that chaos runs make about any breaker. Ramping is closed.
const MEMBERS = 4
const options = {
  expect: MEMBERS,
  coolOff: { baseMs: 4_000, factor: 1, jitter: 0 },
  halfOpen: { successes: 3 },
} as const

let server: RedisServer
let fleet: Member[] = []
const seen = {
  healthy: [] as CallResults[],
  statesWhenHealthy: [] as string[],
  outageMs: 0,
  openMs: 0,
  statesAfterLoss: [] as string[],
  closed: false,
  last: [] as CallResults[],
  events: [] as StampedEvent[][],
  totals: [] as { ok: number; failed: number; rejected: number }[],
}

const all = (state: string) => async (): Promise<boolean> => (await statesOf(fleet)).every(one => one === state)

beforeAll(async () => {
  server = await startRedis({ aof: 'everysec' })
  fleet = await startFleet(MEMBERS, { url: server.url, prefix: testKeyspace().prefix, options })
  await askAll(fleet, 'drive', 20, 'ok', 0)
  await pause(500)
  await server.kill()
  await pause(1_000)
  await server.restart()
  await pause(500)
  server.pause()
  await pause(700)
  server.resume()
  await pause(1_000)
  seen.healthy = await askAll(fleet, 'halt')
  seen.statesWhenHealthy = await statesOf(fleet)
  await until('Redis is back for all', async () => (await askAll(fleet, 'snapshot')).every(one => one.store === 'up'))

  await askAll(fleet, 'drive', 20, 'down', 0)
  const startMs = performance.now()
  await until('all are open', all('open'))
  seen.outageMs = performance.now() - startMs
  const redis = server.client()
  await new Promise(resolve => redis.once('ready', resolve))
  await redis.flushall()
  await pause(500)
  seen.statesAfterLoss = await statesOf(fleet)
  await askAll(fleet, 'health', 'ok')
  await until('all are closed', all('closed'), 40_000)
  seen.closed = true
  seen.last = await askAll(fleet, 'halt')
  seen.events = await askAll(fleet, 'events')
  seen.totals = (await askAll(fleet, 'snapshot')).map(({ totals }) => totals)
}, 120_000)
afterAll(async () => {
  await endFleet(fleet)
  await endProcesses()
  await server[Symbol.asyncDispose]()
})

describe('a fleet under faults [claim 42]', () => {
  test('B1: admitted at once while half-open are at most the probes', () => {
    const probes = seen.last.flatMap(result => result.probes)
    expect(probes.length).toBeGreaterThanOrEqual(options.halfOpen.successes)
    expect(mostAtOnce(probes)).toBe(1)
  })

  test('B2: once the failures satisfy the rule, all are open soon', () => {
    expect(seen.outageMs).toBeLessThan(10_000)
  })

  test('B3: with the service healthy again all are closed', () => {
    expect(seen.closed).toBe(true)
  })

  test('B4: without failures of the service nothing opens, whatever Redis does', () => {
    expect(seen.statesWhenHealthy).toEqual(Array.from({ length: MEMBERS }, () => 'closed'))
    expect(seen.healthy.map(result => result.rejected + result.failed)).toEqual(
      Array.from({ length: MEMBERS }, () => 0),
    )
  })

  test("B5: Redis away, decisions stay quick and its errors are never the service's", () => {
    const latencies = seen.healthy.flatMap(result => result.latenciesMs).toSorted((a, b) => a - b)
    expect(latencies.length).toBeGreaterThan(100)
    expect(latencies[Math.floor(latencies.length * 0.95)]).toBeLessThan(200)
    expect([...seen.healthy, ...seen.last].flatMap(result => result.foreign)).toEqual([])
  })

  test('B6: closed, open, half-open, then closed or open; epochs only grow', () => {
    const next: Record<string, string[]> = {
      closed: ['open', 'closed'],
      open: ['half-open', 'open'],
      'half-open': ['closed', 'open', 'half-open'],
    }
    for (const events of seen.events) {
      let epoch = 0
      for (const { event } of events) {
        if (!['opened', 'half-opened', 'ramped', 'closed'].includes(event.type)) continue
        const [from, to] = [event.previous, event.state].map(state => (state === 'ramping' ? 'closed' : state))
        expect(next[from as string], `${event.type} from ${from}`).toContain(to)
        expect(event.epoch).toBeGreaterThanOrEqual(epoch)
        epoch = event.epoch
      }
    }
  })

  test('B7: state lost while open is open again everywhere', () => {
    expect(seen.statesAfterLoss).toEqual(Array.from({ length: MEMBERS }, () => 'open'))
    expect(seen.events.flat().some(({ event }) => event.type === 'reseeded')).toBe(true)
  })

  test('B8: every call is in the totals exactly once, rejections included', () => {
    seen.totals.forEach((totals, n) => {
      const made = [seen.healthy[n], seen.last[n]]
      const sum = (pick: (results: CallResults) => number): number =>
        made.reduce((total, results) => total + (results === undefined ? 0 : pick(results)), 0)
      expect(totals.ok).toBe(sum(results => results.ok))
      expect(totals.failed).toBe(sum(results => results.failed))
      expect(totals.rejected).toBe(sum(results => results.rejected))
    })
  })
})
