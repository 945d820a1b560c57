import * as fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'

import { systemClock } from './clock.ts'
import type { Clock } from './clock.ts'
import { afterDelay, dropDeadline, setDeadline } from './deadlines.ts'
import type { Deadline } from './deadlines.ts'
import { createManualClock } from './testing/manual-clock.ts'

function start(clock: Clock, delayMs: number, expire: () => void): Deadline {
  const dueMs = clock.monotonic() + delayMs
  const deadline: Deadline = { dueMs, expire, queue: undefined, previous: undefined, next: undefined }
  setDeadline(deadline, clock, delayMs)
  return deadline
}

describe('deadlines', () => {
  test('come in order, each at its own time, with one timer for all of one length', async () => {
    const clock = createManualClock()
    const came: string[] = []
    const set = (name: string, delayMs: number): Deadline =>
      start(clock, delayMs, () => came.push(`${name}@${clock.monotonic() - begin}`))
    const begin = clock.monotonic()
    set('a', 100)
    await clock.advance(30)
    set('b', 100)
    set('c', 50)
    expect(clock.pending).toBe(2)
    await clock.advance(1000)
    expect(came).toEqual(['c@80', 'a@100', 'b@130'])
    expect(clock.pending).toBe(0)
  })

  test('do not come once dropped, and leave no timer', async () => {
    const clock = createManualClock()
    const expire = vi.fn()
    const all = Array.from({ length: 5 }, () => start(clock, 10, expire))
    for (const deadline of [2, 0, 4, 1, 3]) dropDeadline(all[deadline] as Deadline)
    expect(clock.pending).toBe(0)
    await clock.advance(100)
    expect(expire).not.toHaveBeenCalled()
  })

  test('keep the process alive while one is set, and only then, though their timer stays armed', () => {
    const delayMs = 61_234
    const keeping = (): number => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
    const before = keeping()
    for (let time = 0; time < 3; time++) {
      const set = afterDelay(systemClock, delayMs, () => {})
      expect(keeping()).toBe(before + 1)
      set.cancel()
      expect(keeping()).toBe(before)
    }
  })

  test('may be dropped and set while one of them comes', async () => {
    const clock = createManualClock()
    const came: string[] = []
    let second: Deadline | undefined
    start(clock, 10, () => {
      came.push('first')
      if (second !== undefined) dropDeadline(second)
      start(clock, 10, () => came.push('third'))
    })
    second = start(clock, 10, () => came.push('second'))
    await clock.advance(15)
    expect(came).toEqual(['first'])
    expect(clock.pending).toBe(1)
    await clock.advance(5)
    expect(came).toEqual(['first', 'third'])
    expect(clock.pending).toBe(0)
  })

  test('come exactly once unless dropped, whatever is set and dropped in between', async () => {
    const step = fc.oneof(
      fc.record({ set: fc.constantFrom(5, 10, 20) }),
      fc.record({ drop: fc.nat({ max: 30 }) }),
      fc.record({ pass: fc.integer({ min: 1, max: 15 }) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async steps => {
        const clock = createManualClock()
        const all: { deadline: Deadline; dueMs: number; dropped: boolean; came: number[] }[] = []
        for (const what of steps) {
          if ('set' in what) {
            const dueMs = clock.monotonic() + what.set
            const came: number[] = []
            all.push({
              deadline: start(clock, what.set, () => came.push(clock.monotonic())),
              dueMs,
              dropped: false,
              came,
            })
          } else if ('drop' in what) {
            const chosen = all[what.drop]
            if (chosen !== undefined) {
              chosen.dropped ||= chosen.came.length === 0
              dropDeadline(chosen.deadline)
            }
          } else await clock.advance(what.pass)
        }
        await clock.advance(100)
        expect(clock.pending).toBe(0)
        for (const { dueMs, dropped, came } of all) {
          if (dropped) expect(came).toEqual([])
          else {
            expect(came).toHaveLength(1)
            expect(Math.abs((came[0] as number) - dueMs)).toBeLessThanOrEqual(1)
          }
        }
      }),
      { numRuns: 150 },
    )
  })
})
