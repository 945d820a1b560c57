import { createManualClock, startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { lowerTo, parseCaps, weightOfUnknown } from '../src/level.ts'
import { catalogue, checkRedis, formatReport, RedisChecksOptionsError } from '../src/index.ts'
import type { CheckOptions, Report } from '../src/index.ts'
import { configure, examine, levelOf, nodeId, PROFILES, resultOf } from './harness.ts'
import { junitErrors, sarifErrors } from './validators.ts'

const RANK = { pass: 0, info: 1, warn: 2, unknown: 3, fail: 4 }

describe('the report', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis({ args: ['--maxmemory-policy', 'volatile-lru'] })
  })
  afterAll(() => server[Symbol.asyncDispose]())

  test('each id of the catalogue is in results or skipped, in every profile [claim 28]', async () => {
    expect(catalogue.length).toBeGreaterThan(55)
    for (const profile of PROFILES) {
      for (const clientRole of ['effect', 'worker', 'subscriber', 'none'] as const) {
        const report = await examine(server, { profile, clientRole })
        const named = [...report.results, ...report.skipped].map(({ id }) => id)
        expect(named.sort()).toEqual(catalogue.map(({ id }) => id).sort())
      }
    }
  })

  test('caps hold for each check and profile [claim 29]', async () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...catalogue),
        fc.constantFrom(...PROFILES),
        fc.constantFrom('pass', 'info', 'warn', 'fail' as const),
        (entry, profile, level) => {
          const cap = entry.caps[profile]
          if (cap === 'off') return
          const lowered = lowerTo(level, cap)
          expect(RANK[lowered]).toBeLessThanOrEqual(RANK[cap])
          expect(RANK[lowered]).toBeLessThanOrEqual(RANK[level])
          for (const unknownAs of ['warn', 'fail'] as const) {
            expect(RANK[weightOfUnknown(cap, unknownAs)]).toBe(Math.min(RANK[cap], RANK[unknownAs]))
          }
        },
      ),
    )
    expect(parseCaps('FWI.')).toEqual({
      'idempotency.strict': 'fail',
      'idempotency.standard': 'warn',
      breaker: 'info',
      cache: 'off',
    })
    for (const profile of PROFILES) {
      for (const { id, level } of (await examine(server, { profile, clientRole: 'effect' })).results) {
        const cap = catalogue.find(entry => entry.id === id)?.caps[profile] ?? 'off'
        expect(level === 'unknown' || level === 'pass' || (cap !== 'off' && RANK[level] <= RANK[cap])).toBe(true)
      }
    }
  })

  test('an acknowledgement is applied, expired, refused or unused [claim 30]', async () => {
    const reason = 'known'
    const until = '2999-01-01T00:00:00Z'
    const report = await examine(server, {
      acknowledge: [
        { id: 'eviction-policy', node: nodeId(server), reason, until },
        { id: 'persistence', reason, until: '2020-01-01T00:00:00Z' },
        { id: 'loading', reason, until },
      ],
    })
    expect(report.acknowledgements.map(({ state }) => state)).toEqual(['applied', 'expired', 'unused'])
    expect(resultOf(report, 'eviction-policy')).toMatchObject({
      level: 'info',
      rawLevel: 'fail',
      acknowledged: { reason },
    })
    expect(levelOf(report, 'persistence')).toBe('fail')
    const strict = await examine(server, {
      profile: 'idempotency.strict',
      acknowledge: [{ id: 'eviction-policy', reason, until }],
    })
    expect(strict.acknowledgements).toEqual([{ id: 'eviction-policy', node: null, state: 'refused' }])
    expect(levelOf(strict, 'eviction-policy')).toBe('fail')
    // Its end counts by the given clock.
    const clock = createManualClock({ startMs: Date.parse('2999-01-02') })
    const later = await examine(server, { clock, acknowledge: [{ id: 'eviction-policy', reason, until }] })
    expect(later.acknowledgements[0]?.state).toBe('expired')
  })

  test('strict refuses to skip role, and unknown ids and options name their field [claim 31]', async () => {
    const fieldOf = async (options: object): Promise<string> => {
      const redis = server.client({ profile: 'checks' })
      const error = await checkRedis(redis, options as CheckOptions).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(RedisChecksOptionsError)
      expect(error).toMatchObject({ code: 'ERR_REDIS_CHECKS_OPTIONS', retryable: false })
      expect(redis.status).toBe('wait')
      return (error as RedisChecksOptionsError).field
    }
    expect(await fieldOf({ profile: 'idempotency.strict', skip: ['role'] })).toBe('skip')
    expect(await fieldOf({ profile: 'nobody' })).toBe('profile')
    expect(await fieldOf({ profile: 'cache', only: ['no-such-check'] })).toBe('only.0')
    expect(await fieldOf({ profile: 'cache', timeoutMs: 99 })).toBe('timeoutMs')
    expect(await fieldOf({ profile: 'cache', timoutMs: 500 })).toBe('timoutMs')
    const undated = [{ id: 'role', reason: 'x', until: 'tomorrow' }]
    expect(await fieldOf({ profile: 'cache', acknowledge: undated })).toBe('acknowledge.0.until')
    expect(levelOf(await examine(server, { skip: ['role'] }), 'loading')).toBe('pass')
  })

  test('JSON is lossless, and the shape of a report is fixed [claim 32]', async () => {
    const report = await examine(server, { clientRole: 'effect' })
    expect(JSON.parse(formatReport(report, 'json'))).toEqual(report)
    expect(Object.keys(report).sort()).toEqual(
      (
        'acknowledgements complete durationMs guarantees level nodes profile results schemaVersion skipped startedAt ' +
        'summary tool topology'
      ).split(' '),
    )
    expect(Object.keys(report.results[0] ?? {}).sort()).toEqual(
      'blocking data docs evidence expected group guarantees id level message node observed rawLevel remedy source'.split(
        ' ',
      ),
    )
    expect(Object.keys(report.nodes[0] ?? {}).sort()).toEqual(
      'counters id marker product reachable refused role runId version'.split(' '),
    )
    expect(report).toMatchObject({ schemaVersion: 1, tool: { name: '@safety/redis-checks' }, complete: true })
  })

  test('every report of a real server is valid JUnit and SARIF [claim 33]', async () => {
    const reports: Report[] = []
    for (const profile of PROFILES) reports.push(await examine(server, { profile, clientRole: 'effect' }))
    reports.push(await examine('redis://127.0.0.1:1'))
    expect(await junitErrors(...reports.map(report => formatReport(report, 'junit')))).toEqual([])
    for (const report of reports) {
      expect(sarifErrors(formatReport(report, 'sarif', { sarifFile: 'redis.conf' }))).toEqual([])
    }
  })

  test('results go fail, unknown, warn, info, pass, then by group, id and node', async () => {
    const order = ['fail', 'unknown', 'warn', 'info', 'pass']
    const { results } = await examine(server, { clientRole: 'effect' })
    const keys = results.map(({ level, group, id, node }) => `${order.indexOf(level)} ${group} ${id} ${node ?? ''}`)
    expect(keys).toEqual([...keys].sort())
  })

  test('a guarantee is broken by a fail, weakened by a warn, else not disproved', async () => {
    const report: Report = await examine(server)
    expect(report.guarantees['record-stays']).toBe('broken')
    await using good = await startRedis({ aof: 'everysec', args: ['--maxmemory', '100mb'] })
    const clean = await examine(good)
    expect(clean.guarantees['survives-crash']).toBe('not-disproved')
    await configure(good, { maxmemory: '0' })
    expect((await examine(good)).guarantees['answers-in-time']).toBe('weakened')
    await good.kill()
    const away = await examine(good)
    expect(new Set(Object.values(away.guarantees))).toEqual(new Set(['broken', 'unknown']))
  })
})
