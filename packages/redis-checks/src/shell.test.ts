import { execFileSync } from 'node:child_process'

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { shellLine, shellWord } from './shell.ts'

describe('words of a command line', () => {
  test('plain words stay as they are', () => {
    expect(shellLine('redis-cli', '-p', '6379', 'CONFIG', 'SET', 'maxmemory', '12mb')).toBe(
      'redis-cli -p 6379 CONFIG SET maxmemory 12mb',
    )
    expect(shellWord('')).toBe("''")
  })

  test('a shell reads every line back as the words it was made of', () => {
    const word = fc.oneof(
      fc.string({ maxLength: 12 }),
      fc.constantFrom('~safety:*', '+script|load', "it's", '$HOME', '>x'),
    )
    const printable = word.filter(text => !/[\0\n]/.test(text))
    fc.assert(
      fc.property(fc.array(printable, { minLength: 1, maxLength: 20 }), words => {
        const printed = execFileSync('sh', ['-c', String.raw`printf '%s\n' ${shellLine(...words)}`])
        expect(printed.toString().split('\n').slice(0, -1)).toEqual(words)
      }),
      { numRuns: 40 },
    )
  })
})
