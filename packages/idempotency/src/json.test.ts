import { runInNewContext } from 'node:vm'

import { describe, expect, test } from 'vitest'

import { toJsonText } from './json.ts'
import { donePayload, parsePayload } from './payload.ts'
import { decodeBody, encodeResult } from './result.ts'

describe('a result', () => {
  const rules = { result: undefined, maxResultBytes: 100 }

  test('that is JSON-plain comes back equal from both paths', async () => {
    for (const value of [null, true, 0, -1.5, '', '\ud800', [], {}, { a: [{ b: null }], c: undefined }, undefined]) {
      const encoded = await encodeResult(rules, value)
      if (!encoded.ok) throw new Error('refused')
      expect(await decodeBody(rules, parsePayload(donePayload(encoded.body)).body)).toEqual({
        ok: true,
        value: encoded.read(),
      })
      expect(encoded.read()).toEqual(value)
    }
  })

  test('that JSON would change or lose is refused, and said where', async () => {
    class Receipt {
      readonly id = 1
    }
    class Legs extends Array<number> {}
    const cycle: unknown[] = []
    cycle.push(cycle)
    const refused: readonly [unknown, string][] = [
      [new Date(0), 'value is an instance of a class'],
      [{ at: new Date(0) }, 'value.at is an instance of a class'],
      [Number.NaN, 'value is a number JSON has no text for'],
      [10n, 'value is a bigint'],
      [[undefined], 'value[0] is undefined'],
      [() => 1, 'value is a function'],
      [new Receipt(), 'value is an instance of a class'],
      [new Map(), 'value is an instance of a class'],
      [{ toJSON: () => 1 }, 'value is an object with its own toJSON'],
      [Legs.from([1, 2]), 'value is an instance of a class'],
      [{ legs: new Legs() }, 'value.legs is an instance of a class'],
      [Object.assign([1], { toJSON: () => 'changed' }), 'value is an array with members beside its items'],
      [[/b(c)/.exec('abc')], 'value[0] is an array with members beside its items'],
      [Object.assign([], { '': 1 }), 'value is an array with members beside its items'],
      [Object.assign([1], { [Symbol('s')]: 1 }), 'value is an array with members beside its items'],
      [cycle, 'a cycle or a nesting above 512'],
      [
        {
          get a(): never {
            throw new Error('no')
          },
        },
        'value is a value that cannot be read',
      ],
    ]
    for (const [value, what] of refused) {
      const encoded = await encodeResult(rules, value)
      expect(encoded).toMatchObject({ ok: false, body: { kind: 'not-encodable' } })
      expect(!encoded.ok && encoded.issues[0]?.message).toContain(what)
    }
  })

  test('above maxResultBytes of UTF-8 is not kept', async () => {
    expect(await encodeResult({ result: undefined, maxResultBytes: 6 }, 'äö')).toMatchObject({
      body: { kind: 'value' },
    })
    expect(await encodeResult({ result: undefined, maxResultBytes: 10 }, '€€€')).toMatchObject({
      body: { kind: 'too-large' },
    })
    const tooLarge = await encodeResult({ result: undefined, maxResultBytes: 5 }, 'äö')
    expect(tooLarge).toMatchObject({ ok: true, body: { kind: 'too-large' } })
    expect(tooLarge.ok && tooLarge.read()).toBe('äö')
  })

  test('of a schema that throws is refused without quoting the value', async () => {
    const result = {
      '~standard': {
        version: 1,
        vendor: 'x',
        validate: () => {
          throw new Error('secret')
        },
      },
    } as const
    const encoded = await encodeResult({ result, maxResultBytes: 100 }, 'secret')
    expect(encoded).toMatchObject({ ok: false, issues: [{ message: 'the schema threw' }] })
  })
})

test('members of a null-prototype object and of another realm are plain', () => {
  expect(toJsonText(Object.assign(Object.create(null), { a: 1 }))).toEqual({ text: '{"a":1}' })
  expect(toJsonText(runInNewContext('({ a: [1, { b: [] }] })'))).toEqual({ text: '{"a":[1,{"b":[]}]}' })
  expect(toJsonText(runInNewContext('class Legs extends Array {}; new Legs()'))).toHaveProperty('notPlain')
})
