import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { classify, type CallFacts, type CallKind } from './outcome.ts'

function facts(more: Partial<CallFacts>): CallFacts {
  return {
    cause: undefined,
    status: undefined,
    code: undefined,
    message: undefined,
    retryAfterMs: undefined,
    usedWeight: undefined,
    readable: true,
    ...more,
  }
}

const refused = (code: number, message = 'x'): CallFacts => facts({ status: 400, code, message })

describe('outcome classes', () => {
  test('an outcome is read from code and phase, never from text; -1007 and 5xx are unknown, -2015 is final [defect 16]', () => {
    const text = fc.oneof(fc.string(), fc.constantFrom('503', 'order 45030012', 'timeout', 'rate limit', 'ECONNRESET'))
    fc.assert(
      fc.property(fc.integer({ min: -2016, max: -1000 }), text, text, (code, a, b) => {
        // One pair of code and text is documented to tell two cases apart; every other text changes nothing.
        fc.pre(a !== 'Duplicate order sent.' && b !== 'Duplicate order sent.')
        expect(classify(refused(code, a), 'order')).toEqual(classify(refused(code, b), 'order'))
      }),
    )
    expect(classify(refused(-1013, 'order 45030012'), 'order').class).toBe('REJECTED')
    expect(classify(refused(-1007), 'order').class).toBe('UNKNOWN')
    for (const status of [500, 502, 503, 504, 599]) {
      expect(classify(facts({ status, code: -2010, message: 'Account has insufficient balance' }), 'order').class).toBe(
        'UNKNOWN',
      )
    }
    expect(classify(facts({ status: 401, code: -2015 }), 'order')).toMatchObject({
      class: 'CONFIGURATION',
      alert: true,
    })
  })

  test.each<[string, CallFacts, CallKind, string]>([
    ['nothing listened', facts({ cause: 'ECONNREFUSED' }), 'order', 'NOT_SENT'],
    ['connecting timed out', facts({ cause: 'UND_ERR_CONNECT_TIMEOUT' }), 'order', 'NOT_SENT'],
    ['the certificate is wrong', facts({ cause: 'ERR_TLS_CERT_ALTNAME_INVALID' }), 'order', 'NOT_SENT'],
    ['the wait for the answer ended', facts({ cause: 'TIMEOUT' }), 'order', 'UNKNOWN'],
    ['the socket broke', facts({ cause: 'ECONNRESET' }), 'order', 'UNKNOWN'],
    [
      'the body broke after a 200',
      facts({ cause: 'UND_ERR_SOCKET', status: 200, readable: false }),
      'order',
      'UNKNOWN',
    ],
    ['a code nobody documented', refused(-9999), 'order', 'REJECTED'],
    ['an error without a code', facts({ status: 404, readable: false }), 'order', 'UNKNOWN'],
    ['a redirect', facts({ status: 302 }), 'order', 'UNKNOWN'],
    ['the id is open', refused(-2010, 'Duplicate order sent.'), 'order', 'ALREADY_OPEN'],
    ['no money', refused(-2010, 'Account has insufficient balance for requested action.'), 'order', 'REJECTED'],
    ['the cancel found nothing', refused(-2011), 'cancel', 'CANCEL_UNKNOWN'],
    ['the query found nothing', refused(-2013), 'query', 'NOT_FOUND'],
  ])('%s', (_, given, call, expected) => {
    expect(classify(given, call).class).toBe(expected)
  })

  test('a limit says how long nobody may ask', () => {
    expect(classify(facts({ status: 429, code: -1015, retryAfterMs: 7000 }), 'order')).toMatchObject({
      class: 'REFUSED',
      retryAfterMs: 7000,
    })
    expect(classify(facts({ status: 418, code: -1003, retryAfterMs: 120_000 }), 'order')).toMatchObject({
      class: 'BANNED',
      retryAfterMs: 120_000,
      alert: true,
    })
  })
})
