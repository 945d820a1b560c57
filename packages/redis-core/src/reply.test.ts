import { describe, expect, test } from 'vitest'

import { createReplyDecoder } from './reply.ts'
import type { ReplyReader } from './reply.ts'

const MISFIT = expect.objectContaining({ code: 'ERR_REDIS_REPLY', outcome: 'ran', retryable: false, script: 'demo' })

function decode<R>(raw: unknown, read: (reply: ReplyReader) => R): R {
  return createReplyDecoder('demo', read)(raw)
}

describe('the reply reader', () => {
  test('reads texts and integers in order, and the rest as texts', () => {
    const read = (reply: ReplyReader) => ({ tag: reply.text(), count: reply.integer(), rest: reply.texts() })
    expect(decode(['ok', 3, 'a', 'b'], read)).toEqual({ tag: 'ok', count: 3, rest: ['a', 'b'] })
    expect(decode(['', 0], read)).toEqual({ tag: '', count: 0, rest: [] })
  })

  test.each([2 ** 53 - 1, -(2 ** 53 - 1), 2 ** 53 - 49, -(2 ** 53 - 49), 1, 0])(
    'reads %d alike as integer and as text',
    number => {
      const read = (reply: ReplyReader) => reply.integer()
      expect(decode([number], read)).toBe(number)
      expect(decode([String(number)], read)).toBe(number)
    },
  )

  test('takes a number that ioredis 6.0.0 may have misread only as text', () => {
    const read = (reply: ReplyReader) => reply.integer()
    for (const number of [2 ** 53 - 48, 2 ** 53 - 4, -(2 ** 53 - 4)]) {
      expect(() => decode([number], read)).toThrow(MISFIT)
      expect(decode([String(number)], read)).toBe(number)
    }
  })

  test.each([
    [[2 ** 53]],
    [['9007199254740992']],
    [['1.5']],
    [[1.5]],
    [['1e3']],
    [['']],
    [[' 1']],
    [['01']],
    [[null]],
    [[[1]]],
  ])('refuses %j as an integer', raw => {
    expect(() => decode(raw, reply => reply.integer())).toThrow(MISFIT)
  })

  test.each([[[1]], [[null]], [[['a']]], [[]]])('refuses %j as a text', raw => {
    expect(() => decode(raw, reply => reply.text())).toThrow(MISFIT)
  })

  test('refuses a tail that is not all texts', () => {
    expect(() => decode(['a', null], reply => reply.texts())).toThrow(MISFIT)
  })

  test.each([['OK'], [1], [null], [undefined], [{}]])('refuses %j, which is no array', raw => {
    expect(() => decode(raw, () => 1)).toThrow(MISFIT)
  })

  test('refuses elements nobody reads, whether or not end() is called', () => {
    expect(() => decode(['a', 'b'], reply => reply.text())).toThrow(MISFIT)
    expect(() =>
      decode(['a', 'b'], reply => {
        reply.text()
        reply.end()
      }),
    ).toThrow(MISFIT)
  })

  test('reports what the decoder itself throws, as cause', () => {
    const cause = new Error('no such tag')
    const failing = (reply: ReplyReader): never => {
      reply.text()
      throw cause
    }
    expect(() => decode(['a'], failing)).toThrow(expect.objectContaining({ code: 'ERR_REDIS_REPLY', cause }))
  })

  test('starts every reply at its first element, also after a reply that did not fit', () => {
    const read = createReplyDecoder('demo', reply => reply.text())
    expect(() => read(['a', 'b'])).toThrow(MISFIT)
    expect(read(['c'])).toBe('c')
    expect(read(['d'])).toBe('d')
  })

  test('shows none of the reply in its message', () => {
    expect(() => decode(['secret-value', 'more'], reply => reply.integer())).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('secret-value') }),
    )
  })
})
