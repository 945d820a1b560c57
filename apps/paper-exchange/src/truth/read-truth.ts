import { z } from 'zod'
import type { TruthEntry } from './entry.ts'

/** Every type of entry a truth log has. */
export const TRUTH_TYPES: readonly TruthEntry['type'][] = [
  'request',
  'answer',
  'accepted',
  'rejected',
  'fill',
  'canceled',
  'expired',
  'event',
  'fault',
  'market',
  'clock',
  'wipe',
]

const HEAD = z.looseObject({
  seq: z.int().min(1),
  atMs: z.number(),
  type: z.enum(TRUTH_TYPES),
  account: z.string().nullable(),
})

const AMOUNT = z.string().regex(/^-?\d{1,30}(\.\d{1,30})?$/)

/** The fields the audit does sums with; the others may be anything. */
const AUDITED = new Map<string, z.ZodType>([
  ['request', z.looseObject({ clientOrderId: z.string().nullable(), duringRetryAfter: z.boolean() })],
  [
    'accepted',
    z.looseObject({
      orderId: z.int(),
      clientOrderId: z.string(),
      symbol: z.string(),
      side: z.enum(['BUY', 'SELL']),
      qty: AMOUNT,
      price: AMOUNT,
      signedAtMs: z.number().nullable(),
    }),
  ],
  [
    'fill',
    z.looseObject({
      symbol: z.string(),
      id: z.int(),
      orderId: z.int(),
      price: AMOUNT,
      qty: AMOUNT,
      quoteQty: AMOUNT,
      commission: AMOUNT,
      commissionAsset: z.string(),
      isBuyer: z.boolean(),
    }),
  ],
  ['canceled', z.looseObject({ orderId: z.int() })],
  ['expired', z.looseObject({ orderId: z.int() })],
  ['wipe', z.looseObject({ balances: z.record(z.string(), AMOUNT) })],
  [
    'event',
    z.union([
      z.looseObject({ event: z.literal('executionReport') }),
      z.looseObject({
        event: z.literal('outboundAccountPosition'),
        balances: z.record(z.string(), z.looseObject({ free: AMOUNT, locked: AMOUNT })),
      }),
    ]),
  ],
])

/** A truth file that cannot be read; `line` is 1-based. A retry does not help. */
export class TruthFileError extends Error {
  readonly code = 'ERR_PAPER_TRUTH'
  readonly retryable = false
  readonly outcome = 'not-run'
  readonly line: number

  constructor(line: number, message: string) {
    super(`line ${line}: ${message}`)
    this.name = 'TruthFileError'
    this.line = line
  }
}

/**
 * Reads a truth log from JSON lines. Numbers must follow each other without a gap, so that a log with lines cut out is no evidence.
 *
 * @throws {TruthFileError} naming the first bad line.
 */
export function parseTruth(text: string): TruthEntry[] {
  const entries: TruthEntry[] = []
  for (const [index, content] of text.split('\n').entries()) {
    if (content.trim() === '') continue
    entries.push(readLine(content, index + 1, entries.at(-1)?.seq))
  }
  return entries
}

function readLine(content: string, line: number, previousSeq: number | undefined): TruthEntry {
  let value: unknown
  try {
    value = JSON.parse(content)
  } catch (error) {
    throw new TruthFileError(line, `is no JSON: ${(error as Error).message}`)
  }
  const head = HEAD.safeParse(value)
  if (!head.success) throw new TruthFileError(line, describe(head.error))
  if (previousSeq !== undefined && head.data.seq !== previousSeq + 1) {
    throw new TruthFileError(line, `seq ${head.data.seq} follows ${previousSeq}`)
  }
  const body = AUDITED.get(head.data.type)?.safeParse(value)
  if (body?.success === false) throw new TruthFileError(line, `${head.data.type} entry, ${describe(body.error)}`)
  return value as TruthEntry
}

function describe(error: z.ZodError): string {
  const issue = error.issues[0]
  return `${issue?.path.map(String).join('.') || 'entry'}: ${issue?.message}`
}
