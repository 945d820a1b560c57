import { connectRedis, whenReady } from '@safety/redis-core'
import { startFaultProxy, startRedis } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'

import type { EffectContext } from '../src/index.ts'
import { eventually, freshNamespace, gate, instance, receiver, rejection, sleep } from './harness.ts'

const KEYED = { name: 'pay', key: (input: string) => input } as const
const FAST = { storeTimeoutMs: 600, storeBudgetMs: 1500 } as const

describe.concurrent('recording fails after success [claim 18]', () => {
  test('the value comes with recorded: false, and is recorded once the store is back, without a second run', async () => {
    await using server = await startRedis()
    const redis = server.client()
    await whenReady(redis)
    await using here = instance(redis, FAST)
    const at = receiver()
    const effect = here.idem.define({
      ...KEYED,
      recovery: { mode: 'manual' },
      run: async (_input, ctx) => {
        server.pause()
        return at.take(ctx, 'bought')
      },
    })
    const bought = await effect('a')
    expect(bought).toMatchObject({
      status: 'executed',
      value: 'bought',
      recorded: false,
      superseded: false,
      unprotected: false,
    })
    server.resume()
    await eventually(() => here.of('recorded-late').length === 1)
    expect(here.of('record-delayed')).toHaveLength(1)
    expect(await effect('a')).toMatchObject({ status: 'replayed', value: 'bought', fence: bought.fence })
    expect(at.count()).toBe(1)
  })

  test('twins of a run that is not recorded are told so, and get values of their own', async () => {
    await using server = await startRedis()
    const redis = server.client()
    await whenReady(redis)
    await using here = instance(redis, FAST)
    const running = gate()
    const effect = here.idem.define({
      ...KEYED,
      recovery: { mode: 'repeat' },
      onStoreDown: 'run',
      run: async () => {
        await running.promise
        server.pause()
        return { receipt: 1 }
      },
    })
    const late = [effect('a'), effect('a')] as const
    running.open()
    const unrecorded = await Promise.all(late)
    expect(unrecorded).toMatchObject(late.map(() => ({ recorded: false, unprotected: false, value: { receipt: 1 } })))
    expect(unrecorded[0].value).not.toBe(unrecorded[1].value)
    const unprotected = await Promise.all([effect('b'), effect('b')])
    expect(unprotected).toMatchObject(late.map(() => ({ recorded: false, unprotected: true, value: { receipt: 1 } })))
    expect(unprotected[0].value).not.toBe(unprotected[1].value)
    server.resume()
  })

  test('also when the store refuses the write (OOM), and disposal waits for the record', async () => {
    await using server = await startRedis()
    const redis = server.client()
    await whenReady(redis)
    const here = instance(redis, FAST)
    const effect = here.idem.define({
      ...KEYED,
      recovery: { mode: 'reconcile', settleMs: 0, lookup: async () => ({ outcome: 'unknown' }) },
      run: async () => {
        await redis.config('SET', 'maxmemory', '1')
        return 'bought'
      },
    })
    expect(await effect('a')).toMatchObject({ value: 'bought', recorded: false })
    await redis.config('SET', 'maxmemory', '0')
    await here.idem[Symbol.asyncDispose]()
    await using again = instance(redis, { namespace: here.namespace })
    expect(await again.idem.inspect('pay', 'a')).toMatchObject({ state: 'done', value: 'bought' })
  })

  test("an effect's own error comes with the store's beside it, whatever it meant", async () => {
    await using server = await startRedis()
    const redis = server.client()
    await whenReady(redis)
    await using here = instance(redis, FAST)
    const own = Object.assign(new Error('rejected'), { outcome: 'ran' })
    const effect = here.idem.define({
      ...KEYED,
      recovery: { mode: 'manual' },
      run: (): string => {
        server.pause()
        throw own
      },
    })
    const error = await rejection(effect('a'))
    expect(error).toBe(own)
    expect(error['storeError']).toMatchObject({ code: 'ERR_REDIS_UNKNOWN' })
    expect(Object.keys(error)).not.toContain('storeError')
    server.resume()
    await eventually(async () => (await here.idem.inspect('pay', 'a'))?.state === 'failed')
  })
})

describe.concurrent('the store refuses the claim [claim 23]', () => {
  const refusals: readonly {
    readonly code: string
    readonly retryable: boolean
    readonly arrange: (admin: Redis) => Promise<unknown>
  }[] = [
    { code: 'OOM', retryable: true, arrange: admin => admin.config('SET', 'maxmemory', '1') },
    { code: 'READONLY', retryable: true, arrange: admin => admin.replicaof('127.0.0.1', '1') },
    { code: 'NOREPLICAS', retryable: true, arrange: admin => admin.config('SET', 'min-replicas-to-write', '1') },
    {
      code: 'MISCONF',
      retryable: true,
      arrange: async admin => {
        await admin.config('SET', 'save', '3600 1')
        await admin.config('SET', 'dbfilename', 'folder')
        await admin.set('dirty', '1')
        await admin.bgsave()
        await eventually(async () => (await admin.info('persistence')).includes('rdb_last_bgsave_status:err'))
      },
    },
    {
      code: 'NOPERM',
      retryable: false,
      arrange: admin => admin.call('ACL', 'SETUSER', 'default', '-eval', '-evalsha'),
    },
  ]

  test.for(refusals)('$code: STORE, no effect, no key', async ({ code, retryable, arrange }) => {
    await using server = await startRedis({ args: code === 'MISCONF' ? ['--enable-protected-configs', 'local'] : [] })
    if (code === 'MISCONF') {
      const { mkdir } = await import('node:fs/promises')
      await mkdir(`${server.directory}/folder`)
    }
    const admin = server.client()
    await whenReady(admin)
    await arrange(admin)
    const redis = server.client()
    await whenReady(redis)
    await using here = instance(redis, FAST)
    let runs = 0
    const options = { ...KEYED, run: () => (runs += 1) }
    const error = await rejection(here.idem.define({ ...options, recovery: { mode: 'manual' } })('a'))
    expect(error).toMatchObject({
      code: 'ERR_IDEMPOTENCY_STORE',
      outcome: 'not-run',
      retryable,
      cause: { redisCode: code },
    })
    if (!retryable) {
      // A refused claim never runs, whatever the policy says.
      const running = here.idem.define({ ...options, recovery: { mode: 'repeat' }, onStoreDown: 'run' })
      expect(await rejection(running('b'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_STORE', retryable: false })
    }
    expect(runs).toBe(0)
    await eventually(() => here.of('store-down').length >= 1)
    expect(await admin.keys(`${here.namespace}:*`)).toEqual([])
  })

  test('LOADING: STORE, no effect, no key', async () => {
    await using server = await startRedis()
    await using proxy = await startFaultProxy(server)
    const redis = connectRedis(proxy.url)
    await whenReady(redis)
    const message = 'LOADING Redis is loading the dataset in memory'
    proxy.add({ match: { command: ['evalsha', 'eval'] }, action: { kind: 'error', message } })
    await using here = instance(redis, FAST)
    let runs = 0
    const effect = here.idem.define({ ...KEYED, recovery: { mode: 'manual' }, run: () => (runs += 1) })
    expect(await rejection(effect('a'))).toMatchObject({
      code: 'ERR_IDEMPOTENCY_STORE',
      retryable: true,
      cause: { redisCode: 'LOADING' },
    })
    expect(runs).toBe(0)
    const direct = server.client()
    await whenReady(direct)
    expect(await direct.keys(`${here.namespace}:*`)).toEqual([])
    redis.disconnect()
  })

  test('a record of the wrong type: STORE, not retryable, and the foreign value stays', async () => {
    await using server = await startRedis()
    const redis = server.client()
    await whenReady(redis)
    await using here = instance(redis, FAST)
    const effect = here.idem.define({ ...KEYED, recovery: { mode: 'manual' }, run: () => 'ok' })
    await effect('a')
    const [key] = await redis.keys(`${here.namespace}:*:pay:a`)
    await redis.del(key as string)
    await redis.lpush(key as string, 'foreign')
    expect(await rejection(effect('a'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_STORE', retryable: false })
    expect(await redis.lrange(key as string, 0, -1)).toEqual(['foreign'])
  })
})

describe.concurrent('the store is down or hangs [claim 24]', () => {
  test.for(['down', 'hanging'] as const)(
    '%s: refuse runs nothing and says not run; run runs, flagged; a caller never waits longer than its budget allows',
    async how => {
      const server = await startRedis()
      try {
        const redis = connectRedis(server.url)
        await whenReady(redis)
        await using here = instance(redis, FAST)
        if (how === 'down') await server.kill()
        else server.pause()
        const at = receiver()
        const run = (_input: string, ctx: EffectContext) => at.take(ctx, 'ran')
        const refusing = here.idem.define({ ...KEYED, recovery: { mode: 'repeat' }, run })
        expect(await rejection(refusing('a'))).toMatchObject({
          code: 'ERR_IDEMPOTENCY_STORE',
          outcome: 'not-run',
          retryable: true,
        })
        expect(at.count()).toBe(0)
        const running = here.idem.define({ ...KEYED, recovery: { mode: 'repeat' }, onStoreDown: 'run', run })
        expect(await running('a')).toMatchObject({
          status: 'executed',
          value: 'ran',
          unprotected: true,
          recorded: false,
          fence: 0,
          attempt: 0,
        })
        expect(at.count()).toBe(1)
        redis.disconnect()
      } finally {
        if (how === 'hanging') server.resume()
        await server[Symbol.asyncDispose]()
      }
    },
  )

  test('run with reconcile or manual throws when the effect is defined', async () => {
    await using server = await startRedis()
    await using here = instance(server.client())
    for (const recovery of [
      { mode: 'manual' } as const,
      { mode: 'reconcile', settleMs: 0, lookup: async () => ({ outcome: 'unknown' }) as const } as const,
    ]) {
      expect(() => here.idem.define({ ...KEYED, recovery, onStoreDown: 'run', run: () => 1 })).toThrow(
        expect.objectContaining({ code: 'ERR_IDEMPOTENCY_OPTIONS', option: 'onStoreDown' }),
      )
    }
  })
})

describe.concurrent('durability [claim 22]', () => {
  test('without enough replicas nothing is dispatched, and the key is free; with them it is durable', async () => {
    await using master = await startRedis()
    const redis = master.client()
    await using here = instance(redis)
    let runs = 0
    const effect = here.idem.define({
      ...KEYED,
      recovery: { mode: 'manual' },
      durability: { replicas: 1, timeoutMs: 1500 },
      run: () => (runs += 1),
    })
    expect(await rejection(effect('a'))).toMatchObject({
      code: 'ERR_IDEMPOTENCY_NOT_DURABLE',
      outcome: 'not-run',
      retryable: true,
      replicas: 0,
    })
    expect(runs).toBe(0)
    expect(await here.idem.inspect('pay', 'a')).toMatchObject({ state: 'not-run', reason: 'not-durable' })
    // That nothing ran is recorded without waiting for replicas.
    expect(here.of('not-durable').map(event => event.step)).toEqual(['claim'])
    await using replica = await startRedis({ replicaOf: master })
    expect(await effect('a')).toMatchObject({ status: 'executed', durable: true, recorded: true, value: 1 })
    expect(await effect('a')).toMatchObject({ status: 'replayed', value: 1 })

    const running = gate<number>()
    const slow = here.idem.define({
      ...KEYED,
      name: 'slow',
      recovery: { mode: 'manual' },
      durability: { replicas: 1, timeoutMs: 1500 },
      run: () => running.promise,
    })
    const call = slow('b')
    await eventually(() => here.of('started').some(event => event.effect === 'slow'))
    replica.pause()
    running.open(2)
    expect(await call).toMatchObject({ status: 'executed', durable: false, recorded: true, value: 2 })
    replica.resume()
    await eventually(() => here.of('not-durable').length === 2)
    expect(here.of('not-durable').map(event => event.step)).toEqual(['claim', 'finish'])
  })

  test.for([
    { mode: 'manual', onStoreDown: 'refuse' },
    { mode: 'repeat', onStoreDown: 'run' },
  ] as const)(
    'many at once without replicas are each NOT_DURABLE, none runs ($mode)',
    async ({ mode, onStoreDown }) => {
      await using master = await startRedis()
      await using replica = await startRedis({ replicaOf: master })
      await using here = instance(master.client(), { storeTimeoutMs: 500 })
      let runs = 0
      const effect = here.idem.define({
        ...KEYED,
        recovery: { mode },
        onStoreDown,
        durability: { replicas: 1, timeoutMs: 1500 },
        run: () => (runs += 1),
      })
      await eventually(() =>
        effect('warm').then(
          () => true,
          () => false,
        ),
      )
      replica.pause()
      const keys = Array.from({ length: 40 }, (_, index) => `k${index}`)
      // Others come while the WAIT of the first ones is under way.
      const first = keys.map(key => rejection(effect(key)))
      await sleep(200)
      const then = keys.map(key => rejection(effect(`${key}-later`)))
      const codes = (await Promise.all([...first, ...then])).map(error => error.code)
      replica.resume()
      expect(new Set(codes)).toEqual(new Set(['ERR_IDEMPOTENCY_NOT_DURABLE']))
      expect(runs).toBe(1)
      expect([here.of('store-down'), here.of('ghost-refused')]).toEqual([[], []])
    },
  )

  test('a replica may take its timeoutMs, however short storeTimeoutMs is', async () => {
    await using master = await startRedis()
    await using replica = await startRedis({ replicaOf: master })
    await using here = instance(master.client(), { storeTimeoutMs: 100 })
    const effect = here.idem.define({
      ...KEYED,
      recovery: { mode: 'manual' },
      durability: { replicas: 1, timeoutMs: 10_000 },
      run: () => 1,
    })
    expect(await effect('a')).toMatchObject({ durable: true })
    replica.pause()
    const call = effect('b')
    await sleep(500)
    replica.resume()
    expect(await call).toMatchObject({ status: 'executed', durable: true })
  })

  test('the claim of a durable effect is on the replica before the effect starts', async () => {
    await using master = await startRedis()
    await using replica = await startRedis({ replicaOf: master })
    const [redis, copy] = [master.client(), replica.client()]
    await whenReady(copy)
    const namespace = freshNamespace()
    await using here = instance(redis, { namespace })
    const effect = here.idem.define({
      ...KEYED,
      recovery: { mode: 'manual' },
      durability: { replicas: 1, timeoutMs: 2000 },
      run: async () => (await copy.keys(`${namespace}:*`)).length,
    })
    expect(await effect('a')).toMatchObject({ value: 2, durable: true })
  })
})
