import { keyspace } from '@safety/redis-core'
import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'

import { createBreaker, createBreakers } from '../src/index.ts'
import { localBreaker } from './support/local-breaker.ts'

const redis = new Redis({ lazyConnect: true })
const prefixed = new Redis({ lazyConnect: true, keyPrefix: 'app:' })

const invalid: [field: string, options: Record<string, unknown>][] = [
  ['name', { name: '' }],
  ['name', { name: 'x'.repeat(201) }],
  ['name', { name: '€'.repeat(67) }],
  ['name', { name: 'lone \ud800 surrogate' }],
  ['name', { name: 7 }],
  ['instance', { instance: '' }],
  ['redis', { redis: {} }],
  ['redis', { redis: prefixed }],
  ['redis', { mode: 'fleet' }],
  ['redis', { mode: 'advisory' }],
  ['mode', { mode: 'global' }],
  ['keyspace', { keyspace: 'safety' }],
  ['windows.long.lengthMs', { windows: { long: { lengthMs: 999 } } }],
  ['windows.long.lengthMs', { windows: { long: { lengthMs: 3_600_001 } } }],
  ['windows.long.buckets', { windows: { long: { buckets: 1 } } }],
  ['windows.long.buckets', { windows: { long: { buckets: 61 } } }],
  ['windows.fast.lengthMs', { windows: { fast: { lengthMs: 0 } } }],
  ['windows.fast.lengthMs', { windows: { fast: { lengthMs: 10_001 } } }],
  ['windows.fast.buckets', { windows: { fast: { buckets: 0 } } }],
  ['windows.fast.minimumCalls', { windows: { fast: { minimumCalls: 1_001 } } }],
  ['windows.fast.failureRatio', { windows: { fast: { failureRatio: 0 } } }],
  ['windows.slow', { windows: { slow: {} } }],
  ['minimumCalls', { minimumCalls: 0 }],
  ['minimumCalls', { minimumCalls: 1_000_001 }],
  ['minimumCalls', { minimumCalls: 1.5 }],
  ['failureRatio', { failureRatio: 0 }],
  ['failureRatio', { failureRatio: 1.01 }],
  ['failureRatio', { failureRatio: Number.NaN }],
  ['slowCall.thresholdMs', { slowCall: {} }],
  ['slowCall.thresholdMs', { slowCall: { thresholdMs: 0 } }],
  ['slowCall.ratio', { slowCall: { thresholdMs: 1, ratio: 2 } }],
  ['quorum.ratio', { quorum: { ratio: 0 } }],
  ['quorum.min', { quorum: { min: 0 } }],
  ['quorum.settleMs', { quorum: { settleMs: 0 } }],
  ['expect', { expect: -1 }],
  ['expect', { expect: 1_001 }],
  ['coolOff.baseMs', { coolOff: { baseMs: 0 } }],
  ['coolOff.factor', { coolOff: { factor: 0.9 } }],
  ['coolOff.factor', { coolOff: { factor: 11 } }],
  ['coolOff.maxMs', { coolOff: { maxMs: 3_600_001 } }],
  ['coolOff.maxMs', { coolOff: { baseMs: 2_000, maxMs: 1_000 } }],
  ['coolOff.jitter', { coolOff: { jitter: 0.51 } }],
  ['coolOff.jitter', { coolOff: { jitter: -0.1 } }],
  ['coolOff.forgiveMs', { coolOff: { forgiveMs: 0 } }],
  ['halfOpen.probes', { halfOpen: { probes: 0 } }],
  ['halfOpen.successes', { halfOpen: { successes: 1_001 } }],
  ['halfOpen.tolerated', { halfOpen: { tolerated: -1 } }],
  ['halfOpen.leaseMs', { halfOpen: { leaseMs: 1_000 }, attemptTimeoutMs: 1_000 }],
  ['ramp.fromShare', { ramp: { fromShare: 0 } }],
  ['ramp.lengthMs', { ramp: { lengthMs: 0 } }],
  ['ramp.minRate', { ramp: { minRate: -1 } }],
  ['ramp', { ramp: true }],
  ['isIgnored', { isIgnored: 'yes' }],
  ['isFailure', { isFailure: 1 }],
  ['classifyResult', { classifyResult: {} }],
  ['attemptTimeoutMs', { attemptTimeoutMs: 0 }],
  ['attemptTimeoutMs', { attemptTimeoutMs: 3_600_001 }],
  ['restore.version', { restore: {} }],
  ['onEvent', { onEvent: 'log' }],
  ['clock', { clock: { now: () => 0 } }],
  ['random', { random: Math }],
  ['failureRate', { failureRate: 0.5 }],
]

describe('invalid options [claim 20]', () => {
  for (const [field, options] of invalid) {
    test(`${field} is named when ${describeOptions(options)}`, () => {
      const make = (): unknown => createBreaker({ name: 'orders', ...options })
      expect(make).toThrowError(
        expect.objectContaining({
          name: 'BreakerOptionsError',
          code: 'ERR_BREAKER_OPTIONS',
          field,
          retryable: false,
          outcome: 'not-run',
        }),
      )
    })
  }

  test('the bounds themselves are accepted', () => {
    createBreaker({
      name: '€'.repeat(66),
      windows: { long: { lengthMs: 1_000, buckets: 2 }, fast: { lengthMs: 1_000, buckets: 60 } },
      minimumCalls: 1_000_000,
      failureRatio: 1,
      slowCall: { thresholdMs: 3_600_000, ratio: 1 },
      quorum: { ratio: 1, min: 1_000, settleMs: 3_600_000 },
      expect: 1_000,
      coolOff: { baseMs: 3_600_000, factor: 10, maxMs: 3_600_000, jitter: 0.5, forgiveMs: 1 },
      halfOpen: { probes: 1_000, successes: 1_000, tolerated: 1_000, leaseMs: 3_600_000 },
      ramp: { fromShare: 1, lengthMs: 1, minRate: 0 },
      attemptTimeoutMs: 3_599_999,
    })
  })

  test('no message repeats a value that was passed', () => {
    try {
      createBreaker({ name: 'orders', mode: 'sesame-open' as never })
      expect.unreachable()
    } catch (error) {
      expect((error as Error).message).not.toContain('sesame')
    }
  })
})

describe('one breaker per name [claim 21]', () => {
  test('a name asked for with other options is an error', async () => {
    const registry = createBreakers({ minimumCalls: 20, windows: { fast: { minimumCalls: 5 } } })
    const first = registry.get('orders', { minimumCalls: 30 })
    expect(registry.get('orders', { minimumCalls: 30 })).toBe(first)
    expect(registry.get('orders')).toBe(first)
    expect(registry.get('orders', {})).toBe(first)
    const other = (): unknown => registry.get('orders', { minimumCalls: 31 })
    expect(other).toThrowError(expect.objectContaining({ code: 'ERR_BREAKER_OPTIONS', field: 'minimumCalls' }))
    const fewer = (): unknown => registry.get('orders', { failureRatio: 0.5 })
    expect(fewer).toThrowError(expect.objectContaining({ code: 'ERR_BREAKER_OPTIONS', field: 'minimumCalls' }))
    const nested = (): unknown => registry.get('orders', { minimumCalls: 30, windows: { fast: false } })
    expect(nested).toThrowError(expect.objectContaining({ code: 'ERR_BREAKER_OPTIONS', field: 'windows' }))
    await registry[Symbol.asyncDispose]()
  })

  test('overrides are merged field by field', async () => {
    const { clock } = localBreaker()
    const registry = createBreakers({
      clock,
      windows: { fast: { minimumCalls: 3, failureRatio: 1 } },
      coolOff: { jitter: 0 },
    })
    const breaker = registry.get('orders', { windows: { fast: { minimumCalls: 2 } }, coolOff: { baseMs: 7_000 } })
    for (let n = 0; n < 2; n += 1)
      await breaker.run(() => Promise.reject(new Error('x'))).catch((error: unknown) => error)
    expect(breaker.snapshot()).toMatchObject({ state: 'open', dueInMs: 7_000 })
    expect(registry.get('reads').snapshot().instance).toBe(breaker.snapshot().instance)
    expect(registry.names()).toEqual(['orders', 'reads'])
  })

  test('the same function and the same client are the same option, another one is not', () => {
    const isIgnored = (): boolean => false
    const registry = createBreakers({})
    const breaker = registry.get('orders', { isIgnored })
    expect(registry.get('orders', { isIgnored })).toBe(breaker)
    expect(() => registry.get('orders', { isIgnored: () => false })).toThrowError(
      expect.objectContaining({ field: 'isIgnored' }),
    )
  })

  test('name maxNames + 1 is an error, and names are free to be asked for again', () => {
    const registry = createBreakers({ maxNames: 2 })
    registry.get('a')
    registry.get('b')
    registry.get('a')
    expect(() => registry.get('c')).toThrowError(
      expect.objectContaining({ name: 'BreakerLimitError', code: 'ERR_BREAKER_LIMIT', what: 'names', limit: 2 }),
    )
    expect(registry.names()).toEqual(['a', 'b'])
  })

  test('an invalid name or override creates nothing', () => {
    const registry = createBreakers({ maxNames: 1 })
    expect(() => registry.get('')).toThrowError(expect.objectContaining({ field: 'name' }))
    expect(() => registry.get('orders', { failureRatio: 2 })).toThrowError(
      expect.objectContaining({ field: 'failureRatio' }),
    )
    expect(() => registry.get('orders', { redis } as never)).toThrowError(expect.objectContaining({ field: 'redis' }))
    expect(registry.names()).toEqual([])
    registry.get('orders')
  })

  test('invalid defaults throw when the registry is made', () => {
    expect(() => createBreakers({ failureRatio: 2 })).toThrowError(expect.objectContaining({ field: 'failureRatio' }))
    for (const maxNames of [0, 10_001, 1.5]) {
      expect(() => createBreakers({ maxNames })).toThrowError(expect.objectContaining({ field: 'maxNames' }))
    }
  })

  test('after dispose it gives none', async () => {
    const registry = createBreakers({})
    const breaker = registry.get('orders')
    await registry[Symbol.asyncDispose]()
    expect(() => registry.get('orders')).toThrowError(expect.objectContaining({ code: 'ERR_BREAKER_DISPOSED' }))
    await expect(breaker.run(() => 1)).rejects.toMatchObject({ code: 'ERR_BREAKER_DISPOSED' })
  })

  test('a keyspace of the caller is taken', () => {
    createBreaker({ name: 'orders', keyspace: keyspace('shop') })
  })
})

function describeOptions(options: Record<string, unknown>): string {
  return JSON.stringify(options, (key, value: unknown) =>
    key === 'redis' || key === 'random' ? '…' : typeof value === 'string' && value.length > 20 ? 'a long text' : value,
  )
}
