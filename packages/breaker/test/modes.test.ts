import { describe, expect, test } from 'vitest'

import { localBreaker } from './support/local-breaker.ts'

describe('shadow [claim 17]', () => {
  test('a shadow never rejects and does not count what it would have rejected', async () => {
    const { breaker, fail, call, clock, typesOf, events } = localBreaker({ mode: 'shadow' })
    await fail(10)
    expect(breaker.snapshot()).toMatchObject({ state: 'open', mode: 'shadow', admittedShare: 1 })
    for (let n = 0; n < 5; n += 1) expect(await call()).toBe('ok')
    expect(breaker.snapshot()).toMatchObject({ totals: { rejected: 5 }, windows: { long: { ok: 0, failed: 0 } } })
    await clock.advance(1_000)
    await call()
    await clock.advance(0)
    expect(typesOf()).toEqual(['shadow-opened', 'shadow-rejected', 'shadow-rejected'])
    expect(events.every(event => event.mode === 'shadow')).toBe(true)
  })

  test('a shadow goes through the whole machine, and admits beside its probes', async () => {
    const { breaker, fail, call, clock, typesOf } = localBreaker({
      mode: 'shadow',
      ramp: false,
      halfOpen: { successes: 1 },
    })
    await fail(10)
    await clock.advance(5_000)
    const { promise, resolve } = Promise.withResolvers<string>()
    const probe = breaker.run(() => promise)
    expect(breaker.state).toBe('half-open')
    expect(await call()).toBe('ok')
    resolve('passed')
    expect(await probe).toBe('passed')
    expect(breaker.state).toBe('closed')
    await clock.advance(0)
    expect(typesOf()).toEqual(['shadow-opened', 'half-opened', 'shadow-rejected', 'probed', 'shadow-closed'])
  })

  test('an order to open does not make a shadow reject', async () => {
    const { breaker, call } = localBreaker({ mode: 'shadow' })
    await breaker.force('open', { by: 'ada', reason: 'drill', forMs: 1_000 })
    expect(breaker.state).toBe('forced-open')
    expect(await call()).toBe('ok')
  })
})
