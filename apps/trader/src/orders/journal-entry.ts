import { z } from 'zod'
import type { Intent } from './intent.ts'
import { intentStates, type IntentState } from './state.ts'

const optionalTime = z.coerce.number().int().optional()

/** One intent as the journal holds it. Fields that no longer matter are not read. */
const entrySchema = z.object({
  id: z.string(),
  state: z.enum(intentStates),
  reason: z.string().default(''),
  strategy: z.string(),
  symbol: z.string(),
  barOpenMs: z.coerce.number(),
  leg: z.enum(['entry', 'exit', 'flatten']),
  seq: z.coerce.number(),
  side: z.enum(['BUY', 'SELL']),
  type: z.enum(['MARKET', 'LIMIT']),
  quantity: z.string(),
  price: z.string(),
  validUntilMs: z.coerce.number(),
  fence: z.coerce.number().default(0),
  attempt: z.coerce.number().default(0),
  reservedAtMs: optionalTime,
  signedAtMs: optionalTime,
  firstSignedAtMs: optionalTime,
  doubtSinceMs: optionalTime,
  notFoundAtMs: optionalTime,
  movedMs: optionalTime,
  orderId: z.string().default(''),
  executed: z.string().default('0'),
  filled: z.string().default('0'),
})

export interface JournalEntry extends Intent {
  readonly state: IntentState
  readonly reason: string
  readonly fence: number
  readonly attempt: number
  /** Server times of the exchange, epoch milliseconds. */
  readonly reservedAtMs?: number | undefined
  readonly signedAtMs?: number | undefined
  readonly firstSignedAtMs?: number | undefined
  readonly notFoundAtMs?: number | undefined
  /** Redis times, epoch milliseconds. */
  readonly doubtSinceMs?: number | undefined
  readonly movedMs?: number | undefined
  readonly orderId: string
  /** Cumulative quantity the exchange reports, and what of it is in the ledger, in 1e-8 units. */
  readonly executed: string
  readonly filled: string
}

/** Decodes the hash of an intent; `undefined` when there is none. */
export function readEntry(fields: Readonly<Record<string, string>>): JournalEntry | undefined {
  return Object.keys(fields).length === 0 ? undefined : entrySchema.parse(fields)
}
