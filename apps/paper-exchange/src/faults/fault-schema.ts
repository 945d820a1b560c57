import { z } from 'zod'

/** Where a fault acts: between the two time tests, between the engine's decision and the answer, on a whole stream, on one event. */
export type FaultPhase = 'before' | 'after' | 'stream' | 'event'

export type FaultAction =
  | { readonly type: 'hang'; readonly ms: number }
  | { readonly type: 'delay'; readonly ms: number }
  | { readonly type: 'reset' }
  | { readonly type: 'close' }
  | {
      readonly type: 'status'
      readonly status: number
      readonly code?: number | undefined
      readonly msg?: string | undefined
      readonly retryAfterS?: number | undefined
      readonly html?: string | undefined
    }
  | { readonly type: 'truncate'; readonly bytes: number }
  | { readonly type: 'garbage' }
  | { readonly type: 'duplicate'; readonly times: number }
  | { readonly type: 'hide'; readonly ms: number }
  | { readonly type: 'limit'; readonly retryAfterS: number; readonly ban: boolean }
  | { readonly type: 'drop' }
  | { readonly type: 'silence'; readonly ms: number }
  | { readonly type: 'shutdown' }
  | { readonly type: 'repeat' }
  | { readonly type: 'reorder' }
  | { readonly type: 'lag'; readonly ms: number }

export interface FaultMatch {
  readonly account?: string | undefined
  readonly method?: string | undefined
  readonly path?: string | undefined
  readonly symbol?: string | undefined
  readonly side?: 'BUY' | 'SELL' | undefined
  readonly clientOrderId?: string | undefined
  readonly event?: string | undefined
  readonly channel?: 'rest' | 'ws-api' | 'user-stream' | 'market-stream' | undefined
  readonly attempt?: number | undefined
  readonly nth?: number | undefined
  readonly every?: number | undefined
  readonly share?: number | undefined
  /** Ms of server time since the start, the first included, the second not. */
  readonly fromMs?: number | undefined
  readonly untilMs?: number | undefined
}

const MAX_MS = 86_400_000
const milliseconds = (): z.ZodNumber => z.int().min(0).max(MAX_MS)
const whole = (): z.ZodNumber => z.int().min(1).max(1_000_000_000)

const hang = z.strictObject({ type: z.literal('hang'), ms: milliseconds() })
const delay = z.strictObject({ type: z.literal('delay'), ms: milliseconds() })
const reset = z.strictObject({ type: z.literal('reset') })
const close = z.strictObject({ type: z.literal('close') })
const status = z.strictObject({
  type: z.literal('status'),
  status: z.int().min(200).max(599),
  code: z.int().optional(),
  msg: z.string().max(1000).optional(),
  retryAfterS: z.int().min(0).max(259_200).optional(),
  html: z.string().max(100_000).optional(),
})
const truncate = z.strictObject({ type: z.literal('truncate'), bytes: z.int().min(0).max(1_000_000).default(20) })
const garbage = z.strictObject({ type: z.literal('garbage') })
const duplicate = z.strictObject({ type: z.literal('duplicate'), times: z.int().min(2).max(20).default(2) })
const hide = z.strictObject({ type: z.literal('hide'), ms: milliseconds() })
const limit = z.strictObject({
  type: z.literal('limit'),
  retryAfterS: z.int().min(1).max(259_200),
  ban: z.boolean().default(false),
})
const drop = z.strictObject({ type: z.literal('drop') })
const silence = z.strictObject({ type: z.literal('silence'), ms: milliseconds() })
const shutdown = z.strictObject({ type: z.literal('shutdown') })
const repeat = z.strictObject({ type: z.literal('repeat') })
const reorder = z.strictObject({ type: z.literal('reorder') })
const lag = z.strictObject({ type: z.literal('lag'), ms: milliseconds() })

const actionSchema = z.discriminatedUnion('type', [
  hang,
  delay,
  reset,
  close,
  status,
  truncate,
  garbage,
  duplicate,
  hide,
  limit,
  drop,
  silence,
  shutdown,
  repeat,
  reorder,
  lag,
])

const matchSchema = z.strictObject({
  account: z.string().optional(),
  method: z.string().optional(),
  path: z.string().optional(),
  symbol: z.string().optional(),
  side: z.enum(['BUY', 'SELL']).optional(),
  clientOrderId: z.string().optional(),
  event: z.string().optional(),
  channel: z.enum(['rest', 'ws-api', 'user-stream', 'market-stream']).optional(),
  attempt: whole().optional(),
  nth: whole().optional(),
  every: whole().optional(),
  share: z.number().min(0).max(1).optional(),
  fromMs: z.int().min(0).optional(),
  untilMs: z.int().min(0).optional(),
})

const phaseSchema = z.enum(['before', 'after', 'stream', 'event'])

const inputSchema = z
  .strictObject({
    id: z
      .string()
      .regex(/^[\w.-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, dashes or underscores')
      .optional(),
    match: matchSchema.default({}),
    phase: phaseSchema.optional(),
    action: actionSchema,
    times: whole().optional(),
  })
  .superRefine((input, context) => {
    const allowed = PHASES[input.action.type]
    const hint = `${input.action.type} needs phase ${allowed.join(' or ')}`
    const fits = input.phase === undefined ? allowed.length === 1 : allowed.includes(input.phase)
    if (!fits) context.addIssue({ code: 'custom', path: ['phase'], message: hint })
  })

export interface Fault {
  readonly id: string
  readonly match: FaultMatch
  readonly phase: FaultPhase
  readonly action: FaultAction
  /** How often it acts per account; `null` is no limit. */
  readonly times: number | null
}

/** A fault before it has an id. */
export interface FaultDraft extends Omit<Fault, 'id'> {
  readonly id: string | undefined
}

/** Reads one fault. `times` is 1 with `nth`; a phase may be left out where the action has only one. */
export function parseFault(
  input: unknown,
): { readonly ok: true; readonly fault: FaultDraft } | { readonly ok: false; readonly msg: string } {
  const parsed = inputSchema.safeParse(input)
  if (!parsed.success) return { ok: false, msg: describe(parsed.error) }
  const { id, match, action, phase, times } = parsed.data
  return {
    ok: true,
    fault: {
      id,
      match,
      phase: phase ?? (PHASES[action.type][0] as FaultPhase),
      action,
      times: times ?? (match.nth === undefined ? null : 1),
    },
  }
}

function describe(error: z.ZodError): string {
  const issue = error.issues[0]
  const field = issue?.path.map(String).join('.') ?? ''
  return field === '' ? (issue?.message ?? 'is no fault') : `${field}: ${issue?.message}`
}

const PHASES: Readonly<Record<FaultAction['type'], readonly FaultPhase[]>> = {
  hang: ['before', 'after'],
  delay: ['before', 'after'],
  reset: ['before', 'after'],
  close: ['before', 'after'],
  status: ['before', 'after'],
  truncate: ['after'],
  garbage: ['after'],
  duplicate: ['before'],
  hide: ['after'],
  limit: ['before'],
  drop: ['stream'],
  silence: ['stream'],
  shutdown: ['stream'],
  repeat: ['event'],
  reorder: ['event'],
  lag: ['event'],
}
