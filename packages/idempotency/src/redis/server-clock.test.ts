import { describe, expect, test } from 'vitest'

import { createServerClock } from './server-clock.ts'

const HOUR_MS = 3_600_000

describe('the estimate of the server clock', () => {
  test('is unknown before the first reply, then never before the true time', () => {
    const clock = createServerClock(false)
    expect(clock.latest('00', 0)).toBeUndefined()
    // Sent at 100, answered at 140; the server looked at its clock at 105, when it was 1_000_105.
    clock.read('00', 1_000_105, { sentAtMs: 100, receivedAtMs: 140 })
    const latest = clock.latest('00', 200) as number
    expect(latest).toBeGreaterThanOrEqual(1_000_200)
    expect(latest).toBeLessThanOrEqual(1_000_200 + 40 + 100)
  })

  test('sees a forward jump, and neither a step back, a slow reply nor a slew', () => {
    const clock = createServerClock(false)
    const at = (ms: number, rttMs = 1) => ({ sentAtMs: ms, receivedAtMs: ms + rttMs })
    clock.read('00', 1_000_000, at(0))
    clock.read('00', 1_000_900, at(500))
    clock.read('00', 1_001_000, at(0, 5000))
    clock.read('00', 1_000_000 - HOUR_MS, at(10_000))
    expect(clock.jumpedAtMs('00')).toBeUndefined()
    clock.read('00', 1_000_000 + HOUR_MS, at(20_000))
    expect(clock.jumpedAtMs('7f')).toBe(20_001)
  })

  test('is kept per bucket in a cluster, where each may live on another server', () => {
    const clock = createServerClock(true)
    clock.read('00', 1_000_000, { sentAtMs: 0, receivedAtMs: 0 })
    clock.read('01', 1_000_000 + HOUR_MS, { sentAtMs: 0, receivedAtMs: 0 })
    expect(clock.jumpedAtMs('00')).toBeUndefined()
    expect(clock.jumpedAtMs('01')).toBeUndefined()
    expect(clock.latest('02', 0)).toBeUndefined()
  })
})
