import { createHash } from 'node:crypto'

import { describe, expect, test } from 'vitest'

import { defineScript, scriptCatalog } from './script.ts'
import type { ReplyReader } from './reply.ts'

const INVALID = expect.objectContaining({ code: 'ERR_REDIS_SCRIPT', outcome: 'not-run', retryable: false })
const nothing = (reply: ReplyReader): void => reply.end()

const claim = defineScript({
  name: 'demo.claim',
  keys: ['record', 'bucket'],
  args: { token: 'text', leaseMs: 'integer' },
  reply: nothing,
  lua: 'return {}',
})

function define(parts: {
  name?: string
  keys?: readonly string[]
  args?: Record<string, 'text' | 'integer'>
}): unknown {
  return defineScript({ name: 'demo.x', keys: ['k'], args: {}, reply: nothing, lua: 'return {}', ...parts })
}

describe('defineScript', () => {
  test('sends the name as a comment, then one local per key and argument in declared order, then the Lua', () => {
    expect(claim.text).toBe(
      [
        '-- demo.claim',
        'local record = KEYS[1]',
        'local bucket = KEYS[2]',
        'local token = ARGV[1]',
        'local leaseMs = tonumber(ARGV[2])',
        'return {}',
      ].join('\n'),
    )
    expect(claim.sha1).toBe(createHash('sha1').update(claim.text).digest('hex'))
  })

  test('enters the script in the catalog under its hash', () => {
    expect(scriptCatalog().get(claim.sha1)).toBe('demo.claim')
  })

  test('encodes keys and arguments in declared order, however the input is ordered', () => {
    const input = { args: { leaseMs: 30_000, token: 'tkn' }, keys: { bucket: 'b', record: 'r' } }
    expect(claim.encode(input)).toEqual(['2', 'r', 'b', 'tkn', '30000'])
  })

  test.each([
    [2 ** 53 - 1, '9007199254740991'],
    [-(2 ** 53 - 1), '-9007199254740991'],
    [-0, '0'],
  ])('writes the integer %d as %s', (leaseMs, text) => {
    expect(claim.encode({ keys: { record: 'r', bucket: 'b' }, args: { token: '', leaseMs } }).at(-1)).toBe(text)
  })

  test.each([
    ['a missing argument', { keys: { record: 'r', bucket: 'b' }, args: { token: 't' } }],
    ['an unsafe integer', { keys: { record: 'r', bucket: 'b' }, args: { token: 't', leaseMs: 2 ** 53 } }],
    ['a fraction', { keys: { record: 'r', bucket: 'b' }, args: { token: 't', leaseMs: 1.5 } }],
    ['NaN', { keys: { record: 'r', bucket: 'b' }, args: { token: 't', leaseMs: Number.NaN } }],
    ['a text for an integer', { keys: { record: 'r', bucket: 'b' }, args: { token: 't', leaseMs: '5' } }],
    ['a number for a text', { keys: { record: 'r', bucket: 'b' }, args: { token: 5, leaseMs: 5 } }],
    ['a text that UTF-8 cannot carry', { keys: { record: 'r', bucket: 'b' }, args: { token: '\uD800', leaseMs: 5 } }],
    ['a missing key', { keys: { record: 'r' }, args: { token: 't', leaseMs: 5 } }],
    ['an empty key', { keys: { record: 'r', bucket: '' }, args: { token: 't', leaseMs: 5 } }],
  ])('refuses %s', (_what, input) => {
    expect(() => claim.encode(input as unknown as Parameters<typeof claim.encode>[0])).toThrow(INVALID)
  })

  test('names the field in its refusal and shows no value', () => {
    const input = { keys: { record: 'r', bucket: 'b' }, args: { token: 'secret-token', leaseMs: 2 ** 53 } }
    expect(() => claim.encode(input)).toThrow(/argument "leaseMs"/)
    expect(() => claim.encode(input)).not.toThrow(/secret-token|9007199254740992/)
  })

  test.each(['end', 'local', 'goto', 'nil', 'redis', 'KEYS', 'ARGV', 'tonumber', '1a', 'a-b', 'ä', ''])(
    'refuses the name %j for a key and for an argument',
    name => {
      expect(() => define({ keys: [name] })).toThrow(INVALID)
      expect(() => define({ args: { [name]: 'text' } })).toThrow(INVALID)
    },
  )

  test('refuses repeated names, also between keys and arguments', () => {
    expect(() => define({ keys: ['a', 'a'] })).toThrow(INVALID)
    expect(() => define({ keys: ['a'], args: { a: 'text' } })).toThrow(INVALID)
  })

  test.each(['', 'a b', 'a\nb', 'a.', '-a', '1a', 'a'.repeat(65)])('refuses the script name %j', name => {
    expect(() => define({ name })).toThrow(INVALID)
  })

  test('refuses an argument of another kind', () => {
    expect(() => define({ args: { a: 'float' as 'text' } })).toThrow(INVALID)
  })
})
