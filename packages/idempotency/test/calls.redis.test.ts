import { whenReady } from '@safety/redis-core'
import type { RedisClient } from '@safety/redis-core'
import { createManualClock, startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'

import { collect, eventually, gate, instance, receiver, recordKeys, rejection, sleep } from './harness.ts'

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
  await whenReady(redis)
})
afterAll(() => server[Symbol.asyncDispose]())

const client = (): RedisClient => redis

describe('a call', () => {
  test('the first call runs, the second replays, and undefined, null, 0, "" and [] survive both [claim 1]', async () => {
    await using here = instance(client())
    for (const [index, value] of [undefined, null, 0, '', [], false, { a: [1, { b: null }] }].entries()) {
      let runs = 0
      const effect = here.idem.define({
        name: 'values',
        key: (input: { id: string }) => input.id,
        recovery: { mode: 'manual' },
        run: () => {
          runs += 1
          return value
        },
      })
      const first = await effect({ id: `k${index}` })
      const second = await effect({ id: `k${index}` })
      expect(first).toMatchObject({
        status: 'executed',
        recorded: true,
        superseded: false,
        unprotected: false,
        attempt: 1,
      })
      expect(first.value).toEqual(value)
      expect(second).toMatchObject({ status: 'replayed', recorded: true, source: 'executor' })
      expect(second.value).toEqual(value)
      expect(second).toMatchObject({ fence: first.fence, effectId: first.effectId, key: `k${index}` })
      expect(runs).toBe(1)
    }
  })

  test('a value its schema refuses is recorded as done, the caller gets it on the error, and nothing runs again [claim 3]', async () => {
    await using here = instance(client())
    let runs = 0
    const effect = here.idem.define({
      name: 'refused',
      key: (input: string) => input,
      result: z.object({ id: z.string() }),
      recovery: { mode: 'manual' },
      run: () => {
        runs += 1
        return { id: 7 } as never
      },
    })
    const first = await rejection(effect('a'))
    expect(first).toMatchObject({
      code: 'ERR_IDEMPOTENCY_RESULT',
      outcome: 'ran',
      retryable: false,
      phase: 'write',
      value: { id: 7 },
    })
    expect(Object.keys(first)).not.toContain('value')
    const second = await rejection(effect('a'))
    expect(second).toMatchObject({ code: 'ERR_IDEMPOTENCY_RESULT', outcome: 'ran', phase: 'read' })
    expect((await here.idem.inspect('refused', 'a'))?.state).toBe('done')
    expect(runs).toBe(1)
  })

  test('a value above maxResultBytes goes to its first caller, is recorded as done, and replays say it was not kept [claim 3]', async () => {
    await using here = instance(client())
    let runs = 0
    const effect = here.idem.define({
      name: 'large',
      key: (input: string) => input,
      maxResultBytes: 10,
      recovery: { mode: 'manual' },
      run: () => {
        runs += 1
        return 'x'.repeat(11)
      },
    })
    expect((await effect('a')).value).toHaveLength(11)
    expect(await rejection(effect('a'))).toMatchObject({
      code: 'ERR_IDEMPOTENCY_RESULT_NOT_KEPT',
      outcome: 'ran',
      retryable: false,
      phase: 'read',
      issues: [],
    })
    expect(runs).toBe(1)
  })

  test('a schema that changes the value gives executed and replayed callers the same', async () => {
    await using here = instance(client())
    const effect = here.idem.define({
      name: 'transform',
      key: (input: string) => input,
      result: z.object({ at: z.string().transform(text => new Date(text)) }),
      recovery: { mode: 'manual' },
      run: () => ({ at: '2026-01-02T03:04:05.000Z' }) as never,
    })
    const [first, second] = [await effect('a'), await effect('a')]
    expect(first.value.at).toEqual(new Date('2026-01-02T03:04:05.000Z'))
    expect(second.value).toEqual(first.value)
  })

  test('another payload is MISMATCH while the first runs and when it is done, and changes no byte of the record [claim 4]', async () => {
    await using here = instance(client())
    await using there = instance(client(), { namespace: here.namespace })
    const running = gate<string>()
    const options = {
      name: 'pay',
      key: (input: { id: string; amount: string }) => input.id,
      recovery: { mode: 'manual' },
    } as const
    const pay = here.idem.define({ ...options, run: () => running.promise })
    const other = there.idem.define({ ...options, run: () => 'other' })
    const first = pay({ id: 'a', amount: '1' })
    const [key] = await eventually(async () => {
      const keys = await recordKeys(redis, here.namespace)
      return keys.length === 1 && keys
    })
    const before = await redis.get(key as string)
    for (const call of [pay, other]) {
      expect(await rejection(call({ id: 'a', amount: '2' }))).toMatchObject({
        code: 'ERR_IDEMPOTENCY_MISMATCH',
        outcome: 'not-run',
        retryable: false,
        state: 'running',
      })
    }
    expect(await redis.get(key as string)).toBe(before)
    running.open('done')
    expect((await first).value).toBe('done')
    const done = await redis.get(key as string)
    expect(await rejection(other({ id: 'a', amount: '2' }))).toMatchObject({
      code: 'ERR_IDEMPOTENCY_MISMATCH',
      state: 'done',
    })
    expect(await redis.get(key as string)).toBe(done)
  })

  test('a corrected payload may run once the first is known not to have run', async () => {
    await using here = instance(client())
    const effect = here.idem.define({
      name: 'fix',
      key: (input: { id: string; amount: string }) => input.id,
      recovery: { mode: 'manual' },
      run: input => {
        if (input.amount === 'x') throw Object.assign(new Error('bad amount'), { outcome: 'not-run' })
        return input.amount
      },
    })
    await expect(effect({ id: 'a', amount: 'x' })).rejects.toThrow('bad amount')
    expect((await effect({ id: 'a', amount: '1' })).value).toBe('1')
  })

  test('two equal intents with two ids both run [claim 5]', async () => {
    await using here = instance(client())
    const at = receiver()
    const buy = here.idem.define({
      name: 'buy',
      key: (input: { id: string; symbol: string; quantity: string }) => input.id,
      fingerprint: ({ symbol, quantity }) => ({ symbol, quantity }),
      recovery: { mode: 'manual' },
      run: (_input, ctx) => at.take(ctx, 'ok'),
    })
    await buy({ id: 'monday', symbol: 'BTC', quantity: '1' })
    await buy({ id: 'tuesday', symbol: 'BTC', quantity: '1' })
    expect(at.count()).toBe(2)
  })

  test('an input changed by run changes neither key, fingerprint nor memo', async () => {
    await using here = instance(client())
    const effect = here.idem.define({
      name: 'mutate',
      key: (input: { id: string; n: number }) => input.id,
      memo: input => ({ n: input.n }),
      recovery: { mode: 'manual' },
      run: input => {
        input.id = 'other'
        input.n = 99
        throw new Error('unclear')
      },
    })
    expect(await rejection(effect({ id: 'a', n: 1 }))).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT' })
    expect(await here.idem.inspect('mutate', 'a')).toMatchObject({ state: 'in-doubt', memo: { n: 1 } })
    expect(await rejection(effect({ id: 'a', n: 1 }))).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT' })
  })

  test('a duplicate and an aborted waiter leave the record of a running attempt untouched [claim 11]', async () => {
    await using here = instance(client())
    await using there = instance(client(), { namespace: here.namespace })
    const running = gate<string>()
    const options = { name: 'slow', key: (input: string) => input, recovery: { mode: 'manual' } } as const
    const first = here.idem.define({ ...options, run: () => running.promise })('a')
    const [key] = await eventually(async () => {
      const keys = await recordKeys(redis, here.namespace)
      return keys.length === 1 && keys
    })
    const before = await redis.get(key as string)
    const rejecting = there.idem.define({ ...options, onBusy: 'reject', run: () => 'twice' })
    const busy = await rejection(rejecting('a'))
    expect(busy).toMatchObject({ code: 'ERR_IDEMPOTENCY_BUSY', outcome: 'unknown', retryable: true })
    expect(busy['retryAfterMs']).toBeGreaterThan(0)
    const impatient = there.idem.define({ ...options, waitMs: 60, run: () => 'twice' })
    expect(await rejection(impatient('a'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_BUSY' })
    const waiting = there.idem.define({ ...options, run: () => 'twice' })
    const controller = new AbortController()
    const left = waiting('a', { signal: controller.signal })
    await sleep(50)
    const reason = new Error('the customer left')
    controller.abort(reason)
    expect(await rejection(left)).toBe(reason)
    expect(await redis.get(key as string)).toBe(before)
    const patient = waiting('a')
    running.open('once')
    expect(await first).toMatchObject({ status: 'executed', value: 'once' })
    expect(await patient).toMatchObject({ status: 'replayed', value: 'once' })
  })

  test('an effect of three leases runs once, while another process waits [claim 13]', async () => {
    await using here = instance(client())
    await using there = instance(client(), { namespace: here.namespace })
    const at = receiver()
    const options = {
      name: 'long',
      key: (input: string) => input,
      recovery: { mode: 'repeat' },
      leaseMs: 1000,
      run: async (_input: string, ctx: { effectId: string; fence: number; signal: AbortSignal }) => {
        await sleep(3000)
        return at.take(ctx, ctx.signal.aborted)
      },
    } as const
    const first = here.idem.define(options)('a')
    await eventually(() => here.of('started').length === 1)
    const second = await there.idem.define(options)('a')
    expect(await first).toMatchObject({ status: 'executed', value: false })
    expect(second).toMatchObject({ status: 'replayed', value: false })
    expect(at.count()).toBe(1)
    expect(here.of('renewed').length).toBeGreaterThanOrEqual(3)
  })

  test('twins of one instance join the running call: one claim, replayed values of their own', async () => {
    await using here = instance(client())
    const running = gate<{ n: number }>()
    let runs = 0
    const effect = here.idem.define({
      name: 'twins',
      key: (input: string) => input,
      recovery: { mode: 'manual' },
      run: () => {
        runs += 1
        return running.promise
      },
    })
    const calls = [effect('a'), effect('a'), effect('a')]
    await eventually(() => runs === 1)
    running.open({ n: 1 })
    const [first, second, third] = await Promise.all(calls)
    expect([first?.status, second?.status, third?.status]).toEqual(['executed', 'replayed', 'replayed'])
    expect(second?.value).toEqual({ n: 1 })
    expect(second?.value).not.toBe(third?.value)
    expect(runs).toBe(1)
  })

  test.for([
    ['without a schema', undefined],
    [
      'with a schema that changes it',
      z.object({ text: z.string() }).transform(({ text }) => ({ text, at: new Date(0) })),
    ],
  ] as const)('twins get a value too large to be kept as a replay of their own, %s', async ([, result]) => {
    await using here = instance(client())
    const running = gate<never>()
    let runs = 0
    const effect = here.idem.define<string, { text: string }>({
      name: 'large-twins',
      key: input => input,
      maxResultBytes: 10,
      result,
      recovery: { mode: 'manual' },
      run: () => {
        runs += 1
        return running.promise
      },
    })
    const calls = [effect('a'), effect('a'), effect('a')] as const
    await eventually(() => runs === 1)
    running.open({ text: 'x'.repeat(20) } as never)
    const [first, second, third] = await Promise.all(calls)
    expect([first, second, third]).toMatchObject([
      { status: 'executed', recorded: true },
      { status: 'replayed', recorded: true, source: 'executor' },
      { status: 'replayed', recorded: true, source: 'executor' },
    ])
    expect(second).toMatchObject({ value: first.value, fence: first.fence, attempt: 1, effectId: first.effectId })
    expect(new Set([first.value, second.value, third.value]).size).toBe(3)
    expect(await rejection(effect('a'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_RESULT_NOT_KEPT' })
  })

  test('a twin waits no longer than its waitMs in all, however many leave that it had joined', async () => {
    const clock = createManualClock()
    await using there = instance(client())
    await using here = instance(client(), { namespace: there.namespace, clock })
    const running = gate<string>()
    const options = {
      name: 'patience',
      key: (input: string) => input,
      recovery: { mode: 'manual' },
      waitMs: 1000,
    } as const
    const blocker = there.idem.define({ ...options, run: () => running.promise })('a')
    await eventually(() => there.of('started').length === 1)
    const effect = here.idem.define({ ...options, run: () => 'own' })
    const controller = new AbortController()
    const leaving = rejection(effect('a', { signal: controller.signal }))
    const next = rejection(effect('a'))
    const twin = rejection(effect('a'))
    await clock.advance(600)
    controller.abort(new Error('left'))
    expect(await leaving).toMatchObject({ message: 'left' })
    await clock.advance(600)
    expect(await Promise.race([twin, sleep(5000)])).toMatchObject({ code: 'ERR_IDEMPOTENCY_BUSY' })
    // The one that took the lead polls, and its next poll is beyond its patience too.
    await eventually(async () => {
      await clock.advance(50)
      return Promise.race([next, sleep(5)])
    })
    expect(await next).toMatchObject({ code: 'ERR_IDEMPOTENCY_BUSY' })
    running.open('theirs')
    await blocker
  })

  test('twins of a call whose caller left before dispatch start their own', async () => {
    await using here = instance(client())
    await using there = instance(client(), { namespace: here.namespace })
    const running = gate<string>()
    const options = { name: 'leader', key: (input: string) => input, recovery: { mode: 'manual' } } as const
    const blocker = there.idem.define({ ...options, run: () => running.promise })('a')
    await eventually(() => there.of('started').length === 1)
    const effect = here.idem.define({ ...options, run: () => 'own' })
    const controller = new AbortController()
    const leader = effect('a', { signal: controller.signal })
    const twin = effect('a')
    await sleep(40)
    controller.abort(new Error('left'))
    await expect(leader).rejects.toThrow('left')
    running.open('theirs')
    await blocker
    expect(await twin).toMatchObject({ status: 'replayed', value: 'theirs' })
  })

  test('after dispatch an aborted caller gets its reason, and the effect is recorded all the same', async () => {
    await using here = instance(client())
    const running = gate<string>()
    const effect = here.idem.define({
      name: 'abort',
      key: (input: string) => input,
      recovery: { mode: 'manual' },
      run: () => running.promise,
    })
    const controller = new AbortController()
    const call = effect('a', { signal: controller.signal })
    await eventually(() => here.of('started').length === 1)
    controller.abort(new Error('enough'))
    await expect(call).rejects.toThrow('enough')
    running.open('done')
    await eventually(async () => (await here.idem.inspect('abort', 'a'))?.state === 'done')
    expect(await effect('a')).toMatchObject({ status: 'replayed', value: 'done' })
  })

  test('executeOnce runs once, by its own name and recovery, and takes fingerprint and memo as values', async () => {
    await using here = instance(client())
    let runs = 0
    const run = (): number => (runs += 1)
    expect(await here.idem.executeOnce('a', run)).toMatchObject({ status: 'executed', value: 1 })
    expect(await here.idem.executeOnce('a', run)).toMatchObject({ status: 'replayed', value: 1 })
    expect(await here.idem.inspect('default', 'a')).toMatchObject({ mode: 'manual', state: 'done' })
    const options = { name: 'job', fingerprint: { n: 1 }, memo: 'note', recovery: { mode: 'repeat' } } as const
    expect(await here.idem.executeOnce('a', run, options)).toMatchObject({ value: 2 })
    expect(await rejection(here.idem.executeOnce('a', run, { ...options, fingerprint: { n: 2 } }))).toMatchObject({
      code: 'ERR_IDEMPOTENCY_MISMATCH',
    })
    expect(runs).toBe(2)
  })

  test('an error says what it means: ECONNREFUSED is not run, ECONNRESET and a 500 are doubt, a final error replays as FAILED [claim 17]', async () => {
    await using here = instance(client())
    let next: () => unknown = () => 'ok'
    const effect = here.idem.define({
      name: 'errors',
      key: (input: string) => input,
      recovery: { mode: 'manual' },
      run: () => next(),
    })
    const failing = (fields: object) => (): never => {
      throw Object.assign(new Error('it broke'), fields)
    }
    next = failing({ code: 'ECONNREFUSED' })
    expect(await rejection(effect('refused'))).toMatchObject({ code: 'ECONNREFUSED' })
    expect((await here.idem.inspect('errors', 'refused'))?.state).toBe('not-run')
    next = () => 'ok'
    expect(await effect('refused')).toMatchObject({ status: 'executed', value: 'ok', attempt: 2 })
    for (const [key, fields] of [
      ['reset', { code: 'ECONNRESET' }],
      ['status', { status: 500 }],
    ] as const) {
      next = failing(fields)
      const error = await rejection(effect(key))
      expect(error).toMatchObject({
        code: 'ERR_IDEMPOTENCY_IN_DOUBT',
        outcome: 'unknown',
        retryable: false,
        mode: 'manual',
      })
      expect(error['reason']).toBe('unclear')
      expect(error['cause']).toMatchObject(fields)
      expect((await here.idem.inspect('errors', key))?.state).toBe('in-doubt')
    }
    next = failing({ outcome: 'ran', name: 'Rejected', code: 'LIMIT' })
    expect(await rejection(effect('final'))).toMatchObject({ code: 'LIMIT' })
    next = () => 'ok'
    expect(await rejection(effect('final'))).toMatchObject({
      code: 'ERR_IDEMPOTENCY_FAILED',
      outcome: 'ran',
      retryable: false,
      failure: { name: 'Rejected', message: 'it broke', code: 'LIMIT' },
    })
  })

  test('an effect that outlives its timeout is in doubt, and its late value still closes the doubt', async () => {
    await using here = instance(client())
    const running = gate<string>()
    let aborted = false
    const effect = here.idem.define({
      name: 'late',
      key: (input: string) => input,
      recovery: { mode: 'manual' },
      effectTimeoutMs: 30,
      run: (_input, ctx) => {
        ctx.signal.addEventListener('abort', () => (aborted = true))
        return running.promise
      },
    })
    expect(await rejection(effect('a'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT', reason: 'timeout' })
    expect(aborted).toBe(true)
    expect(await here.idem.inspect('late', 'a')).toMatchObject({ state: 'in-doubt', reason: 'timeout' })
    running.open('after all')
    await eventually(async () => (await here.idem.inspect('late', 'a'))?.state === 'done')
    expect(await effect('a')).toMatchObject({ status: 'replayed', value: 'after all' })
    await eventually(() => here.of('recorded-late').length === 1)
  })

  test('an effect that looks at its signal only after the timeout finds it aborted, with the reason', async () => {
    await using here = instance(client())
    const running = gate<undefined>()
    const seen = gate<AbortSignal>()
    const effect = here.idem.define({
      name: 'late-look',
      key: (input: string) => input,
      recovery: { mode: 'manual' },
      effectTimeoutMs: 30,
      run: async (_input, ctx) => {
        await running.promise
        seen.open(ctx.signal)
        // Copied, a context keeps what it had.
        return { ...ctx }.signal === ctx.signal
      },
    })
    expect(await rejection(effect('a'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT', reason: 'timeout' })
    running.open(undefined)
    const signal = await seen.promise
    expect(signal.aborted).toBe(true)
    expect(signal.reason).toMatchObject({ name: 'TimeoutError' })
    await eventually(async () => (await here.idem.inspect('late-look', 'a'))?.value === true)
  })

  test('after disposal every call is CLOSED, and running effects were waited for', async () => {
    const here = instance(client())
    const running = gate<string>()
    const effect = here.idem.define({
      name: 'close',
      key: (input: string) => input,
      recovery: { mode: 'manual' },
      run: () => running.promise,
    })
    const call = effect('a')
    await eventually(() => here.of('started').length === 1)
    let closed = false
    const closing = here.idem[Symbol.asyncDispose]().then(() => (closed = true))
    expect(await rejection(effect('b'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_CLOSED', outcome: 'not-run' })
    await sleep(50)
    expect(closed).toBe(false)
    running.open('done')
    await closing
    expect((await call).value).toBe('done')
    expect(await rejection(here.idem.inspect('close', 'a'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_CLOSED' })
    await using again = instance(client(), { namespace: here.namespace })
    expect((await again.idem.inspect('close', 'a'))?.state).toBe('done')
  })

  test('list gives the open records, by effect and state, and with all every record once', async () => {
    await using here = instance(client())
    const effect = here.idem.define({
      name: 'listed',
      key: (input: string) => input,
      recovery: { mode: 'manual' },
      run: input => {
        if (input.startsWith('bad')) throw new Error('unclear')
        return input
      },
    })
    for (const key of ['a', 'b', 'bad:1', 'bad:2']) await effect(key).catch(() => undefined)
    const open = await collect(here.idem.list())
    expect(open.map(view => view.key).sort()).toEqual(['bad:1', 'bad:2'])
    expect(open.every(view => view.state === 'in-doubt')).toBe(true)
    expect(await collect(here.idem.list({ all: true }))).toHaveLength(4)
    expect(await collect(here.idem.list({ all: true, states: ['done'] }))).toHaveLength(2)
    expect(await collect(here.idem.list({ all: true, limit: 3 }))).toHaveLength(3)
    expect(await collect(here.idem.list({ effect: 'other', all: true }))).toHaveLength(0)
    const reason = new Error('enough')
    expect(await rejection(collect(here.idem.list({}, { signal: AbortSignal.abort(reason) })))).toBe(reason)
  })

  test('a key is shown to the effect, its caller and people as it was given', async () => {
    await using here = instance(client())
    const effect = here.idem.define({
      name: 'shown',
      key: (input: string) => input,
      recovery: { mode: 'manual' },
      run: (_input, ctx) => ctx.key,
    })
    for (const key of ['order-7', 'order 7/ä%20', '~']) {
      expect(await effect(key)).toMatchObject({ key, value: key, status: 'executed' })
      expect(await effect(key)).toMatchObject({ key, value: key, status: 'replayed' })
      expect(await here.idem.inspect('shown', key)).toMatchObject({ key, value: key })
    }
  })

  test('a long key is stored and shown by its digest, and people find it under that name', async () => {
    await using here = instance(client())
    const effect = here.idem.define({
      name: 'long.key',
      key: (input: string) => input,
      recovery: { mode: 'manual' },
      run: (): string => {
        throw new Error('unclear')
      },
    })
    const key = 'order '.repeat(1000)
    const error = await rejection(effect(key))
    expect(JSON.stringify(error) + String(error['message'])).not.toContain('order ')
    const [view] = await collect(here.idem.list())
    expect(view?.key).toMatch(/^~[A-Za-z0-9_-]{43}$/)
    expect(view?.effectId).toBe(effect.effectIdOf(key))
    expect(await here.idem.inspect('long.key', key)).toEqual(view)
    expect(await here.idem.inspect('long.key', view?.key ?? '')).toEqual(view)
    const order = { by: 'ann', why: 'seen at the venue' }
    await here.idem.resolve('long.key', view?.key ?? '', { outcome: 'ran', value: 1, ...order })
    expect(await effect(key)).toMatchObject({ status: 'replayed', source: 'operator', value: 1 })
    expect(await here.idem.inspect('long.key', `~${'x'.repeat(43)}`)).toBeUndefined()
    expect(await rejection(here.idem.inspect('Long Key', 'a'))).toMatchObject({
      code: 'ERR_IDEMPOTENCY_OPTIONS',
      option: 'effect',
    })
  })
})
