import { describe, expect, test } from 'vitest'

import type { BreakerOptions } from '../src/index.ts'
import { ServiceError, localBreaker } from './support/local-breaker.ts'

const longOnly: Partial<BreakerOptions> = { windows: { fast: false } }

describe('when it opens [claim 2]', () => {
  for (const failureRatio of [0.07, 0.1, 0.3, 1 / 3, 0.5, 0.7, 0.9, 1]) {
    test(`at a ratio of exactly ${failureRatio.toFixed(2)}, not one failure earlier`, async () => {
      const calls = failureRatio === 1 / 3 ? 300 : 100
      const failures = Math.round(calls * failureRatio)
      const one = localBreaker({ ...longOnly, failureRatio, minimumCalls: calls })
      await one.ok(calls - failures)
      await one.fail(failures - 1)
      expect(one.breaker.state).toBe('closed')
      await one.fail(1)
      expect(one.breaker.state).toBe('open')

      const fewer = localBreaker({ ...longOnly, failureRatio, minimumCalls: calls })
      await fewer.ok(calls - failures + 1)
      await fewer.fail(failures - 1)
      expect(fewer.breaker.state).toBe('closed')
    })
  }

  test('never below minimumCalls, not even when every call fails', async () => {
    const { breaker, fail } = localBreaker({ ...longOnly, minimumCalls: 20 })
    await fail(19)
    expect(breaker.state).toBe('closed')
    await fail(1)
    expect(breaker.state).toBe('open')
  })

  test('ignored calls do not help to reach minimumCalls', async () => {
    const { breaker, fail } = localBreaker({
      ...longOnly,
      minimumCalls: 5,
      isIgnored: error => (error as Error).message === 'not mine',
    })
    for (let n = 0; n < 10; n += 1) {
      await breaker.run(() => Promise.reject(new Error('not mine'))).catch((error: unknown) => error)
    }
    await fail(4)
    expect(breaker.state).toBe('closed')
  })
})

describe('what the windows forget [claim 3]', () => {
  test('after an idle half window only the younger half counts', async () => {
    const { breaker, ok, fail, clock } = localBreaker({
      windows: { long: { lengthMs: 10_000, buckets: 10 }, fast: false },
    })
    await fail(9)
    await clock.advance(5_000)
    await ok(3)
    await clock.advance(5_000)
    expect(breaker.snapshot().windows.long).toEqual({ ok: 3, failed: 0, slow: 0 })
    await clock.advance(5_000)
    expect(breaker.snapshot().windows.long).toEqual({ ok: 0, failed: 0, slow: 0 })
  })

  test('old failures do not open it once they have left the window', async () => {
    const { breaker, fail, clock } = localBreaker({ ...longOnly, minimumCalls: 10 })
    await fail(9)
    await clock.advance(10_000)
    await fail(9)
    expect(breaker.state).toBe('closed')
  })

  test('an idle day leaves nothing behind', async () => {
    const { breaker, fail, clock } = localBreaker({ minimumCalls: 10 })
    await fail(9)
    await clock.advance(86_400_000)
    expect(breaker.snapshot().windows).toEqual({
      long: { ok: 0, failed: 0, slow: 0 },
      fast: { ok: 0, failed: 0, slow: 0 },
    })
  })
})

describe('which clock counts [claim 4]', () => {
  test('a wall clock an hour off, and jumping, changes nothing', async () => {
    const steady = localBreaker()
    const jumping = localBreaker()
    let offMs = 0
    const wall = jumping.clock.now.bind(jumping.clock)
    jumping.clock.now = () => wall() + offMs
    for (const step of [0, 3_600_000, -3_600_000, 7_200_000]) {
      offMs += step
      for (const one of [steady, jumping]) {
        await one.fail(4)
        await one.clock.advance(400)
      }
      expect(jumping.breaker.state).toBe(steady.breaker.state)
      const [a, b] = [steady.breaker.snapshot(), jumping.breaker.snapshot()]
      expect(b).toEqual({ ...a, takenAtMs: a.takenAtMs + offMs })
    }
    expect(steady.breaker.state).toBe('open')
  })
})

describe('slow calls [claim 5]', () => {
  const slowOptions: Partial<BreakerOptions> = {
    ...longOnly,
    slowCall: { thresholdMs: 100, ratio: 0.5 },
    minimumCalls: 10,
  }

  test('slow successes alone open it, at exactly the ratio and the threshold', async () => {
    const { breaker, ok, clock } = localBreaker(slowOptions)
    const slow = (ms: number): Promise<unknown> => breaker.run(() => clock.advance(ms))
    await ok(4)
    await slow(99)
    for (let n = 0; n < 4; n += 1) await slow(100)
    await ok(1)
    expect(breaker.state).toBe('closed')
    await slow(100)
    await slow(100)
    expect(breaker.snapshot()).toMatchObject({ state: 'open', totals: { ok: 12, failed: 0, slow: 6 } })
  })

  test('the event names the rule', async () => {
    const { breaker, clock, events } = localBreaker(slowOptions)
    for (let n = 0; n < 10; n += 1) await breaker.run(() => clock.advance(100))
    await clock.advance(0)
    expect(events[0]).toMatchObject({ type: 'opened', why: 'slow-ratio', limits: { slowRatio: 0.5 } })
  })

  test('a slow failure counts in both ratios', async () => {
    const { breaker, clock } = localBreaker({
      ...slowOptions,
      failureRatio: 1,
      slowCall: { thresholdMs: 100, ratio: 1 },
    })
    await breaker
      .run(async () => {
        await clock.advance(100)
        throw new ServiceError('slow and down')
      })
      .catch((error: unknown) => error)
    expect(breaker.snapshot().windows.long).toEqual({ ok: 0, failed: 1, slow: 1 })
  })
})

describe('the fast window [claim 6]', () => {
  test('opens within 0.9 s of an outage, the long ratio still below its limit', async () => {
    const { breaker, ok, fail, clock, events } = localBreaker()
    // 15 calls a second, healthy for 10 s, then all fail.
    for (let n = 0; n < 150; n += 1) {
      await ok(1)
      await clock.advance(1_000 / 15)
    }
    let outageMs = 0
    for (;;) {
      await fail(1)
      if (breaker.state === 'open' || outageMs > 5_000) break
      await clock.advance(1_000 / 15)
      outageMs += 1_000 / 15
    }
    await clock.advance(0)
    expect(outageMs).toBeLessThanOrEqual(900 + 200)
    const opened = events.find(event => event.type === 'opened')
    expect(opened).toMatchObject({ why: 'fast-failure-ratio' })
    const long = opened?.type === 'opened' ? opened.windows?.long : undefined
    expect((long?.failed ?? 0) / ((long?.ok ?? 0) + (long?.failed ?? 0))).toBeLessThan(0.5)
  })

  test('with fast: false the same outage needs the long window', async () => {
    const { breaker, ok, fail } = localBreaker(longOnly)
    await ok(100)
    await fail(99)
    expect(breaker.state).toBe('closed')
    await fail(1)
    expect(breaker.state).toBe('open')
  })
})

describe('many at once [claim 9]', () => {
  test('1,000 parallel failures emit one opened', async () => {
    const { breaker, clock, events } = localBreaker()
    const { promise, reject } = Promise.withResolvers<never>()
    const calls = Array.from({ length: 1_000 }, () => breaker.run(() => promise).catch((error: unknown) => error))
    reject(new ServiceError('down'))
    await Promise.all(calls)
    await clock.advance(0)
    expect(events.filter(event => event.type === 'opened')).toHaveLength(1)
    expect(breaker.snapshot()).toMatchObject({ state: 'open', opens: 1, totals: { failed: 1_000 } })
  })

  test('calls that began before the move do not count after it', async () => {
    const { breaker, fail, clock } = localBreaker({ ramp: false, halfOpen: { successes: 1 } })
    const { promise, reject } = Promise.withResolvers<never>()
    const calls = Array.from({ length: 100 }, () => breaker.run(() => promise).catch((error: unknown) => error))
    await fail(10)
    await clock.advance(5_000)
    await breaker.run(() => 'probe')
    expect(breaker.state).toBe('closed')
    reject(new ServiceError('from before'))
    await Promise.all(calls)
    expect(breaker.snapshot()).toMatchObject({ state: 'closed', windows: { long: { failed: 0 } } })
  })
})

test('opened tells windows, limits and the three most frequent errors, never a message', async () => {
  const { breaker, clock, events } = localBreaker()
  const errors = [
    ...Array.from({ length: 5 }, () => Object.assign(new Error('secret-1'), { code: 'ECONNRESET' })),
    ...Array.from({ length: 3 }, () => new TypeError('secret-2')),
    'a text',
    Object.assign(new Error('secret-3'), { code: 503 }),
  ]
  for (const error of errors) await breaker.run(() => Promise.reject(error)).catch((thrown: unknown) => thrown)
  await clock.advance(0)
  expect(events).toHaveLength(1)
  expect(events[0]).toMatchObject({
    id: 'orders@1',
    type: 'opened',
    breaker: 'orders',
    mode: 'local',
    scope: 'process',
    state: 'open',
    previous: 'closed',
    epoch: 1,
    first: true,
    why: 'fast-failure-ratio',
    coolOffMs: 5_000,
    opens: 1,
    windows: { long: { ok: 0, failed: 10, slow: 0 }, fast: { ok: 0, failed: 10, slow: 0 } },
    limits: { minimumCalls: 20, failureRatio: 0.5, slowRatio: null, fast: { minimumCalls: 10, failureRatio: 0.9 } },
    fleet: null,
    errors: [
      { name: 'Error', code: 'ECONNRESET', count: 5 },
      { name: 'TypeError', code: null, count: 3 },
      { name: 'string', code: null, count: 1 },
    ],
  })
  expect(JSON.stringify(events)).not.toContain('secret')
})
