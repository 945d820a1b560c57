import { Redis } from 'ioredis'
import { afterAll, describe, expect, test } from 'vitest'

import { createIdempotency } from './index.ts'
import type { IdempotencyOptions } from './index.ts'

const redis = new Redis({ lazyConnect: true })
afterAll(() => redis.disconnect())

const fails = (option: string) =>
  expect.objectContaining({ code: 'ERR_IDEMPOTENCY_OPTIONS', outcome: 'not-run', retryable: false, option })

describe('options', () => {
  test('a bad one throws at construction and names its field', () => {
    const bad: readonly [string, Partial<Record<keyof IdempotencyOptions | 'nonsense', unknown>>][] = [
      ['namespace', { namespace: '' }],
      ['namespace', { namespace: 'a b' }],
      ['namespace', { namespace: 'x'.repeat(33) }],
      ['storeTimeoutMs', { storeTimeoutMs: 0 }],
      ['storeBudgetMs', { storeBudgetMs: 1.5 }],
      ['recordRetryMs', { recordRetryMs: -1 }],
      ['onStoreLoss', { onStoreLoss: 'ignore' }],
      ['lossWindowMs', { lossWindowMs: Number.NaN }],
      ['observe', { observe: 'yes' }],
      ['onEvent', { onEvent: 1 }],
      ['clock', { clock: {} }],
      ['redis', { redis: {} }],
      ['nonsense', { nonsense: 1 }],
    ]
    for (const [option, over] of bad) {
      const options = { redis, namespace: 'shop', ...over } as unknown as IdempotencyOptions
      expect(() => createIdempotency(options)).toThrow(fails(option))
    }
    expect(() =>
      createIdempotency({ redis: new Redis({ lazyConnect: true, keyPrefix: 'x:' }), namespace: 'shop' }),
    ).toThrow(fails('redis'))
  })

  test('a bad effect throws when it is defined and names its field', () => {
    const idem = createIdempotency({ redis, namespace: 'shop' })
    const good = { name: 'pay', key: (id: string) => id, recovery: { mode: 'manual' }, run: () => 1 } as const
    const lookup = async () => ({ outcome: 'unknown' }) as const
    const bad: readonly [string, object][] = [
      ['name', { name: 'Pay' }],
      ['name', { name: `a${'x'.repeat(48)}` }],
      ['key', { key: 'id' }],
      ['recovery.mode', { recovery: { mode: 'pray' } }],
      ['recovery.settleMs', { recovery: { mode: 'reconcile', lookup } }],
      ['recovery.settleMs', { recovery: { mode: 'reconcile', lookup, settleMs: 86_400_001 } }],
      ['recovery.lookup', { recovery: { mode: 'reconcile', settleMs: 0 } }],
      ['recovery.lookupTimeoutMs', { recovery: { mode: 'reconcile', lookup, settleMs: 0, lookupTimeoutMs: 0 } }],
      ['leaseMs', { leaseMs: 49 }],
      ['leaseMs', { leaseMs: 3_600_001 }],
      ['effectTimeoutMs', { effectTimeoutMs: 0 }],
      ['waitMs', { waitMs: 86_400_001 }],
      ['maxResultBytes', { maxResultBytes: 1_048_577 }],
      ['retentionMs', { retentionMs: 89_999 }],
      ['onBusy', { onBusy: 'queue' }],
      ['onStoreDown', { onStoreDown: 'run' }],
      ['durability.replicas', { durability: { replicas: 0, timeoutMs: 100 } }],
      ['durability.timeoutMs', { durability: { replicas: 1, timeoutMs: 10_001 } }],
      ['result', { result: {} }],
      ['run', { run: undefined }],
      ['retries', { retries: 3 }],
    ]
    for (const [option, over] of bad) {
      expect(() => idem.define({ ...good, ...over }), option).toThrow(fails(option))
    }
    expect(() => idem.define(good)).not.toThrow()
    expect(() => idem.define({ ...good, retentionMs: 90_000 })).not.toThrow()
  })

  test('a bad key, payload or memo rejects before anything is sent', async () => {
    const idem = createIdempotency({ redis, namespace: 'shop' })
    const effect = idem.define({ name: 'pay', key: (id: string) => id, recovery: { mode: 'manual' }, run: () => 1 })
    for (const key of ['', ' \n', '\ud800', 'ä'.repeat(8193), undefined as unknown as string]) {
      await expect(effect(key)).rejects.toMatchObject({
        code: 'ERR_IDEMPOTENCY_KEY',
        outcome: 'not-run',
        retryable: false,
      })
      expect(() => effect.effectIdOf(key)).toThrow(expect.objectContaining({ code: 'ERR_IDEMPOTENCY_KEY' }))
    }
    const options = { name: 'pay', key: () => 'a', recovery: { mode: 'manual' }, run: () => 1 } as const
    await expect(idem.define({ ...options, fingerprint: () => Number.NaN })(1)).rejects.toMatchObject({
      code: 'ERR_IDEMPOTENCY_FINGERPRINT',
      outcome: 'not-run',
    })
    await expect(idem.define({ ...options, memo: () => 'x'.repeat(1023) })(1)).rejects.toMatchObject({ option: 'memo' })
    expect(redis.status).toBe('wait')
  })
})
