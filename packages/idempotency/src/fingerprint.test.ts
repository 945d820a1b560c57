import { createHash } from 'node:crypto'
import { runInNewContext } from 'node:vm'

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { canonicalForm, fingerprintOf } from './fingerprint.ts'

const same = (a: unknown, b: unknown): void => expect(fingerprintOf(a)).toBe(fingerprintOf(b))
const differ = (a: unknown, b: unknown): void => expect(fingerprintOf(a)).not.toBe(fingerprintOf(b))

describe('the fingerprint [claim 5]', () => {
  test('is 22 base64url characters of a stable canonical form', () => {
    expect(fingerprintOf({ symbol: 'BTC', quantity: '1' })).toMatch(/^[A-Za-z0-9_-]{22}$/)
    expect(canonicalForm({ b: 1, a: [true, null, 'x'] })).toBe('{"a":[true,null,"x"],"b":1}')
  })

  test('does not see the order of members, undefined members, -0 and Unicode form', () => {
    same({ a: 1, b: 2 }, { b: 2, a: 1 })
    same({ a: 1, b: undefined }, { a: 1 })
    same([-0], [0])
    same('\u00e9', 'e\u0301')
    same({ '\u00e9': 1 }, { 'e\u0301': 1 })
    same(Object.assign(Object.create(null), { a: 1 }), { a: 1 })
  })

  test('sorts members by UTF-16 units', () => {
    // U+1F600 is written as \ud83d\ude00, below \ue000, though its code point is above.
    expect(canonicalForm({ '\ue000': 2, '\u{1f600}': 1, a: 3, '"': 4 })).toBe(
      '{"\\"":4,"a":3,"\u{1f600}":1,"\ue000":2}',
    )
  })

  test('is the first 128 bits of the SHA-256 of the canonical form', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), text => {
        const digest = createHash('sha256').update(canonicalForm(text)).digest()
        expect(fingerprintOf(text)).toBe(digest.subarray(0, 16).toString('base64url'))
      }),
    )
  })

  test('writes every text as JSON writes its normal form', () => {
    const asJson = (text: string): void => {
      expect(canonicalForm(text)).toBe(JSON.stringify(text.normalize('NFC')))
    }
    for (let code = 0; code < 0x300; code += 1) asJson(`a${String.fromCharCode(code)}b`)
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), asJson))
  })

  test('tells 1 from "1", and bigint, Date and Uint8Array from their texts', () => {
    differ(1, '1')
    differ(1n, 1)
    differ(1n, '1')
    differ(new Date(5), 5)
    differ(new Date(5), '5')
    differ(new Uint8Array([1, 2]), [1, 2])
    differ(new Uint8Array([1, 2]), 'AQI')
    differ([undefined], [null])
    differ([1, 2], [2, 1])
    differ({ a: { b: 1 } }, { a: {}, b: 1 })
    same(Buffer.from([1, 2]), new Uint8Array([1, 2]))
  })

  test('is the same exactly when the JSON values are equal', () => {
    const json = fc.jsonValue({ maxDepth: 4 })
    fc.assert(
      fc.property(json, json, (a, b) => {
        const normal = (value: unknown): string => canonicalForm(structuredClone(value))
        expect(normal(a) === normal(b)).toBe(fingerprintOf(a) === fingerprintOf(b))
        expect(canonicalForm(JSON.parse(JSON.stringify(a)))).toBe(canonicalForm(a))
      }),
    )
  })

  test('refuses what has no canonical form, and says where', () => {
    const cycle: Record<string, unknown> = {}
    cycle['self'] = cycle
    let deep: unknown = 1
    for (let depth = 0; depth < 66; depth += 1) deep = [deep]
    class Order {
      readonly id = 1
    }
    class Legs extends Array<number> {}
    const refused: readonly [unknown, string][] = [
      [{ price: Number.NaN }, 'payload.price is NaN or infinite'],
      [[Number.POSITIVE_INFINITY], 'payload[0] is NaN or infinite'],
      [{ a: () => 1 }, 'payload.a is a function'],
      [Symbol('x'), 'payload is a symbol'],
      [new Map(), 'payload is an instance of a class'],
      [new Set(), 'payload is an instance of a class'],
      [{ order: new Order() }, 'payload.order is an instance of a class'],
      [cycle, 'payload.self is a cycle'],
      [deep, 'nested deeper than 64'],
      ['\ud800', 'payload is a text with a lone surrogate'],
      [{ '\ud800': 1 }, 'lone surrogate'],
      [new Date(Number.NaN), 'payload is an invalid Date'],
      [{ '\u00e9': 1, 'e\u0301': 2 }, 'second member of the same name'],
      [{ [Symbol('s')]: 1 }, 'symbol member'],
      [Legs.from([1]), 'payload is an instance of a class'],
      [{ legs: Object.assign([1], { side: 'BUY' }) }, 'payload.legs is an array with members beside its items'],
      [Object.assign([1], { length: 2, side: 'BUY' }), 'payload is an array with members beside'],
      [Object.assign([], { length: 2, '01': 1 }), 'payload is an array with members beside'],
      [Object.assign([1], { [Symbol('s')]: 1 }), 'payload is an array with members beside'],
    ]
    for (const [payload, what] of refused) expect(() => fingerprintOf(payload)).toThrow(what)
  })

  test('takes arrays with holes, and those of another realm', () => {
    same(Object.assign([], { length: 2 }), [undefined, undefined])
    same(
      Object.assign([], { length: 12, 10: 1 }),
      Array.from({ length: 12 }, (_, index) => (index === 10 ? 1 : undefined)),
    )
    same(runInNewContext('[1, [2]]'), [1, [2]])
  })

  test('takes the same object twice, which is no cycle', () => {
    const shared = { a: 1 }
    same({ x: shared, y: shared }, { x: { a: 1 }, y: { a: 1 } })
  })
})
