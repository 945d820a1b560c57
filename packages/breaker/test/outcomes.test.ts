import { describe, expect, test } from 'vitest'

import { isBreakerOpenError } from '../src/index.ts'
import { ServiceError, localBreaker, pendingWork } from './support/local-breaker.ts'

describe('what passes through [claim 1]', () => {
  test('values and errors pass unchanged, the very same objects', async () => {
    const { breaker } = localBreaker()
    const value = { deep: [1] }
    const error = new ServiceError('down')
    expect(await breaker.run(() => value)).toBe(value)
    expect(await breaker.run(async () => value)).toBe(value)
    await expect(breaker.run(() => Promise.reject(error))).rejects.toBe(error)
    await expect(breaker.run(() => Promise.reject(undefined))).rejects.toBeUndefined()
  })

  test('a synchronous throw becomes a rejection with the very same error', async () => {
    const { breaker } = localBreaker()
    const error = new ServiceError('down')
    const run = breaker.run(() => {
      throw error
    })
    await expect(run).rejects.toBe(error)
    expect(breaker.snapshot().totals.failed).toBe(1)
  })

  test('a wrapped method keeps its this and its arguments', async () => {
    const { breaker } = localBreaker()
    const account = {
      balance: 5,
      add: breaker.wrap(function add(this: { balance: number }, amount: number, note: string) {
        return `${this.balance + amount} ${note}`
      }),
    }
    expect(await account.add(2, 'fee')).toBe('7 fee')
  })

  test('what passes is the same in a ramp, in a probe and under an order', async () => {
    const { breaker, fail, clock } = localBreaker({ ramp: { fromShare: 1, minRate: 0 }, halfOpen: { successes: 2 } })
    const error = new ServiceError('still down')
    await fail(10)
    await clock.advance(5_000)
    expect(await breaker.run(({ probe }) => probe)).toBe(true)
    expect(await breaker.run(({ probe }) => probe)).toBe(true)
    expect(breaker.state).toBe('ramping')
    expect(await breaker.run(({ probe }) => probe)).toBe(false)
    await breaker.force('disabled', { by: 'ada', reason: 'drill', forMs: 1_000 })
    await expect(breaker.run(() => Promise.reject(error))).rejects.toBe(error)
  })
})

describe('what counts [claim 7]', () => {
  test('an ignored error counts nowhere', async () => {
    const { breaker, fail } = localBreaker({ isIgnored: () => true })
    await fail(30)
    expect(breaker.state).toBe('closed')
    expect(breaker.snapshot()).toMatchObject({
      windows: { long: { ok: 0, failed: 0, slow: 0 } },
      totals: { ok: 0, failed: 0, ignored: 30 },
    })
  })

  test('an error that is no failure counts as success', async () => {
    const { breaker, fail } = localBreaker({ isFailure: () => false })
    await fail(30)
    expect(breaker.snapshot().windows.long).toEqual({ ok: 30, failed: 0, slow: 0 })
  })

  test('isIgnored is asked before isFailure', async () => {
    const asked: string[] = []
    const { fail } = localBreaker({
      isIgnored: () => asked.push('isIgnored') > 0,
      isFailure: () => asked.push('isFailure') > 0,
    })
    await fail(1)
    expect(asked).toEqual(['isIgnored'])
  })

  test('a result can be a failure, and is returned all the same', async () => {
    const { breaker } = localBreaker({
      classifyResult: value => ((value as { status: number }).status >= 500 ? 'failure' : 'success'),
    })
    for (let call = 0; call < 10; call += 1) expect(await breaker.run(() => ({ status: 503 }))).toEqual({ status: 503 })
    expect(breaker.state).toBe('open')
  })

  test('a result can be ignored', async () => {
    const { breaker, ok } = localBreaker({ classifyResult: () => 'ignored' })
    await ok(3)
    expect(breaker.snapshot()).toMatchObject({ windows: { long: { ok: 0 } }, totals: { ignored: 3, ok: 0 } })
  })

  test('a classifier that throws is replaced by its default and told once a minute', async () => {
    const broken = (): never => {
      throw new Error('bug in the classifier')
    }
    const { breaker, fail, ok, events, clock } = localBreaker({
      isIgnored: broken,
      isFailure: broken,
      classifyResult: broken,
    })
    await ok(2)
    await fail(2)
    expect(breaker.snapshot().windows.long).toEqual({ ok: 2, failed: 2, slow: 0 })
    await clock.advance(59_999)
    await ok(1)
    await clock.advance(1)
    await ok(1)
    await clock.advance(0)
    const told = events.filter(event => event.type === 'hook-failed').map(({ hook, count }) => `${hook} ${count}`)
    expect(told).toEqual(['classifyResult 1', 'isIgnored 1', 'isFailure 1', 'classifyResult 3'])
  })

  test('a classifier that answers nonsense counts as success and is told', async () => {
    const { breaker, ok, events, clock } = localBreaker({ classifyResult: () => 'maybe' as never })
    await ok(1)
    await clock.advance(0)
    expect(breaker.snapshot().windows.long.ok).toBe(1)
    expect(events.map(event => event.type)).toEqual(['hook-failed'])
  })

  test('a rejection by a breaker further in is ignored', async () => {
    const inner = localBreaker({ name: 'inner' })
    const outer = localBreaker({ name: 'outer' })
    await inner.fail(10)
    for (let call = 0; call < 30; call += 1) {
      await outer.breaker.run(() => inner.breaker.run(() => 'never')).catch((error: unknown) => error)
    }
    expect(outer.breaker.snapshot()).toMatchObject({ state: 'closed', totals: { ignored: 30, failed: 0 } })
  })
})

describe('aborts and time-outs [claim 8]', () => {
  test('an abort rejects at once with the reason, counts nothing and leaves no listener', async () => {
    const { breaker } = localBreaker()
    const controller = new AbortController()
    const added = countListeners(controller.signal)
    const { work, resolve } = pendingWork()
    const call = breaker.run(work, { signal: controller.signal })
    const reason = new Error('user left')
    controller.abort(reason)
    await expect(call).rejects.toBe(reason)
    resolve('too late')
    await Promise.resolve()
    expect(breaker.snapshot()).toMatchObject({
      inFlight: 0,
      totals: { ok: 0, failed: 0, ignored: 0, timedOut: 0 },
      windows: { long: { ok: 0, failed: 0 } },
    })
    expect(added.now()).toBe(0)
  })

  test('a call that ends by itself leaves no listener on its signal', async () => {
    const { breaker } = localBreaker({ attemptTimeoutMs: 100 })
    const controller = new AbortController()
    const added = countListeners(controller.signal)
    await breaker.run(() => 'ok', { signal: controller.signal })
    await breaker
      .run(() => Promise.reject(new Error('x')), { signal: controller.signal })
      .catch((error: unknown) => error)
    expect(added.most).toBe(1)
    expect(added.now()).toBe(0)
  })

  test('a signal that is aborted already runs nothing', async () => {
    const { breaker } = localBreaker()
    let ran = false
    const call = breaker.run(() => (ran = true), { signal: AbortSignal.abort('gone') })
    await expect(call).rejects.toBe('gone')
    expect(ran).toBe(false)
  })

  test('the work gets the signal of its caller', async () => {
    const { breaker } = localBreaker()
    const controller = new AbortController()
    await breaker.run(({ signal }) => expect(signal).toBe(controller.signal), { signal: controller.signal })
  })

  test('work without a signal gets one that no other call shares', async () => {
    const { breaker } = localBreaker()
    const first = await breaker.run(({ signal }) => signal)
    const second = await breaker.run(({ signal }) => signal)
    expect(first).toBeInstanceOf(AbortSignal)
    expect(first).not.toBe(second)
  })

  test('a time-out rejects as unknown, aborts the signal and counts one failure, whatever the work does later', async () => {
    const { breaker, clock } = localBreaker({ attemptTimeoutMs: 100 })
    const { work, reject } = pendingWork()
    let seen: AbortSignal | undefined
    const call = breaker
      .run(({ signal }) => {
        seen = signal
        return work()
      })
      .catch((error: unknown) => error)
    await clock.advance(99)
    expect(seen?.aborted).toBe(false)
    await clock.advance(1)
    const error = await call
    expect(error).toMatchObject({
      name: 'BreakerTimeoutError',
      code: 'ERR_BREAKER_TIMEOUT',
      outcome: 'unknown',
      retryable: true,
      breaker: 'orders',
      attemptTimeoutMs: 100,
    })
    expect(seen?.reason).toBe(error)
    reject(new Error('too late'))
    await clock.advance(0)
    expect(breaker.snapshot().totals).toMatchObject({ failed: 1, timedOut: 1, ok: 0 })
    expect(clock.pending).toBe(0)
  })

  test('time-outs alone open the breaker', async () => {
    const { breaker, clock } = localBreaker({ attemptTimeoutMs: 100 })
    const calls = Array.from({ length: 10 }, () =>
      breaker.run(() => new Promise(() => {})).catch((error: unknown) => error),
    )
    await clock.advance(100)
    await Promise.all(calls)
    expect(breaker.state).toBe('open')
  })
})

describe('rejections', () => {
  test('a rejected call never runs, and its error says for how long, why and by whom', async () => {
    const { breaker, fail } = localBreaker()
    await fail(10)
    let ran = false
    const error = await breaker.run(() => (ran = true)).catch((thrown: unknown) => thrown)
    expect(ran).toBe(false)
    expect(isBreakerOpenError(error)).toBe(true)
    expect(error).toMatchObject({
      name: 'BreakerOpenError',
      code: 'ERR_BREAKER_OPEN',
      outcome: 'not-run',
      retryable: true,
      breaker: 'orders',
      state: 'open',
      scope: 'process',
      why: 'fast-failure-ratio',
      retryAfterMs: 5_000,
    })
    expect((error as Error).cause).toBeInstanceOf(ServiceError)
    expect((error as Error).stack).not.toContain(' at ')
  })

  test('making a rejection leaves the stack traces of other errors alone', async () => {
    const { fail, call } = localBreaker()
    const limit = Error.stackTraceLimit
    await fail(10)
    await call()
    expect(Error.stackTraceLimit).toBe(limit)
    expect(new Error('mine').stack).toContain(' at ')
  })

  test('isBreakerOpenError goes by the code, not by the class', () => {
    expect(isBreakerOpenError(Object.assign(new Error('elsewhere'), { code: 'ERR_BREAKER_OPEN' }))).toBe(true)
    expect(isBreakerOpenError(new Error('open'))).toBe(false)
    expect(isBreakerOpenError(undefined)).toBe(false)
  })

  test('rejections are told at most once a second, with their number, and to the last one', async () => {
    const { fail, call, clock, events } = localBreaker()
    await fail(10)
    for (let n = 0; n < 5; n += 1) await call()
    await clock.advance(999)
    await call()
    await clock.advance(1)
    await call()
    await call()
    await clock.advance(4_000)
    await call()
    await clock.advance(0)
    const counts = events.flatMap(event => (event.type === 'rejected' ? [event.count] : []))
    expect(counts).toEqual([1, 6, 1])
  })
})

function countListeners(signal: AbortSignal): { now(): number; readonly most: number } {
  const counts = { now: 0, most: 0 }
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    counts.now += 1
    counts.most = Math.max(counts.most, counts.now)
    add(...args)
  }
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    counts.now -= 1
    remove(...args)
  }
  return {
    now: () => counts.now,
    get most() {
      return counts.most
    },
  }
}
