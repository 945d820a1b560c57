import { z } from 'zod'

const DECIMAL = z.string().regex(/^-?\d{1,30}(\.\d{1,30})?$/, 'must be a decimal string')

export const auditClaimsSchema: z.ZodType<AuditClaims> = z.strictObject({
  account: z.string().min(1),
  intents: z.array(z.string().min(1)).optional(),
  records: z
    .record(z.string(), z.object({ believes: z.enum(['ordered', 'refused', 'unknown']), reason: z.string().nullish() }))
    .optional(),
  ledger: z.record(z.string(), DECIMAL).optional(),
  killAtMs: z.number().optional(),
  permitMs: z.number().min(0).optional(),
  fromSeq: z.int().min(1).optional(),
})

/** What a trader says about itself; everything but the account may be left out, and is then not judged. */
export interface AuditClaims {
  readonly account: string
  /** Client order ids of everything it meant to order. @default the ids of `records` */
  readonly intents?: readonly string[] | undefined
  readonly records?: Readonly<Record<string, OrderRecord>> | undefined
  /** Net change per asset by the trader's own ledger, decimal strings. */
  readonly ledger?: Readonly<Record<string, string>> | undefined
  readonly killAtMs?: number | undefined
  /** @default 0 */
  readonly permitMs?: number | undefined
  /** Judge only what was logged from this entry on. @default 1 */
  readonly fromSeq?: number | undefined
}

/** What the trader's journal holds about one id. */
export interface OrderRecord {
  readonly believes: 'ordered' | 'refused' | 'unknown'
  readonly reason?: string | null | undefined
}

/** Reads claims from outside; the message names the field. */
export function parseClaims(
  input: unknown,
): { readonly ok: true; readonly claims: AuditClaims } | { readonly ok: false; readonly msg: string } {
  const parsed = auditClaimsSchema.safeParse(input)
  if (parsed.success) return { ok: true, claims: parsed.data }
  const issue = parsed.error.issues[0]
  return { ok: false, msg: `${issue?.path.map(String).join('.') || 'claims'}: ${issue?.message}` }
}
