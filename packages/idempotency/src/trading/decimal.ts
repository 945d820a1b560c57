import { IdempotencyError } from '../errors.ts'

const PLAIN = /^(-?)(\d+)(?:\.(\d+))?$/
const MAX_LENGTH = 128

/**
 * One text for equal decimals: `"1.50"` and `"01.5"` are `"1.5"`, `"-0.0"` is `"0"`. Only digits with an optional sign
 * and point, at most 128 characters: a number has lost digits already, and an exponent is a number printed.
 *
 * @param name how the error names the value
 * @throws `ERR_IDEMPOTENCY_FINGERPRINT` (not retryable)
 */
export function canonicalDecimal(value: string, name = 'value'): string {
  if (typeof value !== 'string') throw notDecimal(name, `a ${typeof value}: pass the decimal as a text`)
  const match = value.length > MAX_LENGTH ? null : PLAIN.exec(value)
  if (!match)
    throw notDecimal(name, 'not a plain decimal such as "0.5": no exponent, no spaces, at most 128 characters')
  const [, sign, whole = '', fraction = ''] = match
  const digits = whole.replace(/^0+(?=\d)/, '')
  const decimals = fraction.replace(/0+$/, '')
  const text = decimals === '' ? digits : `${digits}.${decimals}`
  return text === '0' ? text : `${sign}${text}`
}

function notDecimal(name: string, what: string): IdempotencyError {
  return new IdempotencyError('ERR_IDEMPOTENCY_FINGERPRINT', `${name} is ${what}`)
}
