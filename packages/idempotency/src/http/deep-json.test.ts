import { assert, jsonValue, property } from 'fast-check'
import { expect, test } from 'vitest'

import { deepJsonText } from './deep-json.ts'

test('it is what JSON.stringify gives, for what both can write', () => {
  assert(property(jsonValue(), value => deepJsonText(value) === JSON.stringify(value)))
})

test('nesting and size have no limit but memory, and the same object may stand in two places', () => {
  const depth = 100_000
  const text = '['.repeat(depth) + ']'.repeat(depth)
  expect(deepJsonText(JSON.parse(text)) === text).toBe(true)
  const twice = { a: 1 }
  expect(deepJsonText([twice, twice])).toBe('[{"a":1},{"a":1}]')
})

test('numbers beyond their range differ from each other, from null and from texts', () => {
  const texts = ['[1e999]', '[-1e999]', '[null]', '["Infinity"]'].map(json => deepJsonText(JSON.parse(json)))
  expect(new Set(texts).size).toBe(4)
})

test('what no JSON text gives has none', () => {
  const cycle: unknown[] = []
  cycle.push({ cycle })
  for (const value of [cycle, [Number.NaN], [new Date(0)], [() => 0], [1n], [Symbol('s')], new Map(), undefined]) {
    expect(deepJsonText(value)).toBeUndefined()
  }
})
