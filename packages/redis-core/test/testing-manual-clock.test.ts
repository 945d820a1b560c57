import { describe, expect, test } from 'vitest'
import { createManualClock } from '../src/testing/index.ts'

describe('manual clock', () => {
  test('stands still until advanced, then shows exactly the time that was passed', async () => {
    const clock = createManualClock({ startMs: 5_000 })
    expect([clock.now(), clock.monotonic()]).toEqual([5_000, 0])
    await clock.advance(250)
    expect([clock.now(), clock.monotonic()]).toEqual([5_250, 250])
  })

  test('fires timers in due order, equal ones in the order they were set, each at its due time', async () => {
    const clock = createManualClock()
    const fired: [string, number][] = []
    const note = (name: string) => () => void fired.push([name, clock.monotonic()])
    clock.setTimeout(note('c'), 30)
    clock.setTimeout(note('a1'), 10)
    clock.setTimeout(note('b'), 20)
    clock.setTimeout(note('a2'), 10)
    await clock.advance(25)
    expect(fired).toEqual([
      ['a1', 10],
      ['a2', 10],
      ['b', 20],
    ])
    expect(clock.pending).toBe(1)
  })

  test('runs what a timer sets off, microtasks included, before the next timer', async () => {
    const clock = createManualClock()
    const seen: string[] = []
    const loop = async (): Promise<void> => {
      for (let round = 1; round <= 3; round++) {
        await clock.sleep(10)
        await Promise.resolve()
        seen.push(`loop ${round} at ${clock.monotonic()}`)
      }
    }
    const looping = loop()
    clock.setTimeout(() => seen.push(`timer at ${clock.monotonic()}`), 20)
    await clock.advance(30)
    await looping
    expect(seen).toEqual(['loop 1 at 10', 'timer at 20', 'loop 2 at 20', 'loop 3 at 30'])
  })

  test('adds up advances that are not awaited one by one', async () => {
    const clock = createManualClock()
    await Promise.all([clock.advance(10), clock.advance(5)])
    expect(clock.monotonic()).toBe(15)
  })

  test('never fires a cancelled timer', async () => {
    const clock = createManualClock()
    let fired = 0
    const timers = [5, 5, 5].map(delayMs => clock.setTimeout(() => fired++, delayMs))
    timers[1]?.cancel()
    timers[1]?.cancel()
    expect(clock.pending).toBe(2)
    await clock.advance(5)
    expect(fired).toBe(2)
  })

  test('rejects a sleep with the reason of its signal, and leaves no timer behind', async () => {
    const clock = createManualClock()
    const abort = new AbortController()
    const reason = new Error('enough')
    const slept = clock.sleep(1_000, { signal: abort.signal })
    abort.abort(reason)
    await expect(slept).rejects.toBe(reason)
    await expect(clock.sleep(1_000, { signal: abort.signal })).rejects.toBe(reason)
    expect(clock.pending).toBe(0)
  })

  test('rejects an advance whose timer throws, and goes on from there', async () => {
    const clock = createManualClock()
    clock.setTimeout(() => {
      throw new Error('from the timer')
    }, 10)
    await expect(clock.advance(20)).rejects.toThrow('from the timer')
    expect(clock.monotonic()).toBe(10)
    await clock.advance(5)
    expect(clock.monotonic()).toBe(15)
  })

  test.each([-1, Number.NaN, Infinity])('refuses to advance by %s', async ms => {
    await expect(createManualClock().advance(ms)).rejects.toThrow(RangeError)
  })
})
