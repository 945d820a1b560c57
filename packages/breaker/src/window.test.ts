import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import {
  batchRows,
  clearOwnWindows,
  clearWindows,
  countCall,
  createWindows,
  fastCounts,
  longCounts,
  markSent,
  takeBatch,
} from './window.ts'

const LONG = { lengthMs: 1_000, buckets: 10 }
const FAST = { lengthMs: 100, buckets: 5 }

test('every call is in exactly one batch, and in the fast row of its age', () => {
  const windows = createWindows({ long: LONG, fast: FAST, pooled: true, reserved: 2, nowMs: 0 })
  countCall(windows, 5, false, false)
  countCall(windows, 25, true, true)
  const first = takeBatch(windows, 30)
  expect(batchRows(windows, first, 30)).toEqual({
    long: [1, 1, 1],
    fast: [
      [0, 1, 1],
      [1, 0, 0],
    ],
  })
  countCall(windows, 31, false, false)
  markSent(windows, first)
  const second = takeBatch(windows, 41)
  expect(batchRows(windows, second, 41)).toEqual({
    long: [1, 0, 0],
    fast: [
      [0, 0, 0],
      [1, 0, 0],
    ],
  })
  markSent(windows, second)
  expect(batchRows(windows, takeBatch(windows, 42), 42)).toEqual({ long: [0, 0, 0], fast: [] })
})

test('a batch that waits grows older row by row, and drops what has left the window', () => {
  const windows = createWindows({ long: LONG, fast: FAST, pooled: true, reserved: 2, nowMs: 0 })
  countCall(windows, 5, false, false)
  const batch = takeBatch(windows, 6)
  expect(batchRows(windows, batch, 45).fast).toEqual([
    [0, 0, 0],
    [0, 0, 0],
    [1, 0, 0],
  ])
  expect(batchRows(windows, batch, 100)).toEqual({ long: [1, 0, 0], fast: [] })
  expect(batchRows(windows, batch, 1_000)).toEqual({ long: [0, 0, 0], fast: [] })
})

test('a move of the own part empties its windows and leaves the fleet its evidence', () => {
  const windows = createWindows({ long: LONG, fast: FAST, pooled: true, reserved: 2, nowMs: 0 })
  countCall(windows, 5, true, false)
  clearOwnWindows(windows)
  expect(longCounts(windows, 6)).toEqual({ ok: 0, failed: 0, slow: 0 })
  expect(fastCounts(windows, 6)).toEqual({ ok: 0, failed: 0, slow: 0 })
  countCall(windows, 7, true, false)
  expect(longCounts(windows, 8).failed).toBe(1)
  expect(batchRows(windows, takeBatch(windows, 9), 9).long).toEqual([0, 2, 0])
  clearWindows(windows)
  expect(batchRows(windows, takeBatch(windows, 9), 9).long).toEqual([0, 0, 0])
})

test('whatever happens, sums and batches are those of a list of calls', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('call' as const), failed: fc.boolean(), slow: fc.boolean() }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 400 }) }),
    fc.record({ kind: fc.constant('send' as const) }),
    fc.record({ kind: fc.constant('own' as const) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const windows = createWindows({ long: LONG, fast: FAST, pooled: true, reserved: 2, nowMs: 0 })
      let nowMs = 0
      let calls: { atMs: number; failed: boolean; slow: boolean; sent: boolean; mine: boolean }[] = []
      const within = (shape: typeof LONG, atMs: number): boolean => {
        const width = shape.lengthMs / shape.buckets
        return Math.floor(atMs / width) > Math.floor(nowMs / width) - shape.buckets
      }
      const sum = (chosen: typeof calls): number[] => [
        chosen.filter(call => !call.failed).length,
        chosen.filter(call => call.failed).length,
        chosen.filter(call => call.slow).length,
      ]
      for (const next of steps) {
        if (next.kind === 'wait') nowMs += next.ms
        if (next.kind === 'own') {
          clearOwnWindows(windows)
          calls = calls.map(call => ({ ...call, mine: false }))
        }
        if (next.kind === 'call') {
          countCall(windows, nowMs, next.failed, next.slow)
          calls.push({ atMs: nowMs, failed: next.failed, slow: next.slow, sent: false, mine: true })
        }
        if (next.kind === 'send') {
          const batch = takeBatch(windows, nowMs)
          expect(batchRows(windows, batch, nowMs).long).toEqual(
            sum(calls.filter(call => !call.sent && within(LONG, call.atMs))),
          )
          markSent(windows, batch)
          calls = calls.map(call => ({ ...call, sent: true }))
        }
        const mine = calls.filter(call => call.mine)
        expect(Object.values(longCounts(windows, nowMs))).toEqual(sum(mine.filter(call => within(LONG, call.atMs))))
        expect(Object.values(fastCounts(windows, nowMs) ?? {})).toEqual(
          sum(mine.filter(call => within(FAST, call.atMs))),
        )
      }
    }),
  )
})
