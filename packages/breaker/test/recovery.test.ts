import { describe, expect, test } from 'vitest'

import type { BreakerOptions } from '../src/index.ts'
import { ServiceError, localBreaker, pendingWork } from './support/local-breaker.ts'
import type { LocalBreaker } from './support/local-breaker.ts'

async function opened(options: Partial<BreakerOptions> = {}): Promise<LocalBreaker> {
  const local = localBreaker({ ramp: false, ...options })
  await local.fail(10)
  expect(local.breaker.state).toBe('open')
  return local
}

describe('probes [claims 10, 11, 13]', () => {
  for (const probes of [1, 3]) {
    test(`half-open admits exactly ${probes} at once and rejects the rest at once`, async () => {
      const { breaker, clock, call } = await opened({ halfOpen: { probes, successes: 10 } })
      await clock.advance(4_999)
      expect(await call()).toBe('ERR_BREAKER_OPEN')
      await clock.advance(1)
      expect(breaker.state).toBe('open')
      const held = pendingWork()
      const under: boolean[] = []
      const running = Array.from({ length: probes }, () =>
        breaker.run(({ probe }) => {
          under.push(probe)
          return held.work()
        }),
      )
      expect(breaker.state).toBe('half-open')
      for (let n = 0; n < 20; n += 1) expect(await call()).toBe('ERR_BREAKER_OPEN')
      expect(under).toEqual(Array.from({ length: probes }, () => true))
      held.resolve('ok')
      await Promise.all(running)
      expect(await call()).toBe('ok')
    })
  }

  test('a hung probe frees its slot after leaseMs, and its late verdict is ignored', async () => {
    const { breaker, clock, call, events } = await opened({ halfOpen: { leaseMs: 2_000, successes: 2 } })
    await clock.advance(5_000)
    const hung = pendingWork()
    const probe = breaker.run(hung.work).catch((error: unknown) => error)
    await clock.advance(1_999)
    const rejected = await breaker.run(() => 'no').catch((error: unknown) => error)
    expect(rejected).toMatchObject({ state: 'half-open', retryAfterMs: 1 })
    await clock.advance(1)
    expect(await call()).toBe('ok')
    hung.reject(new ServiceError('after its lease'))
    await probe
    expect(breaker.state).toBe('half-open')
    expect(await call()).toBe('ok')
    expect(breaker.state).toBe('closed')
    await clock.advance(0)
    const verdicts = events.flatMap(event => (event.type === 'probed' ? [`${event.result} ${String(event.late)}`] : []))
    expect(verdicts).toEqual(['ok false', 'failed true', 'ok false'])
  })

  test('successes - 1 passed probes keep it half-open, one more closes it', async () => {
    const { breaker, clock, ok } = await opened({ halfOpen: { successes: 3 } })
    await clock.advance(5_000)
    await ok(2)
    expect(breaker.state).toBe('half-open')
    await ok(1)
    expect(breaker.state).toBe('closed')
  })

  test('as many failed probes as are tolerated do not reopen, one more does', async () => {
    const { breaker, clock, fail } = await opened({ halfOpen: { tolerated: 2 } })
    await clock.advance(5_000)
    await fail(2)
    expect(breaker.state).toBe('half-open')
    await fail(1)
    expect(breaker.state).toBe('open')
  })

  test('an ignored or aborted probe frees its slot and counts nothing', async () => {
    const { breaker, clock, call, events } = await opened({
      halfOpen: { successes: 1 },
      isIgnored: error => error === 'not mine',
    })
    await clock.advance(5_000)
    await breaker.run(() => Promise.reject('not mine')).catch((error: unknown) => error)
    const controller = new AbortController()
    const aborted = breaker
      .run(() => new Promise(() => {}), { signal: controller.signal })
      .catch((error: unknown) => error)
    controller.abort('left')
    expect(await aborted).toBe('left')
    expect(breaker.state).toBe('half-open')
    expect(await call()).toBe('ok')
    expect(breaker.state).toBe('closed')
    await clock.advance(0)
    expect(events.flatMap(event => (event.type === 'probed' ? [event.result] : []))).toEqual(['void', 'void', 'ok'])
  })

  test('a probe that is slow or timed out has failed', async () => {
    const slow = await opened({ slowCall: { thresholdMs: 100 } })
    await slow.clock.advance(5_000)
    await slow.breaker.run(() => slow.clock.advance(100))
    expect(slow.breaker.state).toBe('open')

    const late = localBreaker({ ramp: false, attemptTimeoutMs: 100 })
    await late.fail(10)
    await late.clock.advance(5_000)
    const probe = late.breaker.run(() => new Promise(() => {})).catch((error: unknown) => error)
    await late.clock.advance(100)
    expect(await probe).toMatchObject({ code: 'ERR_BREAKER_TIMEOUT' })
    expect(late.breaker.state).toBe('open')
  })
})

describe('cool-off [claims 12, 14, 15]', () => {
  test('a failed probe opens the breaker again with a longer cool-off', async () => {
    const { breaker, clock, fail, call } = await opened()
    await clock.advance(5_000)
    await fail(1)
    expect(breaker.snapshot()).toMatchObject({ state: 'open', opens: 2, dueInMs: 10_000 })
    await clock.advance(9_999)
    expect(await call()).toBe('ERR_BREAKER_OPEN')
    await clock.advance(1)
    expect(await call()).toBe('ok')
  })

  test('one failure after closing does not reopen', async () => {
    const { breaker, clock, ok, fail } = await opened()
    await clock.advance(5_000)
    await ok(3)
    expect(breaker.state).toBe('closed')
    await fail(1)
    expect(breaker.state).toBe('closed')
  })

  test('the cool-off doubles to its cap', async () => {
    const { breaker, clock, fail } = await opened()
    const lengths = [breaker.snapshot().dueInMs]
    for (let n = 0; n < 5; n += 1) {
      await clock.advance(breaker.snapshot().dueInMs)
      await fail(1)
      lengths.push(breaker.snapshot().dueInMs)
    }
    expect(lengths).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000])
  })

  test('the cool-off stays inside its jitter and uses all of it', async () => {
    const lengths: number[] = []
    for (const float of [0, 0.25, 0.5, 0.75, 0.999_999]) {
      const random = { float: () => float, bytes: (length: number) => new Uint8Array(length) }
      const { breaker } = await opened({ random })
      lengths.push(breaker.snapshot().dueInMs)
    }
    expect(lengths).toEqual([4_250, 4_625, 5_000, 5_375, 5_749])
  })

  test('opens decays by one for each forgiveMs closed', async () => {
    const { breaker, clock, ok, fail } = await opened({ halfOpen: { successes: 1 } })
    for (let n = 0; n < 3; n += 1) {
      await clock.advance(breaker.snapshot().dueInMs)
      await fail(1)
    }
    await clock.advance(breaker.snapshot().dueInMs)
    await ok(1)
    expect(breaker.snapshot()).toMatchObject({ state: 'closed', opens: 4 })
    await clock.advance(59_999)
    expect(breaker.snapshot().opens).toBe(4)
    await clock.advance(60_001)
    expect(breaker.snapshot().opens).toBe(2)
    await fail(10)
    expect(breaker.snapshot()).toMatchObject({ opens: 3, dueInMs: 20_000 })
    await clock.advance(20_000)
    await ok(1)
    await clock.advance(600_000)
    expect(breaker.snapshot().opens).toBe(0)
  })

  test('no timer ends the cool-off: open stays open until a call comes', async () => {
    const { breaker, clock, call } = await opened()
    await clock.advance(3_600_000)
    expect(breaker.state).toBe('open')
    expect(clock.pending).toBe(0)
    expect(await call()).toBe('ok')
    expect(breaker.state).toBe('half-open')
  })
})

describe('ramp [claim 16]', () => {
  async function ramping(options: Partial<BreakerOptions> = {}): Promise<LocalBreaker> {
    const local = localBreaker({ halfOpen: { successes: 1 }, minimumCalls: 200, windows: { fast: false }, ...options })
    // 200 calls in the long window: 20 a second.
    await local.ok(100)
    await local.clock.advance(1_000)
    await local.fail(100)
    expect(local.breaker.state).toBe('open')
    await local.clock.advance(5_000)
    await local.ok(1)
    return local
  }

  async function admitted({ call }: LocalBreaker, calls: number): Promise<number> {
    let count = 0
    for (let n = 0; n < calls; n += 1) if ((await call()) === 'ok') count += 1
    return count
  }

  test('admits 10, 55 and 100 % at 0, 5 and 10 s', async () => {
    const local = await ramping()
    expect(local.breaker.snapshot()).toMatchObject({ state: 'ramping', admittedShare: 0.1, dueInMs: 10_000 })
    expect(await admitted(local, 1_000)).toBe(100)
    await local.clock.advance(5_000)
    expect(local.breaker.snapshot().admittedShare).toBeCloseTo(0.55)
    expect(await admitted(local, 1_000)).toBe(550)
    await local.clock.advance(5_000)
    expect(local.breaker.snapshot()).toMatchObject({ state: 'closed', admittedShare: 1 })
    expect(await admitted(local, 1_000)).toBe(1_000)
  })

  test('at a share of 0.1 it is every tenth call', async () => {
    const local = await ramping()
    const pattern: boolean[] = []
    for (let n = 0; n < 30; n += 1) pattern.push((await local.call()) === 'ok')
    expect(pattern.flatMap((isAdmitted, n) => (isAdmitted ? [n] : []))).toEqual([9, 19, 29])
  })

  test('a call that is not one of the share is told to come back in a second', async () => {
    const local = await ramping()
    const error = await local.breaker.run(() => 'no').catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'ERR_BREAKER_OPEN', state: 'ramping', retryAfterMs: 1_000 })
  })

  test('failures in it reopen with a grown cool-off, and the next recovery ramps again', async () => {
    const local = await ramping()
    await local.clock.advance(5_000)
    await local.fail(400)
    expect(local.breaker.snapshot()).toMatchObject({ state: 'open', opens: 2, dueInMs: 10_000 })
    await local.clock.advance(10_000)
    await local.ok(1)
    expect(local.breaker.state).toBe('ramping')
  })

  test('there is none when the rate at the trip was under minRate', async () => {
    const local = localBreaker({ halfOpen: { successes: 1 } })
    await local.ok(90)
    await local.fail(90)
    await local.fail(10)
    expect(local.breaker.state).toBe('open')
    await local.clock.advance(5_000)
    await local.ok(1)
    expect(local.breaker.state).toBe('closed')
  })

  test('ramped is told at its start and closed at its end', async () => {
    const local = await ramping()
    await local.clock.advance(10_000)
    expect(local.breaker.state).toBe('closed')
    await local.clock.advance(0)
    const moves = local.events.filter(event => event.type !== 'rejected' && event.type !== 'probed')
    expect(moves.map(event => `${event.type} ${event.previous}>${event.state}`)).toEqual([
      'opened closed>open',
      'half-opened open>half-open',
      'ramped half-open>ramping',
      'closed ramping>closed',
    ])
    expect(moves.map(event => event.epoch)).toEqual([1, 2, 3, 4])
    expect(moves.at(-1)).toMatchObject({ why: 'ramp-over', openForMs: 15_000 })
  })
})
