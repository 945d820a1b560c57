import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { keyspace } from './keyspace.ts'

const WELL_FORMED = fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }).filter(text => text.isWellFormed())

describe('keyspace', () => {
  test('joins prefix and parts by colons', () => {
    expect(keyspace('shop:eu').key('order', '7')).toBe('shop:eu:order:7')
  })

  test('puts the tag in braces right after the prefix', () => {
    expect(keyspace('shop').tagged('order-7', 'lock', 'a')).toBe('shop:{order-7}:lock:a')
    expect(keyspace('shop').tagged('order-7')).toBe('shop:{order-7}')
  })

  test('encodes each raw part exactly once', () => {
    const ks = keyspace('shop')
    expect(ks.key('a:b')).toBe('shop:a%3Ab')
    expect(ks.tagged('{x}', '50%')).toBe('shop:{%7Bx%7D}:50%25')
    expect(ks.part("é!~*'() ")).toBe('%C3%A9%21%7E%2A%27%28%29%20')
  })

  test('keeps the whole key alphabet as it is', () => {
    const text = 'ABCxyz019_.-'
    expect(keyspace('p').part(text)).toBe(text)
  })

  test('replaces a part above 128 bytes by the hash of its text', () => {
    const { part } = keyspace('p')
    expect(part('a'.repeat(128))).toBe('a'.repeat(128))
    expect(part('a'.repeat(129))).toMatch(/^~[A-Za-z0-9_-]{43}$/)
    // 42 times %2F is 126 bytes, 43 times is 129
    expect(part('/'.repeat(42))).toBe('%2F'.repeat(42))
    expect(part('/'.repeat(43))).toMatch(/^~[A-Za-z0-9_-]{43}$/)
  })

  test('gives different texts different parts [claim 8]', () => {
    const { part } = keyspace('p')
    fc.assert(
      fc.property(WELL_FORMED, WELL_FORMED, (a, b) => (a === b) === (part(a) === part(b))),
      { numRuns: 5000 },
    )
  })

  test('gives texts that look like encodings their own parts [claim 8]', () => {
    const { part } = keyspace('p')
    const unit = fc.constantFrom('%', '2', '5', 'F', 'f', '~', '/', 'a', ':', '{', '}')
    const text = fc.array(unit, { minLength: 1, maxLength: 6 }).map(units => units.join(''))
    const seen = new Map<string, string>()
    fc.assert(
      fc.property(text, a => {
        const known = seen.get(part(a)) ?? a
        seen.set(part(a), a)
        return known === a
      }),
      { numRuns: 5000 },
    )
  })

  test('writes parts only in the key alphabet, so that no part holds a colon or a brace', () => {
    const { part } = keyspace('p')
    fc.assert(fc.property(WELL_FORMED, text => /^(?:[A-Za-z0-9_.%-]{1,128}|~[A-Za-z0-9_-]{43})$/.test(part(text))))
  })

  test.each([[''], ['\uD800'], ['a\uDC00b']])('refuses the part %j', text => {
    const ks = keyspace('p')
    expect(() => ks.part(text)).toThrow(expect.objectContaining({ code: 'ERR_REDIS_KEY', retryable: false }))
    expect(() => ks.key('a', text)).toThrow(expect.objectContaining({ code: 'ERR_REDIS_KEY' }))
    expect(() => ks.tagged(text, 'a')).toThrow(expect.objectContaining({ code: 'ERR_REDIS_KEY' }))
  })

  test('refuses a key without parts and parts that are no texts', () => {
    const ks = keyspace('p')
    expect(() => ks.key()).toThrow(expect.objectContaining({ code: 'ERR_REDIS_KEY' }))
    expect(() => ks.part(7 as unknown as string)).toThrow(expect.objectContaining({ code: 'ERR_REDIS_KEY' }))
  })

  test.each([[''], ['a:'], [':a'], ['a::b'], ['a b'], ['{a}'], ['ä'], ['a'.repeat(65)]])(
    'refuses the prefix %j',
    prefix => {
      expect(() => keyspace(prefix)).toThrow(expect.objectContaining({ code: 'ERR_REDIS_KEY', outcome: 'not-run' }))
    },
  )

  test('takes a prefix of 64 bytes', () => {
    expect(keyspace('a'.repeat(64)).key('b')).toBe(`${'a'.repeat(64)}:b`)
  })
})
