import { describe, expect, test, vi } from 'vitest'

import { until } from '../harness.ts'
import { AWAY, endingOf, lintLevel, measured, safe, versions } from './pitfall.ts'

describe.each(versions)('a server that is down on $name', version => {
  /** How long the client's own default waits before the given attempts, at the middle of its jitter. */
  function defaultDelaysMs(attempts: number): number {
    const { options } = version.redis({ lazyConnect: true })
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.5)
    const delays = Array.from({ length: attempts }, (_, index) => Number(options.retryStrategy?.(index + 1)))
    random.mockRestore()
    return delays.reduce((sum, delay) => sum + delay, 0)
  }

  test('null never gives an error, the default gives it after 21 attempts [retries-per-request]', async ({ task }) => {
    let attempts = 0
    const retryStrategy = (attempt: number): number => ((attempts = attempt), 2)
    const never = version.redis({ port: AWAY, maxRetriesPerRequest: null, retryStrategy })
    expect(lintLevel(never, 'retries-per-request')).toBe('fail')
    const call = never.incr('counter')
    call.catch(() => undefined)
    await until(() => attempts >= 84)
    expect(await endingOf(call, 50)).toBe('pending')
    never.disconnect()

    const late = version.redis({ port: AWAY, retryStrategy })
    expect(lintLevel(late, 'retries-per-request')).toBe('warn')
    expect(await endingOf(late.incr('counter'), 20_000)).toBe('rejected')
    expect(attempts).toBe(21)
    late.disconnect()
    const seconds = (defaultDelaysMs(20) / 1000).toFixed(1)
    measured(
      task,
      version,
      'server-down',
      `20, the default: an error after 21 attempts, ${seconds} s by the default delays; null: pending after 84 attempts`,
    )
  })
})

test('with connectRedis the call fails before a second attempt', async () => {
  const redis = safe(`redis://127.0.0.1:${AWAY}`)
  expect(lintLevel(redis, 'retries-per-request')).toBe('pass')
  let closed = 0
  redis.on('close', () => (closed += 1))
  expect(await endingOf(redis.incr('counter'), 5000)).toBe('rejected')
  expect(closed).toBeLessThan(2)
  redis.disconnect()
})
