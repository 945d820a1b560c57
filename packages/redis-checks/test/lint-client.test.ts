import { connectRedis } from '@safety/redis-core'
import { Cluster, Redis } from 'ioredis'
import type { ClusterOptions, RedisOptions } from 'ioredis'
import { describe, expect, test } from 'vitest'

import { catalogue, lintClient } from '../src/index.ts'
import type { LintClientOptions, RedisClient } from '../src/index.ts'
import { PROFILES } from './harness.ts'

const GOOD: RedisOptions = {
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
  commandTimeout: 1000,
  maxRetriesPerRequest: 0,
  retryStrategy: attempt => Math.min(50 * attempt, 2000) * (0.5 + Math.random() / 2),
  reconnectOnError: error => (error.message.startsWith('READONLY') ? 1 : false),
}
const GOOD_CLUSTER: ClusterOptions = {
  enableOfflineQueue: false,
  retryDelayOnFailover: 0,
  scaleReads: 'master',
  clusterRetryStrategy: attempt => Math.min(50 * attempt, 2000) * (0.5 + Math.random() / 2),
  redisOptions: { ...GOOD, enableOfflineQueue: undefined } as RedisOptions,
}
const SENTINELS = { sentinels: [{ host: '127.0.0.1', port: 1 }], name: 'mymaster' }

// The types forbid some of what people pass, such as an undefined option.
const AnyRedis = Redis as unknown as new (options: object) => RedisClient
const AnyCluster = Cluster as unknown as new (nodes: object[], options: object) => RedisClient

function plain(changes: RedisOptions = {}): RedisClient {
  return new AnyRedis({ ...GOOD, ...changes, lazyConnect: true })
}

function cluster(changes: ClusterOptions = {}): RedisClient {
  const options = { ...GOOD_CLUSTER, ...changes, lazyConnect: true }
  return new AnyCluster([{ host: '127.0.0.1', port: 1 }], options)
}

/** Options of one connection without one of them; enableOfflineQueue has no place inside redisOptions. */
function without(name: keyof RedisOptions): RedisOptions {
  const { enableOfflineQueue: _misplaced, ...rest } = GOOD
  return Object.fromEntries(Object.entries(rest).filter(([key]) => key !== name))
}

/** A handler that sends again after this error alone, and leaves a demoted master. */
function twoOn(text: string): NonNullable<RedisOptions['reconnectOnError']> {
  return error => (error.message.startsWith(text) ? 2 : error.message.startsWith('READONLY') ? 1 : false)
}

/** The levels of one check in strict, standard, breaker and cache. */
function levels(redis: RedisClient, id: string, options: Partial<LintClientOptions> = {}): string {
  const found = PROFILES.map(profile => {
    const results = lintClient(redis, { role: 'effect', profile, ...options })
    return results.find(result => result.id === id)?.level ?? '-'
  })
  redis.disconnect()
  return found.join(' ')
}

const PASS = 'pass pass pass pass'

describe('each client check: one flip gives its level in each profile, undone it passes', () => {
  const rows: [string, () => RedisClient, string, Partial<LintClientOptions>?, (() => RedisClient)?][] = [
    ['resend-unfulfilled', () => plain({ autoResendUnfulfilledCommands: true }), 'fail fail warn info'],
    ['resend-off-hang', () => plain({ commandTimeout: undefined }), 'fail fail fail warn'],
    ['offline-queue', () => plain({ enableOfflineQueue: true }), 'fail warn warn info'],
    ['offline-queue', () => cluster({ enableOfflineQueue: true }), 'fail warn warn info', {}, () => cluster()],
    ['command-timeout', () => plain({ commandTimeout: undefined }), 'fail fail fail warn'],
    ['command-timeout', () => plain({ commandTimeout: 2000 }), 'warn warn warn warn', { leaseMs: 3000 }],
    [
      'command-timeout',
      () => cluster({ redisOptions: without('commandTimeout') }),
      'fail fail fail warn',
      {},
      () => cluster(),
    ],
    ['ghost-command', () => plain({ enableOfflineQueue: true }), 'warn warn info info'],
    ['ghost-command', () => plain({ autoResendUnfulfilledCommands: true }), 'warn warn info info'],
    ['retries-per-request', () => plain({ maxRetriesPerRequest: null }), 'fail fail fail warn'],
    ['retries-per-request', () => plain({ maxRetriesPerRequest: 20 }), 'warn warn warn warn'],
    ['retry-strategy', () => plain({ retryStrategy: () => null }), 'warn warn warn info'],
    ['retry-strategy', () => plain({ retryStrategy: () => 30_001 }), 'warn warn warn info'],
    ['retry-strategy', () => plain({ retryStrategy: () => 100 }), 'info info info info'],
    ['reconnect-on-error', () => plain({ reconnectOnError: () => 2 }), 'fail fail fail warn'],
    ['retry-strategy', () => cluster({ clusterRetryStrategy: () => null }), 'warn warn warn info', {}, () => cluster()],
    ['reconnect-on-error', () => plain({ reconnectOnError: twoOn('Command timed out') }), 'fail fail fail warn'],
    ['reconnect-on-error', () => plain({ reconnectOnError: twoOn('ERR') }), 'fail fail fail warn'],
    ['reconnect-on-error', () => plain({ reconnectOnError: null }), 'warn warn warn warn', { replicas: 1 }],
    [
      'reconnect-on-error',
      () => plain({ ...SENTINELS, reconnectOnError: null }),
      'warn warn warn warn',
      {},
      () => plain(SENTINELS),
    ],
    ['cluster-retry', () => cluster({ retryDelayOnFailover: 100 }), 'fail fail warn info', {}, () => cluster()],
    [
      'misplaced-option',
      () => cluster({ redisOptions: { ...GOOD, enableOfflineQueue: false } as RedisOptions }),
      'warn warn warn warn',
      {},
      () => cluster(),
    ],
    [
      'failover-detector',
      () => plain(SENTINELS),
      'fail warn warn info',
      {},
      () => plain({ ...SENTINELS, failoverDetector: true }),
    ],
    ['ready-check', () => plain({ enableReadyCheck: false }), 'warn warn warn info'],
    [
      'ready-check',
      () => cluster({ redisOptions: { ...without('enableOfflineQueue'), enableReadyCheck: false } }),
      'warn warn warn info',
      {},
      () => cluster(),
    ],
    ['ready-check', () => cluster({ enableReadyCheck: false }), 'warn warn warn info', {}, () => cluster()],
    ['auto-pipelining', () => plain({ enableAutoPipelining: true }), 'warn warn info info'],
    ['auto-pipelining', () => cluster({ enableAutoPipelining: true }), 'warn warn info info', {}, () => cluster()],
    ['read-routing', () => cluster({ scaleReads: 'slave' }), 'fail fail warn info', {}, () => cluster()],
    ['read-routing', () => plain({ ...SENTINELS, role: 'slave' }), 'fail fail warn info'],
    ['read-routing', () => plain({ readOnly: true }), 'fail fail warn info'],
    ['key-prefix', () => plain({ keyPrefix: '{a}:' }), 'warn warn warn info'],
    ['key-prefix', () => plain({ keyPrefix: 'a:' }), 'warn warn warn info'],
    ['key-prefix', () => cluster({ keyPrefix: 'a}:' }), 'warn warn warn info', {}, () => cluster()],
    ['shared-connection', () => plain({ monitor: true }), 'fail fail fail fail'],
    ['client-version', () => plain(), 'fail fail fail warn', { ioredisVersion: '5.10.1' }],
    ['client-version', () => plain(), 'fail fail fail warn', { ioredisVersion: '7.0.0' }],
    ['client-version', () => plain({ commandTimeout: undefined }), 'warn warn warn warn'],
  ]
  for (const [id, flipped, expected, options, undone = () => plain()] of rows) {
    test(`${id} gives ${expected}${options === undefined ? '' : ` with ${JSON.stringify(options)}`}`, () => {
      expect(levels(flipped(), id, options)).toBe(expected)
      const { ioredisVersion: _version, ...rest } = options ?? {}
      expect(levels(undone(), id, rest)).toBe(PASS)
    })
  }

  test('every client check has a row', () => {
    const ids = catalogue.filter(({ group }) => group === 'client').map(({ id }) => id)
    expect([...new Set(rows.map(([id]) => id))].sort()).toEqual(ids.sort())
  })
})

describe('the lint', () => {
  test('finds nothing in clients of connectRedis, of every kind', () => {
    for (const url of ['redis://127.0.0.1:1', 'redis+sentinel://127.0.0.1:1/m', 'redis+cluster://127.0.0.1:1']) {
      const redis = connectRedis(url)
      const found = lintClient(redis, { role: 'effect', leaseMs: 30_000 }).filter(({ level }) => level !== 'pass')
      redis.disconnect()
      expect([url, found.map(({ id, level }) => `${id} ${level}`)]).toEqual([url, []])
    }
    const worker = connectRedis('redis://127.0.0.1:1', { profile: 'worker' })
    const found = lintClient(worker, { role: 'worker' }).filter(({ level }) => level !== 'pass')
    worker.disconnect()
    expect(found).toEqual([])
  })

  test('a worker that gives up on a blocking read warns', () => {
    expect(levels(plain(), 'retries-per-request', { role: 'worker' })).toBe('warn warn warn warn')
    expect(levels(plain({ maxRetriesPerRequest: null }), 'retries-per-request', { role: 'worker' })).toBe(PASS)
  })

  test('a strategy that throws is unknown, crashed', () => {
    const redis = plain({
      retryStrategy: () => {
        throw new Error('boom')
      },
    })
    const result = lintClient(redis, { role: 'effect' }).find(({ id }) => id === 'retry-strategy')
    expect(result).toMatchObject({ level: 'unknown', unknownBecause: 'crashed' })
    redis.disconnect()
  })

  test('sends nothing and connects nobody', () => {
    const redis = plain()
    lintClient(redis, { role: 'effect' })
    expect(redis.status).toBe('wait')
  })
})
