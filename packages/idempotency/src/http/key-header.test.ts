import { describe, expect, test } from 'vitest'

import { parseKeyHeader } from './key-header.ts'

describe('the Idempotency-Key header', () => {
  test('a quoted string with its escapes and parameters, and a bare key, are read', () => {
    const good: [string, string][] = [
      ['"8e03978e-40d5-43e8-bc93-6894a57f9324"', '8e03978e-40d5-43e8-bc93-6894a57f9324'],
      ['8e03978e-40d5-43e8-bc93-6894a57f9324', '8e03978e-40d5-43e8-bc93-6894a57f9324'],
      ['  bare  ', 'bare'],
      ['a_B.c:d/e+f=g-', 'a_B.c:d/e+f=g-'],
      ['"a b"', 'a b'],
      ['"a\\"b\\\\c"', 'a"b\\c'],
      ['"k";a', 'k'],
      ['"k"; a=1;b="x, y";c=?1', 'k'],
      [`"${'x'.repeat(255)}"`, 'x'.repeat(255)],
      ['x'.repeat(255), 'x'.repeat(255)],
    ]
    for (const [header, key] of good) expect(parseKeyHeader(header), header).toEqual({ kind: 'key', key })
  })

  test('anything else is malformed, and none at all is missing', () => {
    const bad = ['', ' ', '"', '""', '"   "', '"a', 'a"', '"a"b', '"a\\b"', '"ä"', '"a\tb"', 'a b', 'a,b', '"a", "b"']
    for (const header of [...bad, '"a";', '"a";A=1', `"${'x'.repeat(256)}"`, 'x'.repeat(256), 'a;b=1', "'a'", 'ä']) {
      expect(parseKeyHeader(header), header).toEqual({ kind: 'malformed' })
    }
    expect(parseKeyHeader(undefined)).toEqual({ kind: 'missing' })
  })

  test('a hostile header is read in one pass', () => {
    const hostile = `"${'\\"'.repeat(255)}"${';a="\\"'.repeat(500)}`
    expect(parseKeyHeader(hostile)).toEqual({ kind: 'malformed' })
  })
})
