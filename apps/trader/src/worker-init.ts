import { z } from 'zod'
import { ConfigError, parseConfig, type TraderConfig } from './config.ts'
import type { ExchangeAddress } from './exchange/link.ts'

/** The first line a worker process reads. Keys come this way so that no process list or environment shows them. */
export interface WorkerInit {
  readonly type: 'init'
  /** Names the process in the journal and the log. */
  readonly worker: string
  readonly redisUrl: string
  readonly rest: string
  readonly wsApi: string
  readonly streams: string
  readonly apiKey: string
  readonly apiSecret: string
  readonly book: string
  readonly strategy: string
  readonly symbols: readonly string[]
  /** Open times of the first and the last bar that make intents; both count. */
  readonly fromBarMs?: number | undefined
  readonly untilBarMs?: number | undefined
  /** A guard to break; only the demo sets it. */
  readonly mutant?: string | null | undefined
  readonly acceptBaseline?: { readonly who: string; readonly why: string } | undefined
  /** All other settings by their names in the configuration. */
  readonly settings: Readonly<Record<string, unknown>>
}

const schema: z.ZodType<WorkerInit> = z.object({
  type: z.literal('init'),
  worker: z.string().min(1),
  redisUrl: z.string().min(1),
  rest: z.string(),
  wsApi: z.string(),
  streams: z.string(),
  apiKey: z.string(),
  apiSecret: z.string(),
  book: z.string(),
  strategy: z.string(),
  symbols: z.array(z.string()),
  fromBarMs: z.number().optional(),
  untilBarMs: z.number().optional(),
  mutant: z.string().nullish(),
  acceptBaseline: z.object({ who: z.string().min(1), why: z.string().min(1) }).optional(),
  settings: z.record(z.string(), z.unknown()),
})

/** What a worker runs on. */
export interface WorkerSetup {
  readonly worker: string
  readonly config: TraderConfig
  readonly address: ExchangeAddress
  readonly redisUrl: string
  readonly acceptBaseline: { readonly who: string; readonly why: string } | undefined
}

/**
 * Reads the first line of a worker's input.
 *
 * @throws ConfigError naming what is missing or wrong.
 */
export function readWorkerInit(line: string): WorkerSetup {
  let raw: unknown
  try {
    raw = JSON.parse(line)
  } catch {
    throw new ConfigError('init', 'the first line of input must be JSON')
  }
  const parsed = schema.safeParse(raw)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw new ConfigError(`init.${issue?.path.join('.') ?? ''}`, issue?.message ?? 'is wrong')
  }
  const init = parsed.data
  const address = {
    restUrl: init.rest,
    wsApiUrl: init.wsApi,
    streamsUrl: init.streams,
    apiKey: init.apiKey,
    apiSecret: init.apiSecret,
  }
  const config = parseConfig({
    ...init.settings,
    ...address,
    redisUrl: init.redisUrl,
    book: init.book,
    strategy: init.strategy,
    symbols: init.symbols,
    ...(init.fromBarMs === undefined ? {} : { tradeFromMs: init.fromBarMs }),
    ...(init.untilBarMs === undefined ? {} : { tradeUntilMs: init.untilBarMs }),
    ...(init.mutant === undefined || init.mutant === null ? {} : { mutant: init.mutant }),
  })
  return { worker: init.worker, config, address, redisUrl: init.redisUrl, acceptBaseline: init.acceptBaseline }
}
