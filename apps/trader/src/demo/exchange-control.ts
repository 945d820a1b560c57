import { z } from 'zod'
import type { FaultRule } from './storm.ts'

/** Where a paper exchange listens and with which keys; its first line of output. */
export interface ExchangeAddress {
  readonly rest: string
  readonly wsApi: string
  readonly streams: string
  readonly control: string
  readonly controlToken: string
  readonly accounts: readonly { readonly name: string; readonly apiKey: string; readonly secret: string }[]
}

const READY: z.ZodType<ExchangeAddress> = z.object({
  event: z.literal('ready'),
  rest: z.url(),
  wsApi: z.url(),
  streams: z.url(),
  control: z.url(),
  controlToken: z.string(),
  accounts: z.array(z.object({ name: z.string(), apiKey: z.string(), secret: z.string() })),
})

/** Reads the ready line; undefined when the line is something else. */
export function readReadyLine(line: string): ExchangeAddress | undefined {
  if (!line.startsWith('{')) return undefined
  return READY.parse(JSON.parse(line))
}

/** One line of the truth log; which further fields it has follows from `type`. */
export interface TruthLine {
  readonly seq: number
  readonly atMs: number
  readonly type: string
  readonly account?: string | null | undefined
  readonly [field: string]: unknown
}

const TRUTH_ENTRY: z.ZodType<TruthLine> = z.looseObject({
  seq: z.number(),
  atMs: z.number(),
  type: z.string(),
  account: z.string().nullable().optional(),
})
const TRUTH_PAGE = z.object({ entries: z.array(TRUTH_ENTRY), next: z.number().nullable() })

/** The exchange's judgement over one account. */
export interface Audit {
  readonly ok: boolean
  readonly totals: Readonly<
    Record<'accepted' | 'duplicates' | 'orphans' | 'lost' | 'refused' | 'inDoubt' | 'requestsDuringRetryAfter', number>
  >
  readonly drift: Readonly<Record<string, string>>
  readonly invariants: readonly {
    readonly id: string
    readonly ok: boolean
    readonly count: number
    /** `seq` of the entries that prove a breach. */
    readonly evidence: readonly number[]
  }[]
}

const AUDIT: z.ZodType<Audit> = z.object({
  ok: z.boolean(),
  totals: z.object({
    accepted: z.number(),
    duplicates: z.number(),
    orphans: z.number(),
    lost: z.number(),
    refused: z.number(),
    inDoubt: z.number(),
    requestsDuringRetryAfter: z.number(),
  }),
  drift: z.record(z.string(), z.string()),
  invariants: z.array(z.object({ id: z.string(), ok: z.boolean(), count: z.number(), evidence: z.array(z.number()) })),
})

/** What a side says about itself. */
export interface Claims {
  readonly account: string
  readonly intents: readonly string[]
  readonly records: Readonly<Record<string, { believes: 'ordered' | 'refused' | 'unknown'; reason: string }>>
  readonly ledger: Readonly<Record<string, string>>
}

const KLINES = z.array(z.tuple([z.number(), z.string(), z.string(), z.string(), z.string()], z.unknown()))

/** Opening times of bars, in milliseconds. */
export type OpenTimes = readonly number[]

export interface ExchangeControl {
  addFaults(rules: readonly FaultRule[]): Promise<void>
  clearFaults(): Promise<void>
  /** Stands still or runs on, all symbols. */
  pauseMarket(pause: boolean): Promise<void>
  /** All entries from the start, oldest first. */
  truth(): Promise<TruthLine[]>
  audit(claims: Claims): Promise<Audit>
  /** The bars of a symbol, oldest first; the last one is still running. */
  openTimes(symbol: string, range: { startTime?: number; endTime?: number; limit: number }): Promise<OpenTimes>
}

/** Speaks to the control plane of a paper exchange. Every call ends within 10 seconds. */
export function createExchangeControl(address: ExchangeAddress): ExchangeControl {
  async function call(url: string, init: { method: string; body?: unknown }): Promise<unknown> {
    const answer = await fetch(url, {
      method: init.method,
      signal: AbortSignal.timeout(10_000),
      headers: { 'X-Paper-Token': address.controlToken, 'Content-Type': 'application/json' },
      ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`paper exchange: ${init.method} ${new URL(url).pathname} ${answer.status} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }
  const control = (path: string): string => `${address.control}${path}`
  return {
    async addFaults(rules) {
      await call(control('/faults'), { method: 'POST', body: rules })
    },
    async clearFaults() {
      await call(control('/faults'), { method: 'DELETE' })
    },
    async pauseMarket(pause) {
      await call(control('/market'), { method: 'POST', body: { pause } })
    },
    async truth() {
      const entries: TruthLine[] = []
      let after: number | null = 0
      while (after !== null) {
        const page: { entries: TruthLine[]; next: number | null } = TRUTH_PAGE.parse(
          await call(control(`/truth?after=${after}&limit=1000`), { method: 'GET' }),
        )
        for (const entry of page.entries) entries.push(entry)
        after = page.next
      }
      return entries
    },
    async audit(claims) {
      return AUDIT.parse(await call(control('/audit'), { method: 'POST', body: claims }))
    },
    async openTimes(symbol, range) {
      const query = new URLSearchParams({ symbol, interval: '1m', limit: String(range.limit) })
      if (range.startTime !== undefined) query.set('startTime', String(range.startTime))
      if (range.endTime !== undefined) query.set('endTime', String(range.endTime))
      const rows = KLINES.parse(await call(`${address.rest}/api/v3/klines?${query.toString()}`, { method: 'GET' }))
      return rows.map(row => row[0])
    },
  }
}
