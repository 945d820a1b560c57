import { describe, expect, test } from 'vitest'

import { createBreaker, createBreakers } from '../src/index.ts'
import { localBreaker } from './support/local-breaker.ts'

describe('what a breaker holds [claim 19]', () => {
  test('10,000 breakers add no timer, and none while they run and open', async () => {
    const { clock } = localBreaker()
    const before = timers()
    const registry = createBreakers({ clock, maxNames: 10_000 })
    const breakers = Array.from({ length: 10_000 }, (_, n) => registry.get(`job-${n}`))
    for (const breaker of breakers.slice(0, 100)) {
      for (let n = 0; n < 10; n += 1)
        await breaker.run(() => Promise.reject(new Error('down'))).catch((error: unknown) => error)
    }
    expect(breakers[0]?.state).toBe('open')
    expect(clock.pending).toBe(0)
    expect(timers()).toBe(before)
    await registry[Symbol.asyncDispose]()
  })

  test('dispose leaves no handle, not even under an order', async () => {
    const { breaker, clock } = localBreaker()
    await breaker.force('open', { by: 'ada', reason: 'drill', forMs: 60_000 })
    expect(clock.pending).toBe(1)
    await breaker[Symbol.asyncDispose]()
    expect(clock.pending).toBe(0)
    await breaker[Symbol.asyncDispose]()
  })

  test('after dispose every call rejects and says so', async () => {
    const { breaker, call } = localBreaker()
    await breaker[Symbol.asyncDispose]()
    expect(await call()).toBe('ERR_BREAKER_DISPOSED')
    const order = { by: 'ada', reason: 'late' }
    await expect(breaker.force('closed', order)).rejects.toMatchObject({
      code: 'ERR_BREAKER_DISPOSED',
      breaker: 'orders',
    })
    await expect(breaker.release(order)).rejects.toMatchObject({ code: 'ERR_BREAKER_DISPOSED' })
    await expect(breaker.history()).rejects.toMatchObject({ code: 'ERR_BREAKER_DISPOSED' })
  })

  test('a call under way at dispose still ends as it ends', async () => {
    const { breaker } = localBreaker()
    const { promise, resolve } = Promise.withResolvers<string>()
    const call = breaker.run(() => promise)
    await breaker[Symbol.asyncDispose]()
    resolve('done')
    expect(await call).toBe('done')
  })

  test('a listener that throws or hangs changes nothing', async () => {
    const { clock } = localBreaker()
    const throwing = createBreaker({
      name: 'orders',
      clock,
      onEvent: () => {
        throw new Error('listener')
      },
    })
    const hanging = createBreaker({ name: 'orders', clock, onEvent: () => new Promise(() => {}) as never })
    for (const breaker of [throwing, hanging]) {
      for (let n = 0; n < 10; n += 1)
        await breaker.run(() => Promise.reject(new Error('x'))).catch((error: unknown) => error)
      expect(breaker.state).toBe('open')
    }
    await clock.advance(0)
  })

  test('ready is local without Redis, and abortable', async () => {
    const { breaker } = localBreaker()
    expect(await breaker.ready()).toBe('local')
    await expect(breaker.ready({ signal: AbortSignal.abort('no') })).rejects.toBe('no')
  })
})

function timers(): number {
  return process.getActiveResourcesInfo().filter(resource => resource === 'Timeout').length
}
