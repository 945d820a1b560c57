import { describe, expect, test } from 'vitest'

import { createServerClock } from './server-clock.ts'

const HOUR_MS = 3_600_000

describe('the estimate of the server clock', () => {
  test('is unknown before the first reply, then never before the true time', () => {
    const clock = createServerClock(false)
    expect(clock.latest('00', 0)).toBeUndefined()
    // Sent at 100, answered at 140; the server looked at its clock at 105, when it was 1_000_105.
    clock.read('00', 1_000_105, 100, 140)
    const latest = clock.latest('00', 200) as number
    expect(latest).toBeGreaterThanOrEqual(1_000_200)
    expect(latest).toBeLessThanOrEqual(1_000_200 + 40 + 100)
  })

  test('sees a forward jump, and neither a step back, a slow reply nor a slew', () => {
    const clock = createServerClock(false)
    expect(clock.read('00', 1_000_000, 0, 1)).toBeUndefined()
    expect(clock.read('00', 1_000_900, 500, 501)).toBeUndefined()
    expect(clock.read('00', 1_001_000, 0, 5000)).toBeUndefined()
    expect(clock.read('00', 1_000_000 - HOUR_MS, 10_000, 10_001)).toBeUndefined()
    expect(clock.read('00', 1_000_000 + HOUR_MS, 20_000, 20_001)).toBe(20_001)
    expect(clock.read('7f', 1_000_001 + HOUR_MS, 20_001, 20_002)).toBe(20_001)
  })

  test('is kept per bucket in a cluster, where each may live on another server', () => {
    const clock = createServerClock(true)
    expect(clock.read('00', 1_000_000, 0, 0)).toBeUndefined()
    expect(clock.read('01', 1_000_000 + HOUR_MS, 0, 0)).toBeUndefined()
    expect(clock.latest('02', 0)).toBeUndefined()
  })
})
