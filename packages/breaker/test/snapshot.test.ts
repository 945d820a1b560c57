import { describe, expect, test } from 'vitest'

import { createBreaker } from '../src/index.ts'
import type { BreakerSnapshot } from '../src/index.ts'
import { evenRandom, localBreaker } from './support/local-breaker.ts'

function throughJson(snapshot: BreakerSnapshot): BreakerSnapshot {
  return JSON.parse(JSON.stringify(snapshot)) as BreakerSnapshot
}

describe('snapshots [claim 18]', () => {
  test('a snapshot in each state survives JSON and restores that state', async () => {
    const states: Record<string, string> = {}
    const local = localBreaker({ halfOpen: { successes: 1 }, ramp: { minRate: 0 } })
    const check = (): void => {
      const snapshot = local.breaker.snapshot()
      expect(throughJson(snapshot)).toEqual(snapshot)
      const restored = createBreaker({ name: 'orders', clock: local.clock, restore: throughJson(snapshot) })
      states[snapshot.state] = restored.state
      expect(restored.snapshot().windows.long).toEqual({ ok: 0, failed: 0, slow: 0 })
      expect(restored.snapshot().opens).toBe(snapshot.opens)
      expect(restored.snapshot().epoch).toBeGreaterThanOrEqual(snapshot.epoch)
    }
    await local.ok(3)
    check()
    await local.fail(30)
    check()
    await local.clock.advance(5_000)
    const { promise, resolve } = Promise.withResolvers<string>()
    const probe = local.breaker.run(() => promise)
    check()
    resolve('ok')
    await probe
    check()
    await local.breaker.force('disabled', { by: 'ada', reason: 'drill', forMs: 60_000 })
    check()
    await local.breaker.force('open', { by: 'bob', reason: 'drill', forMs: 60_000 })
    check()
    expect(states).toEqual({
      closed: 'closed',
      open: 'open',
      'half-open': 'open',
      ramping: 'ramping',
      disabled: 'disabled',
      'forced-open': 'forced-open',
    })
  })

  test('open keeps the rest of its cool-off by the wall clock, capped', async () => {
    const local = localBreaker()
    await local.fail(10)
    await local.clock.advance(2_000)
    const snapshot = throughJson(local.breaker.snapshot())
    expect(snapshot.dueInMs).toBe(3_000)
    await local.clock.advance(1_000)
    const rest = (restore: BreakerSnapshot): number =>
      createBreaker({ name: 'orders', clock: local.clock, restore }).snapshot().dueInMs
    expect(rest(snapshot)).toBe(2_000)
    expect(rest({ ...snapshot, dueInMs: 10 * 3_600_000 })).toBe(90_000)
    // Written by a process whose wall clock was ahead: the rest does not grow.
    expect(rest({ ...snapshot, takenAtMs: snapshot.takenAtMs + 3_600_000 })).toBe(3_000)
  })

  test('half-open becomes open and due', async () => {
    const local = localBreaker({ ramp: false })
    await local.fail(10)
    await local.clock.advance(5_000)
    await local.ok(1)
    const restored = createBreaker({ name: 'orders', clock: local.clock, restore: local.breaker.snapshot() })
    expect(restored.snapshot()).toMatchObject({ state: 'open', dueInMs: 0 })
    expect(await restored.run(({ probe }) => probe)).toBe(true)
  })

  test('a restored order ends when it would have ended', async () => {
    const local = localBreaker()
    await local.breaker.force('open', { by: 'ada', reason: 'drill', forMs: 10_000 })
    await local.clock.advance(4_000)
    const restored = createBreaker({
      name: 'orders',
      clock: local.clock,
      restore: throughJson(local.breaker.snapshot()),
    })
    await local.clock.advance(5_999)
    expect(restored.state).toBe('forced-open')
    await local.clock.advance(1)
    expect(restored.state).toBe('closed')
  })

  test('a snapshot is no view', async () => {
    const { breaker, ok, fail } = localBreaker()
    await breaker.force('disabled', { by: 'ada', reason: 'drill', forMs: 60_000 })
    const before = breaker.snapshot()
    const copy = structuredClone(before)
    await ok(5)
    await fail(5)
    await breaker.release({ by: 'ada', reason: 'over' })
    expect(before).toEqual(copy)
    Object.assign(before.windows.long, { ok: 1e9 })
    Object.assign(before.totals, { failed: 1e9 })
    expect(breaker.snapshot().totals.failed).toBe(5)
    expect(breaker.snapshot().windows.long.ok).toBe(0)
  })

  test('inFlight counts what runs now', async () => {
    const { breaker } = localBreaker()
    const { promise, resolve } = Promise.withResolvers<string>()
    const calls = [breaker.run(() => promise), breaker.run(() => promise, { signal: new AbortController().signal })]
    expect(breaker.snapshot().inFlight).toBe(2)
    resolve('ok')
    await Promise.all(calls)
    expect(breaker.snapshot().inFlight).toBe(0)
  })

  test('a snapshot of another breaker or another version is refused', () => {
    const snapshot = createBreaker({ name: 'other', random: evenRandom }).snapshot()
    expect(() => createBreaker({ name: 'orders', restore: snapshot })).toThrowError(
      expect.objectContaining({ code: 'ERR_BREAKER_OPTIONS', field: 'restore.name' }),
    )
    expect(() => createBreaker({ name: 'other', restore: { ...snapshot, version: 2 as 1 } })).toThrowError(
      expect.objectContaining({ field: 'restore.version' }),
    )
  })
})
