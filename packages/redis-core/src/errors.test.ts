import { inspect } from 'node:util'

import { describe, expect, test } from 'vitest'

import { ERROR_CODES, RedisCoreError } from './errors.ts'
import type { RedisCoreErrorCode } from './errors.ts'

describe('RedisCoreError', () => {
  test('carries outcome and retryable of its code', () => {
    for (const code of Object.keys(ERROR_CODES) as RedisCoreErrorCode[]) {
      const error = new RedisCoreError(code, 'text')
      expect(error).toMatchObject({ name: 'RedisCoreError', code, ...ERROR_CODES[code] })
    }
    expect(Object.values(ERROR_CODES).filter(({ retryable }) => retryable)).toEqual([
      { outcome: 'not-run', retryable: true },
    ])
  })

  test('has no field it was not given', () => {
    expect(Object.keys(new RedisCoreError('ERR_REDIS_KEY', 'text')).sort()).toEqual([
      'code',
      'name',
      'outcome',
      'retryable',
    ])
  })

  test('shows no argument of the command that failed, however it is printed', () => {
    const cause = Object.assign(
      new Error("ERR unknown command 'evalsha', with args beginning with: 'abc' 'secret-key' "),
      {
        command: { name: 'evalsha', args: ['abc', '1', 'secret-key', 'secret-value'] },
      },
    )
    const error = new RedisCoreError('ERR_REDIS_REFUSED', 'text', { cause })
    expect(inspect(error, { depth: 10, showHidden: true })).not.toMatch(/secret/)
    expect(error.cause).toMatchObject({ message: "ERR unknown command 'evalsha'" })
  })

  test('keeps a harmless cause as it is', () => {
    const cause = new Error('connect ECONNREFUSED')
    expect(new RedisCoreError('ERR_REDIS_NOT_RUN', 'text', { cause }).cause).toBe(cause)
  })
})
