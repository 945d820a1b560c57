import { expect, test } from 'vitest'

import { classifyByShape, classifyEffectError } from './classify.ts'

const withCode = (code: string): Error => Object.assign(new Error('x'), { code })

test('a connection that never came to be is not run, also as fetch reports it', () => {
  for (const code of ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT']) {
    expect(classifyByShape(withCode(code))).toBe('not-run')
    expect(classifyByShape(Object.assign(new TypeError('fetch failed'), { cause: withCode(code) }))).toBe('not-run')
  }
})

test('all else is unknown: resets, timeouts, statuses, texts, things that are no errors', () => {
  const unclear = [
    withCode('ECONNRESET'),
    withCode('ETIMEDOUT'),
    Object.assign(new Error('503'), { status: 503 }),
    new Error('connect ECONNREFUSED 127.0.0.1:443'),
    'ECONNREFUSED',
    undefined,
    null,
    Object.assign(new Error('after the order, the mail server'), { cause: withCode('ECONNREFUSED') }),
    Object.assign(new TypeError('wrapped'), { code: 'X', cause: withCode('ECONNREFUSED') }),
  ]
  for (const error of unclear) expect(classifyByShape(error)).toBe('unknown')
})

test('an outcome on the error decides before its code', () => {
  expect(classifyByShape({ outcome: 'ran', code: 'ECONNREFUSED' })).toBe('failed')
  expect(classifyByShape({ outcome: 'not-run' })).toBe('not-run')
  expect(classifyByShape({ outcome: 'unknown', code: 'ECONNREFUSED' })).toBe('unknown')
})

test('a classifier that throws, or answers beside the three words, says unknown', () => {
  const broken = classifyEffectError(() => {
    throw new Error('bug')
  })
  expect(broken(new Error('x'))).toBe('unknown')
  expect(classifyEffectError(() => 'ran' as never)(new Error('x'))).toBe('unknown')
  expect(classifyEffectError(() => 'failed')(withCode('ECONNREFUSED'))).toBe('failed')
})
