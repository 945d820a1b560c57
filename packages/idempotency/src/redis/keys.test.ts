import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { ALL_TAGS, createKeyLayout } from './keys.ts'

const layout = createKeyLayout('shop')

describe('the key layout [claim 6]', () => {
  test('gives braces, newlines, emoji and 10 kB one bounded key each, in the slot of their bucket', () => {
    const keys = ['{a}{b}', '}{', 'line\nbreak', '💰', 'x'.repeat(10_000), ' ', 'a:b', '%7E', '~']
    const records = keys.map(key => layout.keysOf(layout.place('pay', key)))
    for (const { record, bucket, member } of records) {
      expect(record).toMatch(/^shop:\{[0-7][0-9a-f]\}:pay:[A-Za-z0-9_.%~-]{1,128}$/)
      expect(Buffer.byteLength(record)).toBeLessThanOrEqual(4 + 5 + 4 + 128 + 8)
      const slotTag = /\{(.*?)\}/.exec(record)?.[1]
      expect(bucket).toBe(`shop:{${slotTag}}:open`)
      expect(record.endsWith(`:${member}`)).toBe(true)
    }
    expect(new Set(records.map(({ record }) => record)).size).toBe(keys.length)
  })

  test('uses 128 slot tags', () => {
    expect(ALL_TAGS).toHaveLength(128)
    const tags = new Set(Array.from({ length: 4000 }, (_, index) => layout.place('pay', `k${index}`).tag))
    expect(tags.size).toBe(128)
    for (const tag of tags) expect(ALL_TAGS).toContain(tag)
  })

  test('finds the place of every member and every record it wrote, and of nothing else', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: 'grapheme', maxLength: 200 }), key => {
        const place = layout.place('pay_out.v1', key)
        const { record, bucket, member } = layout.keysOf(place)
        expect(layout.memberPlace(place.tag, member)).toEqual(place)
        expect(layout.recordPlace(record)).toEqual(place)
        expect(layout.recordPlace(bucket)).toBeUndefined()
      }),
    )
    for (const foreign of ['#', '!', 'PAY:x', 'pay:', 'pay']) expect(layout.memberPlace('00', foreign)).toBeUndefined()
    for (const foreign of ['shop:x', 'other:{00}:pay:a', 'shop:{00}:open'])
      expect(layout.recordPlace(foreign)).toBeUndefined()
  })
})
