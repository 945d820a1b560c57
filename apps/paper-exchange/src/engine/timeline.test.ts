import { describe, expect, test } from 'vitest'
import { createTimeline } from './timeline.ts'

describe('manual', () => {
  test('tasks run by due time, then by scheduling, and see their due time as now', () => {
    const timeline = createTimeline({ mode: 'manual', startMs: 1000 })
    const seen: string[] = []
    const note = (name: string) => (): void => void seen.push(`${name}@${timeline.nowMs()}`)
    timeline.schedule(note('late'), 20)
    timeline.schedule(note('first'), 10)
    timeline.schedule(note('second'), 10)
    timeline.schedule(note('never'), 15).cancel()
    timeline.schedule(() => timeline.schedule(note('nested'), 5), 10)
    expect(timeline.pending).toBe(4)
    expect(timeline.nextDelayMs()).toBe(10)
    timeline.advance(20)
    expect(seen).toEqual(['first@1010', 'second@1010', 'nested@1015', 'late@1020'])
    expect([timeline.nowMs(), timeline.steadyMs(), timeline.pending]).toEqual([1020, 20, 0])
    expect(timeline.nextDelayMs()).toBeUndefined()
  })

  test('an overdue task runs before what is due now, and nothing runs outside advance and runDue', () => {
    const timeline = createTimeline({ mode: 'manual', startMs: 0 })
    const seen: number[] = []
    timeline.advance(100)
    timeline.schedule(() => seen.push(1), 0)
    timeline.schedule(() => seen.push(0), -50)
    expect(seen).toEqual([])
    timeline.runDue()
    expect(seen).toEqual([0, 1])
  })

  test('skew moves server time and no task', () => {
    const timeline = createTimeline({ mode: 'manual', startMs: 1000 })
    let ran = 0
    timeline.schedule(() => ran++, 100)
    timeline.setSkew(5000)
    timeline.runDue()
    expect([timeline.nowMs(), timeline.steadyMs(), ran]).toEqual([6000, 0, 0])
    timeline.setSkew(-500)
    timeline.advance(100)
    expect([timeline.nowMs(), ran]).toEqual([600, 1])
  })

  test('advance refuses a real clock, broken numbers and a call from inside a task', () => {
    const timeline = createTimeline({ mode: 'manual', startMs: 0 })
    for (const ms of [-1, 0.5, Number.NaN]) expect(() => timeline.advance(ms)).toThrow(RangeError)
    timeline.schedule(() => timeline.advance(1), 1)
    expect(() => timeline.advance(1)).toThrow(/inside a task/)
    expect(() => createTimeline({ mode: 'real', readMs: () => 0 }).advance(1)).toThrow(RangeError)
  })

  test('a task that throws leaves the rest to the next call', () => {
    const timeline = createTimeline({ mode: 'manual', startMs: 0 })
    let ran = 0
    timeline.schedule(() => {
      throw new Error('broken')
    }, 1)
    timeline.schedule(() => ran++, 1)
    expect(() => timeline.advance(5)).toThrow('broken')
    timeline.advance(1)
    expect(ran).toBe(1)
  })
})

describe('real', () => {
  test('time is read, tasks run only in runDue, and steady time never goes back', () => {
    let real = 5000.7
    const timeline = createTimeline({ mode: 'real', readMs: () => real })
    const seen: number[] = []
    timeline.schedule(() => seen.push(timeline.nowMs()), 10)
    real = 5030
    expect([timeline.nowMs(), timeline.steadyMs(), seen.length, timeline.nextDelayMs()]).toEqual([5030, 30, 0, 0])
    timeline.runDue()
    expect(seen).toEqual([5030])
    real = 4000
    expect([timeline.nowMs(), timeline.steadyMs()]).toEqual([4000, 30])
  })

  test('hold stands still where it was, follow goes on without losing steady time', () => {
    let real = 1000
    const readMs = (): number => real
    const timeline = createTimeline({ mode: 'real', readMs })
    real = 1100
    timeline.hold()
    real = 9000
    expect([timeline.mode, timeline.nowMs(), timeline.steadyMs()]).toEqual(['manual', 1100, 100])
    timeline.advance(50)
    timeline.follow(readMs)
    real = 9010
    expect([timeline.mode, timeline.nowMs(), timeline.steadyMs()]).toEqual(['real', 9010, 160])
  })

  test('listeners hear when the next delay may have moved, once for a whole stretch of tasks', () => {
    const timeline = createTimeline({ mode: 'manual', startMs: 0 })
    let heard = 0
    const stop = timeline.onChange(() => heard++)
    const first = timeline.schedule(() => timeline.schedule(() => {}, 0), 10)
    timeline.schedule(() => {}, 20)
    expect(heard).toBe(1)
    timeline.advance(15)
    expect(heard).toBe(2)
    first.cancel()
    stop()
    timeline.schedule(() => {}, 1)
    expect(heard).toBe(2)
  })
})
