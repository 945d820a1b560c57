import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createFramer, FramingError } from '../src/testing/resp/framer.ts'
import { decodeReply } from '../src/testing/resp/value.ts'

const line = fc.string({ unit: 'binary-ascii', maxLength: 30 }).map(text => text.replaceAll(/[\r\n]/g, '.'))
const payload = fc.uint8Array({ maxLength: 60 }).map(bytes => Buffer.from(bytes).toString('latin1'))
const bulkOf = (type: string) => payload.map(text => `${type}${text.length}\r\n${text}\r\n`)

const scalars = [
  line.map(text => `+${text}\r\n`),
  line.map(text => `-ERR ${text}\r\n`),
  fc.maxSafeInteger().map(value => `:${value}\r\n`),
  bulkOf('$'),
  fc.constantFrom('$-1\r\n', '*-1\r\n', '$0\r\n\r\n', '*0\r\n'),
  fc.constantFrom('_\r\n', '#t\r\n', '#f\r\n', ',1.5\r\n', ',inf\r\n', ',-inf\r\n', ',nan\r\n', '%0\r\n', '~0\r\n'),
  fc.bigInt().map(value => `(${value}\r\n`),
  bulkOf('!'),
  payload.map(text => `=${text.length + 4}\r\ntxt:${text}\r\n`),
  fc
    .array(payload.filter(text => text !== ''))
    .map(chunks => `$?\r\n${chunks.map(c => `;${c.length}\r\n${c}\r\n`).join('')};0\r\n`),
]

/** Any RESP2 or RESP3 value, nested, with attributes and streamed aggregates. */
const { value } = fc.letrec<{ value: string }>(tie => {
  const several = fc.array(tie('value'), { maxLength: 4 })
  const pairs = several.map(values => values.flatMap(item => [item, item]))
  return {
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      ...scalars.map(arbitrary => ({ arbitrary, weight: 2 })),
      several.map(values => `*${values.length}\r\n${values.join('')}`),
      several.map(values => `~${values.length}\r\n${values.join('')}`),
      several.map(values => `*?\r\n${values.join('')}.\r\n`),
      several.map(values => `~?\r\n${values.join('')}.\r\n`),
      pairs.map(values => `%${values.length / 2}\r\n${values.join('')}`),
      pairs.map(values => `%?\r\n${values.join('')}.\r\n`),
      fc.tuple(pairs, tie('value')).map(([values, of]) => `|${values.length / 2}\r\n${values.join('')}${of}`),
    ),
  }
})
const push = fc.array(value, { minLength: 1, maxLength: 3 }).map(values => `>${values.length}\r\n${values.join('')}`)

function split(stream: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map(cut => cut % (stream.length + 1)).toSorted((a, b) => a - b), stream.length]
  return places.slice(1).map((end, index) => stream.subarray(places[index], end))
}

function frame(chunks: readonly Buffer[], options?: { inline: boolean }): string[] {
  const framer = createFramer(options)
  const messages = chunks.flatMap(chunk => framer.push(chunk))
  expect(framer.rest()).toHaveLength(0)
  return messages.map(message => message.toString('latin1'))
}

describe('framer', () => {
  test('any split of any RESP2 or RESP3 stream gives the same messages', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(value, push), { minLength: 1, maxLength: 6 }),
        fc.array(fc.nat(), { maxLength: 12 }),
        (messages, cuts) => {
          expect(frame(split(Buffer.from(messages.join(''), 'latin1'), cuts))).toEqual(messages)
        },
      ),
      { numRuns: 1_500 },
    )
  })

  test('one byte at a time gives the same messages', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(value, push), { minLength: 1, maxLength: 3 }), messages => {
        const bytes = Buffer.from(messages.join(''), 'latin1')
        expect(frame(Array.from({ length: bytes.length }, (_, at) => bytes.subarray(at, at + 1)))).toEqual(messages)
      }),
      { numRuns: 300 },
    )
  })

  test('everything it frames can be decoded to the end', () => {
    fc.assert(
      fc.property(value, message => {
        // A second value behind the first would be misread if the first were read too far or not far enough.
        const both = decodeReply(Buffer.from(`*2\r\n${message}:7\r\n`, 'latin1'))
        expect(Array.isArray(both) && both.length === 2 && both[1] === 7).toBe(true)
      }),
      { numRuns: 1_000 },
    )
  })

  test('a bulk of 32 MB in packets comes out in one piece, once', () => {
    const body = Buffer.alloc(32 * 1024 * 1024, 'x\r\n$1')
    const stream = Buffer.concat([
      Buffer.from(`:1\r\n*2\r\n$${body.length}\r\n`),
      body,
      Buffer.from('\r\n+end\r\n:2\r\n'),
    ])
    const framer = createFramer()
    const messages: Buffer[] = []
    for (let at = 0; at < stream.length; at += 65_521) messages.push(...framer.push(stream.subarray(at, at + 65_521)))
    expect(messages.map(message => message.length)).toEqual([4, stream.length - 8, 4])
  })

  test('requests may be inline, with either line end, between others', () => {
    const messages = [
      'PING\r\n',
      '*1\r\n$4\r\nPING\r\n',
      'SET key value\n',
      '\r\n',
      '*0\r\n',
      '*2\r\n$3\r\nGET\r\n$1\r\na\r\n',
    ]
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 10 }), cuts => {
        expect(frame(split(Buffer.from(messages.join('')), cuts), { inline: true })).toEqual(messages)
      }),
    )
  })

  test('bytes that are no RESP are handed back after the messages before them', () => {
    const framer = createFramer()
    framer.push(Buffer.from(':1'))
    let fault: unknown
    try {
      framer.push(Buffer.from('\r\n+ok\r\n*1\r\nGET / HTTP/1.1\r\n'))
    } catch (error) {
      fault = error
    }
    expect(fault).toBeInstanceOf(FramingError)
    expect((fault as FramingError).messages.map(String)).toEqual([':1\r\n', '+ok\r\n'])
    expect(framer.rest().toString()).toBe('*1\r\nGET / HTTP/1.1\r\n')
  })

  test.each(['$x\r\n', '*1.5\r\n', '.\r\n', 'hello\r\n', '\r\n', '$99999999999999999\r\n'])('%j is no reply', text => {
    expect(() => createFramer().push(Buffer.from(text))).toThrow(FramingError)
  })

  test('a header that never ends is given up, not collected', () => {
    const framer = createFramer()
    const chunk = Buffer.alloc(512 * 1024, 'x')
    expect(() => [framer.push(Buffer.from('+')), framer.push(chunk), framer.push(chunk), framer.push(chunk)]).toThrow(
      FramingError,
    )
  })
})
