import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { createLossDetector } from './loss-detector.ts'

/** The counter as scripts keep it: 4096 * writes + nonce. */
function counter(writes: number, nonce: number): number {
  return 4096 * writes + nonce
}

describe('the loss detector', () => {
  test('knows nothing before the first counter, and then does not alarm', () => {
    const detector = createLossDetector()
    expect(detector.mark('a')).toBe(0)
    expect(detector.check('a', 0, counter(7, 5))).toBe(false)
    expect(detector.mark('a')).toBe(counter(7, 5))
    expect(detector.mark('b')).toBe(0)
  })

  test('alarms on another nonce, however large the counter', () => {
    const detector = createLossDetector()
    detector.check('a', 0, counter(7, 5))
    expect(detector.check('a', detector.mark('a'), counter(900, 6))).toBe(true)
  })

  test('alarms on a counter that did not rise, and starts anew there', () => {
    const detector = createLossDetector()
    detector.check('a', 0, counter(7, 5))
    expect(detector.check('a', detector.mark('a'), counter(6, 5))).toBe(true)
    expect(detector.mark('a')).toBe(counter(6, 5))
    expect(detector.check('a', detector.mark('a'), counter(7, 5))).toBe(false)
    expect(detector.check('a', detector.mark('a'), counter(7, 5))).toBe(true)
  })

  test('keeps scopes apart', () => {
    const detector = createLossDetector()
    detector.check('a', 0, counter(7, 5))
    expect(detector.check('b', detector.mark('b'), counter(1, 9))).toBe(false)
    expect(detector.mark('a')).toBe(counter(7, 5))
  })

  test('takes a reply of the old store, overtaken by one of the new, for no second loss', () => {
    const detector = createLossDetector()
    detector.check('a', 0, counter(7, 5))
    const mark = detector.mark('a')
    expect(detector.check('a', mark, counter(1, 9))).toBe(true)
    expect(detector.check('a', mark, counter(8, 5))).toBe(false)
    expect(detector.check('a', detector.mark('a'), counter(2, 9))).toBe(false)
  })

  test('tells every call that was in flight at the loss, and none after', () => {
    const detector = createLossDetector()
    detector.check('a', 0, counter(7, 5))
    const mark = detector.mark('a')
    expect(detector.check('a', mark, counter(2, 9))).toBe(true)
    expect(detector.check('a', mark, counter(1, 9))).toBe(true)
    expect(detector.mark('a')).toBe(counter(2, 9))
    expect(detector.check('a', detector.mark('a'), counter(3, 9))).toBe(false)
  })

  test('never alarms under one primary, in whatever order replies arrive [claim 10]', () => {
    // Each step is a call sent (the server counts it at once) or the oldest, newest or a middle reply arriving.
    const step = fc.oneof(fc.constant('send' as const), fc.nat({ max: 20 }))
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4095 }), fc.array(step, { maxLength: 200 }), (nonce, steps) => {
        const detector = createLossDetector()
        const flying: { mark: number; value: number }[] = []
        let writes = 0
        for (const what of steps) {
          if (what === 'send') flying.push({ mark: detector.mark('a'), value: counter(++writes, nonce) })
          else if (flying.length > 0) {
            const [arrived] = flying.splice(what % flying.length, 1)
            if (arrived !== undefined && detector.check('a', arrived.mark, arrived.value)) return false
          }
        }
        return true
      }),
      { numRuns: 1000 },
    )
  })
})
