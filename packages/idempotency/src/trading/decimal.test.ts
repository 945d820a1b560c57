import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { canonicalDecimal } from './index.ts'

describe('canonicalDecimal', () => {
  test('equal decimals have one text', () => {
    const equal = [
      ['1.5', '1.50', '01.5', '1.500000'],
      ['0', '0.0', '-0', '-0.00', '000'],
      ['-2', '-2.0', '-02'],
      ['10', '10.0'],
      ['0.000000000000000001', '00.0000000000000000010'],
    ]
    for (const [canonical, ...others] of equal) {
      for (const text of [canonical as string, ...others]) expect(canonicalDecimal(text), text).toBe(canonical)
    }
  })

  test('zeros added to either end change nothing, another digit does', () => {
    const digits = fc.string({ unit: fc.constantFrom('0', '1', '5', '9'), minLength: 1, maxLength: 30 })
    const zeros = fc.string({ unit: fc.constant('0'), maxLength: 5 })
    fc.assert(
      fc.property(digits, digits, zeros, zeros, (whole, fraction, before, after) => {
        const canonical = canonicalDecimal(`${whole}.${fraction}`)
        expect(canonicalDecimal(`${before}${whole}.${fraction}${after}`)).toBe(canonical)
        expect(canonicalDecimal(canonical)).toBe(canonical)
        expect(canonicalDecimal(`${whole}.${fraction}1`)).not.toBe(canonical)
      }),
    )
  })

  test('numbers, exponents and anything that is no plain decimal throw, and no error repeats the value', () => {
    const bad = [1.5, 1n, null, undefined, '', ' ', '1e3', '1E-8', '+1', '1.', '.5', '1,5', ' 1', '1 ', '0x10', 'NaN']
    for (const value of [...bad, 'Infinity', '--1', '1.2.3', '٣', '9'.repeat(129)]) {
      expect(() => canonicalDecimal(value as string, 'quantity'), String(value)).toThrow(
        expect.objectContaining({ code: 'ERR_IDEMPOTENCY_FINGERPRINT', outcome: 'not-run' }),
      )
    }
    expect(() => canonicalDecimal('1e3', 'quantity')).toThrow(/^quantity is not a plain decimal/)
    expect(() => canonicalDecimal('77e3')).not.toThrow(/77/)
  })
})
