import { IdempotencyError } from '../errors.ts'
import { canonicalDecimal } from './decimal.ts'

/** What is ordered. Equal terms twice may be two orders: they say what, not which. */
export interface OrderTerms {
  readonly symbol: string
  readonly side: string
  /** Decimal text. */
  readonly quantity: string
  /** Decimal text; none for a market order. */
  readonly price?: string | undefined
}

/**
 * The terms of an order in one form, to be compared when its key is met again: `"1.50"` is `"1.5"`. Symbol and side count
 * as written.
 *
 * @throws `ERR_IDEMPOTENCY_FINGERPRINT` for an empty symbol or side, and as `canonicalDecimal`
 */
export function orderFingerprint({ symbol, side, quantity, price }: OrderTerms): OrderTerms {
  return {
    symbol: textOf('symbol', symbol),
    side: textOf('side', side),
    quantity: canonicalDecimal(quantity, 'quantity'),
    ...(price === undefined ? {} : { price: canonicalDecimal(price, 'price') }),
  }
}

function textOf(name: string, value: unknown): string {
  if (typeof value === 'string' && value.trim() !== '') return value
  throw new IdempotencyError('ERR_IDEMPOTENCY_FINGERPRINT', `${name} is not a text, or blank`)
}
