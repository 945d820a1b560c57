import { globSync } from 'node:fs'
import { basename, join } from 'node:path'

import { Cluster, Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'

import { explain } from '../src/cli/explain.ts'
import { evidence, evidenceFor } from '../src/evidence.ts'
import { catalogue, lintClient } from '../src/index.ts'
import type { RedisClient } from '../src/index.ts'
import { DEFECTS } from '../src/known-defects.ts'
import { versions as installed } from './pitfalls/pitfall.ts'
import { rows } from './pitfalls/rows.ts'

const versions = [...new Set(evidence.map(({ version }) => version))]

describe('the evidence', () => {
  test('was measured on both ends of the peer range, as they are installed', () => {
    expect(versions).toEqual(expect.arrayContaining(installed.map(({ version }) => version)))
    expect(versions.map(version => version.split('.').slice(0, 2).join('.'))).toContain('5.11')
    expect(versions.some(version => version.startsWith('6.'))).toBe(true)
  })

  test('holds a row for every client check, on every version', () => {
    const ids = catalogue.filter(({ group }) => group === 'client').map(({ id }) => id)
    const without = ids.flatMap(id =>
      versions
        .filter(version => !evidenceFor(id).some(row => row.version === version))
        .map(version => `${id} on ioredis ${version}`),
    )
    expect(without).toEqual([])
  })

  test('is that of the pitfalls: pnpm pitfalls was run', () => {
    const expected = Object.entries(rows).flatMap(([row, { harm, checks }]) =>
      versions.map(version => ({ version, row, harm, checks })),
    )
    expect(evidence.map(({ version, row, harm, checks }) => ({ version, row, harm, checks }))).toEqual(expected)
    expect(evidence.filter(({ figure }) => figure === '')).toEqual([])
  })

  test('has a test file for every pitfall, and names only checks that exist', () => {
    const folder = join(import.meta.dirname, 'pitfalls')
    const files = globSync('*.redis.test.ts', { cwd: folder }).map(file => basename(file, '.redis.test.ts'))
    expect(files.sort()).toEqual(Object.keys(rows).sort())
    const ids = new Set(catalogue.map(({ id }) => id))
    expect(evidence.flatMap(({ checks }) => checks).filter(id => !ids.has(id))).toEqual([])
  })

  test('shows in the story of a check, with version and figure', () => {
    const story = explain('failover-detector')
    for (const { version, harm, figure } of evidenceFor('failover-detector')) {
      expect(story).toContain(`paused-old-master: ${harm}`)
      expect(story).toContain(`ioredis ${version}: ${figure}`)
    }
    // A check without a pitfall has none to show.
    expect(explain('memory-limit')).not.toContain('Measured')
  })
})

describe('client-version by the evidence', () => {
  const AWAY = { host: '127.0.0.1', port: 1, lazyConnect: true }
  const safe = {
    ...AWAY,
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    commandTimeout: 1000,
    maxRetriesPerRequest: 0,
  }
  const nodes = [{ host: '127.0.0.1', port: 1 }]
  const redisOptions = { commandTimeout: 1000, autoResendUnfulfilledCommands: false }
  /** The least unsafe client that has the defect. */
  const clients: Record<string, () => RedisClient> = {
    'redis/ioredis#2193': () => new Redis({ ...AWAY, autoResendUnfulfilledCommands: false, enableOfflineQueue: false }),
    'redis/ioredis#2197': () => new Redis({ ...AWAY, enableOfflineQueue: false }),
    'redis/ioredis#2130': () => new Redis({ ...safe, enableOfflineQueue: true }),
    'redis/ioredis#1604': () => new Cluster(nodes, { lazyConnect: true, enableOfflineQueue: true, redisOptions }),
  }
  const observed = (redis: RedisClient, ioredisVersion: string): { level?: string; observed?: string } => {
    const result = lintClient(redis, { role: 'effect', ioredisVersion }).find(({ id }) => id === 'client-version')
    redis.disconnect()
    return { level: result?.level ?? '-', observed: result?.observed ?? '-' }
  }

  test.each(DEFECTS.map(defect => ({ ...defect })))(
    '$issue warns on every version that showed it',
    ({ issue, row }) => {
      const make = clients[issue]
      if (make === undefined) throw new Error(`no client with ${issue}`)
      const shown = evidence.filter(item => item.row === row)
      expect(shown.length).toBe(versions.length)
      for (const { version, checks, harm } of shown) {
        expect(checks).toContain('client-version')
        expect(harm).toContain(issue)
        const result = observed(make(), version)
        expect(result).toMatchObject({ level: 'warn' })
        expect(result.observed).toContain(issue)
        expect(observed(new Redis(safe), version)).toEqual({ level: 'pass', observed: `ioredis ${version}` })
      }
    },
  )

  test('a version on which nothing was measured is not accused', () => {
    for (const make of Object.values(clients)) expect(observed(make(), '6.999.0').level).toBe('pass')
  })
})
