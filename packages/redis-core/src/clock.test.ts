import { afterEach, describe, expect, test, vi } from 'vitest'

import { systemClock } from './clock.ts'

afterEach(() => vi.useRealTimers())

describe('the system clock', () => {
  test('sleeps, and wakes with the reason of an abort', async () => {
    await expect(systemClock.sleep(1)).resolves.toBeUndefined()
    const reason = new Error('enough')
    const controller = new AbortController()
    const sleeping = systemClock.sleep(600_000, { signal: controller.signal })
    controller.abort(reason)
    await expect(sleeping).rejects.toBe(reason)
    await expect(systemClock.sleep(1, { signal: controller.signal })).rejects.toBe(reason)
  })

  test('leaves no timer behind an aborted sleep', async () => {
    vi.useFakeTimers()
    const controller = new AbortController()
    const sleeping = systemClock.sleep(1000, { signal: controller.signal })
    expect(vi.getTimerCount()).toBe(1)
    controller.abort(new Error('enough'))
    await expect(sleeping).rejects.toThrow('enough')
    expect(vi.getTimerCount()).toBe(0)
  })

  test('keeps delays longer than a timer of Node can', async () => {
    vi.useFakeTimers()
    const run = vi.fn()
    const monthMs = 30 * 24 * 3600 * 1000
    systemClock.setTimeout(run, monthMs)
    await vi.advanceTimersByTimeAsync(monthMs - 1)
    expect(run).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(run).toHaveBeenCalledTimes(1)
  })

  test('cancels long delays in any of their stretches, and waits for ever for Infinity', async () => {
    vi.useFakeTimers()
    const run = vi.fn()
    const timer = systemClock.setTimeout(run, Number.POSITIVE_INFINITY)
    await vi.advanceTimersByTimeAsync(2 ** 31 * 3)
    timer.cancel()
    expect(vi.getTimerCount()).toBe(0)
    expect(run).not.toHaveBeenCalled()
  })

  test('cancels', async () => {
    vi.useFakeTimers()
    const run = vi.fn()
    systemClock.setTimeout(run, 10).cancel()
    await vi.advanceTimersByTimeAsync(20)
    expect(run).not.toHaveBeenCalled()
  })

  test('refuses a delay that is not a number', () => {
    expect(() => systemClock.setTimeout(() => {}, Number.NaN)).toThrow(
      expect.objectContaining({ code: 'ERR_REDIS_OPTIONS' }),
    )
  })

  test('never goes back on its monotonic time', () => {
    let last = systemClock.monotonic()
    for (let index = 0; index < 10_000; index++) {
      const next = systemClock.monotonic()
      expect(next >= last).toBe(true)
      last = next
    }
  })
})
