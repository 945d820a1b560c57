import { IdempotencyError } from '../errors.ts'

/** Which order: given by whoever decided on it, once, and never derived from its terms. */
export interface OrderIntent {
  readonly strategy: string
  readonly intentId: string | number
  /** One of several orders of the same intent. */
  readonly leg?: string | number | undefined
}

export interface PositionEvent {
  readonly positionId: string | number
  readonly eventId: string | number
}

export interface PnlRevision {
  readonly tradeId: string | number
  readonly revision: string | number
}

export interface LedgerEntry {
  readonly transactionId: string | number
}

export interface TradeTransition {
  readonly tradeId: string | number
  readonly version: string | number
  /** The state that is entered. */
  readonly to: string
}

/** @throws `ERR_IDEMPOTENCY_KEY` (not retryable) for a part that is empty, blank, or no text and no whole number */
export function orderKey({ strategy, intentId, leg }: OrderIntent): string {
  return keyOf({ strategy, intentId, ...(leg === undefined ? {} : { leg }) })
}

/** @throws as `orderKey` */
export function positionUpdateKey({ positionId, eventId }: PositionEvent): string {
  return keyOf({ positionId, eventId })
}

/** @throws as `orderKey` */
export function pnlWriteKey({ tradeId, revision }: PnlRevision): string {
  return keyOf({ tradeId, revision })
}

/** @throws as `orderKey` */
export function ledgerWriteKey({ transactionId }: LedgerEntry): string {
  return keyOf({ transactionId })
}

/** @throws as `orderKey` */
export function tradeStateKey({ tradeId, version, to }: TradeTransition): string {
  return keyOf({ tradeId, version, to })
}

/** `a:b:c`; a separator within a part is escaped, so that different parts never make one key. */
function keyOf(parts: Readonly<Record<string, unknown>>): string {
  return Object.entries(parts)
    .map(([name, part]) => textOf(name, part).replaceAll('%', '%25').replaceAll(':', '%3A'))
    .join(':')
}

function textOf(name: string, part: unknown): string {
  if (typeof part === 'number' && Number.isSafeInteger(part)) return String(part)
  if (typeof part === 'string' && part.trim() !== '') return part
  const what = typeof part === 'string' ? 'is blank' : 'is no text and no whole number'
  throw new IdempotencyError('ERR_IDEMPOTENCY_KEY', `${name} ${what}: a key needs it to tell one intent from another`)
}
