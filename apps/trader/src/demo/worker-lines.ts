import { z } from 'zod'

const base = { tUs: z.number().int() }
const operation = { ...base, op: z.string(), key: z.string() }

interface Stamped {
  /** Epoch microseconds by the worker's clock. */
  readonly tUs: number
}

interface OfOperation extends Stamped {
  readonly op: string
  readonly key: string
}

/** One line a worker writes to its standard output. */
export type WorkerLine =
  | ({ readonly type: 'ready' | 'drained' } & Stamped)
  | ({ readonly type: 'status'; readonly series: number } & Stamped)
  | ({ readonly type: 'invoke'; readonly fp: string } & OfOperation)
  | ({ readonly type: 'request'; readonly attempt: number; readonly signedAtMs: number } & OfOperation)
  | ({
      readonly type: 'return'
      readonly outcome: 'ran' | 'not-run' | 'unknown' | 'busy' | 'mismatch'
      readonly value?: string | undefined
      readonly replayed?: boolean | undefined
      readonly recorded?: boolean | undefined
      readonly code?: string | undefined
    } & OfOperation)
  | ({
      readonly type: 'transition'
      readonly key: string
      readonly from: string | null
      readonly to: string
      readonly reason?: string | undefined
    } & Stamped)

const LINE: z.ZodType<WorkerLine> = z.discriminatedUnion('type', [
  z.object({ type: z.literal(['ready', 'drained']), ...base }),
  z.object({ type: z.literal('invoke'), ...operation, fp: z.string() }),
  z.object({ type: z.literal('request'), ...operation, attempt: z.number().int(), signedAtMs: z.number() }),
  z.object({
    type: z.literal('return'),
    ...operation,
    outcome: z.enum(['ran', 'not-run', 'unknown', 'busy', 'mismatch']),
    value: z.string().optional(),
    replayed: z.boolean().optional(),
    recorded: z.boolean().optional(),
    code: z.string().optional(),
  }),
  z.object({
    type: z.literal('transition'),
    ...base,
    key: z.string(),
    from: z.string().nullable(),
    to: z.string(),
    reason: z.string().optional(),
  }),
  z.object({ type: z.literal('status'), ...base, series: z.number().int() }),
])

/** A worker's line; undefined for anything that is none, such as a line cut by SIGKILL or a type not known here. */
export function readWorkerLine(text: string): WorkerLine | undefined {
  if (!text.startsWith('{')) return undefined
  try {
    return LINE.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
