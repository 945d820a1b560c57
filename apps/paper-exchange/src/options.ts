import { z } from 'zod'
import { PaperExchangeError } from './errors.ts'
import type { Candle } from './market/candle.ts'

/** How a paper exchange is set up. Everything has a default. */
export interface PaperExchangeOptions {
  /** Port on 127.0.0.1; 0 takes a free one. @default 0 */
  port?: number | undefined
  /** Decides market, keys, ids and fault shares. @default 1 */
  seed?: number | undefined
  /** Account names, `[a-z0-9-]`, at most 32 characters. @default ['demo'] */
  accounts?: readonly string[] | undefined
  /** What each account starts with. @default USDT 100000, BTC 2, ETH 20, BNB 100 */
  balances?: Readonly<Record<string, string>> | undefined
  /** @default ['BTCUSDT', 'ETHUSDT', 'BNBUSDT'] */
  symbols?: readonly string[] | undefined
  /** Bars to play instead of generated ones, by symbol; the first 1000 are history. */
  candles?: Readonly<Record<string, readonly Candle[]>> | undefined
  /** Server milliseconds a one-minute bar lasts. 12..86400000. @default 60000 */
  barMs?: number | undefined
  /** @default 'real' */
  clock?: 'real' | 'manual' | undefined
  /** Market time at which the last bar of history opens. @default 1700000040000 on a manual clock, else aligned to server time */
  lastBarMs?: number | undefined
  /** Starts with the market standing still, until `POST /_paper/market {"pause":false}`. @default false */
  paused?: boolean | undefined
  /** Faults in the form of `POST /_paper/faults`, in order. */
  faults?: readonly unknown[] | undefined
  /** How old the books are that the five reads show. 0..600000. @default 0 */
  readLagMs?: number | undefined
  /** A request held longer gets 503 -1007. 1..600000. @default 10000 */
  engineTimeoutMs?: number | undefined
  /** Weight per minute and source. @default 6000 */
  weightLimit?: number | undefined
  /** Unfilled orders per 10 s and account. @default 50 */
  orders10s?: number | undefined
  /** What limits and bans count by: the API key where one is sent, or always the address. @default 'key' */
  limitBy?: 'key' | 'ip' | undefined
  /** Strikes before a ban. @default 3 */
  banAfter?: number | undefined
  /** First ban; each further one is twice as long, up to three days. @default 120000 */
  banMs?: number | undefined
  /** Takes each line of the truth log as it is written. */
  truthSink?: ((line: string) => void) | undefined
}

const whole = (min: number, max: number): z.ZodNumber => z.int().min(min).max(max)
const AMOUNT = z.string().regex(/^\d{1,20}(\.\d{1,8})?$/, 'must be a decimal with at most 8 places')
const ASSET = z.string().regex(/^[A-Z0-9]{2,12}$/, 'must be an asset like USDT')

const SCHEMA = z.strictObject({
  port: whole(0, 65_535).default(0),
  seed: z.int().default(1),
  accounts: z
    .array(z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'must be 1 to 32 of a-z, 0-9 and -'))
    .min(1)
    .refine(names => new Set(names).size === names.length, 'must not name an account twice')
    .default(['demo']),
  balances: z.record(ASSET, AMOUNT).default({ USDT: '100000', BTC: '2', ETH: '20', BNB: '100' }),
  symbols: z.array(z.string()).min(1).default(['BTCUSDT', 'ETHUSDT', 'BNBUSDT']),
  candles: z.record(z.string(), z.custom<readonly Candle[]>()).default({}),
  barMs: whole(12, 86_400_000).default(60_000),
  clock: z.enum(['real', 'manual']).default('real'),
  paused: z.boolean().default(false),
  lastBarMs: whole(0, 4_102_444_800_000)
    .refine(ms => ms % 60_000 === 0, 'must be a whole minute')
    .optional(),
  faults: z.array(z.unknown()).default([]),
  readLagMs: whole(0, 600_000).default(0),
  engineTimeoutMs: whole(1, 600_000).default(10_000),
  weightLimit: whole(1, 1_000_000_000).default(6000),
  orders10s: whole(1, 1_000_000_000).default(50),
  limitBy: z.enum(['key', 'ip']).default('key'),
  banAfter: whole(1, 1_000_000).default(3),
  banMs: whole(1, 259_200_000).default(120_000),
  truthSink: z.custom<(line: string) => void>(value => typeof value === 'function').optional(),
})

type Optional = 'lastBarMs' | 'truthSink'

/** Options with all defaults filled in. */
export type ResolvedOptions = {
  [N in Exclude<keyof PaperExchangeOptions, Optional>]-?: Exclude<PaperExchangeOptions[N], undefined>
} & Pick<PaperExchangeOptions, Optional>

/** Checks options and fills in the defaults. @throws {PaperExchangeError} `ERR_PAPER_OPTIONS` naming the field. */
export function resolveOptions(options: PaperExchangeOptions): ResolvedOptions {
  const parsed = SCHEMA.safeParse(options)
  if (parsed.success) return parsed.data
  throw new PaperExchangeError('ERR_PAPER_OPTIONS', describeIssue(parsed.error))
}

/** The first issue in one line, with the field it is about. */
export function describeIssue(error: z.ZodError): string {
  const issue = error.issues[0]
  if (issue === undefined) return 'invalid options'
  const field = issue.path.map(String).join('.')
  if (issue.code === 'unrecognized_keys')
    return `${[...issue.path.map(String), ...issue.keys].join('.')}: unknown field`
  return `${field === '' ? 'value' : field}: ${issue.message}`
}
