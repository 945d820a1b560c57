import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createToken, systemClock, type RedisClient } from '@safety/redis-core'
import { ConfigError, parseConfig, shownConfig, type TraderConfig } from './config.ts'
import { createChildPool, type Child, type ChildPool } from './demo/child-process.ts'
import type { ExchangeAddress } from './exchange/link.ts'
import { lineOf } from './log.ts'
import { startOwnExchange } from './own-exchange.ts'
import { startOwnRedis } from './own-redis.ts'
import { bookKeys } from './redis/keys.ts'
import { detailOf, type TraderEvent } from './report.ts'
import { connectStore } from './safety.ts'
import { StartError } from './start-error.ts'
import { createSupervisor, type WorkersEnd } from './supervise.ts'
import type { WorkerInit } from './worker-init.ts'

export interface TraderCommandOptions {
  /** Settings of the environment and the command line, the latter winning. */
  readonly settings: Readonly<Record<string, unknown>>
  readonly workers: number
  readonly json: boolean
  /** `SYM=file`; needs the exchange the command starts itself. */
  readonly candles: readonly string[]
  readonly acceptBaseline: { readonly who: string; readonly why: string } | undefined
}

export interface CommandIo {
  readonly stdout: { write(text: string): unknown }
  readonly stderr: { write(text: string): unknown }
  /** Calls `first` at the first signal to end and `second` at the next. */
  readonly onInterrupt: (first: () => void, second: () => void) => void
}

/** Resting orders are given this long to be cancelled, and requests under way to end. */
const stopGraceMs = 35_000

function ownsExchange(config: TraderConfig): boolean {
  return config.restUrl === undefined
}

function addressOf(config: TraderConfig): ExchangeAddress {
  const { restUrl = '', wsApiUrl = '', streamsUrl = '', apiKey = '', apiSecret = '' } = config
  return { restUrl, wsApiUrl, streamsUrl, apiKey, apiSecret }
}

const initParts = new Set([
  'redisUrl',
  'restUrl',
  'wsApiUrl',
  'streamsUrl',
  'apiKey',
  'apiSecret',
  'book',
  'strategy',
  'symbols',
])

function initOf(
  worker: string,
  setup: { config: TraderConfig; address: ExchangeAddress; redisUrl: string; book: string },
  acceptBaseline: TraderCommandOptions['acceptBaseline'],
): WorkerInit {
  const { config, address, redisUrl, book } = setup
  const settings = Object.entries(config).filter(([name, value]) => value !== undefined && !initParts.has(name))
  return {
    type: 'init',
    worker,
    redisUrl,
    rest: address.restUrl,
    wsApi: address.wsApiUrl,
    streams: address.streamsUrl,
    apiKey: address.apiKey,
    apiSecret: address.apiSecret,
    book,
    strategy: config.strategy,
    symbols: config.symbols,
    acceptBaseline,
    settings: Object.fromEntries(settings),
  }
}

/** Deletes every key of a book that was made up for one run. */
async function deleteBook(redisUrl: string, book: string): Promise<void> {
  const redis: RedisClient = await connectStore(redisUrl, 'trader:cleanup', { timeoutMs: 5000 })
  try {
    const nodes = 'nodes' in redis ? redis.nodes('master') : [redis]
    for (const node of nodes) {
      let cursor = '0'
      do {
        const [next, keys] = await node.scan(cursor, 'MATCH', `${bookKeys(book).namespace}:*`, 'COUNT', 500)
        cursor = next
        for (const key of keys) await node.unlink(key)
      } while (cursor !== '0')
    }
  } finally {
    redis.disconnect()
  }
}

interface Stage {
  readonly config: TraderConfig
  readonly address: ExchangeAddress
  readonly redisUrl: string
  readonly book: string
  readonly exchange: Child | undefined
}

/** What has to be undone at the end, last first. */
type Undo = (() => Promise<void>)[]

async function setStage(
  options: TraderCommandOptions,
  config: TraderConfig,
  pool: ChildPool,
  undo: Undo,
): Promise<Stage> {
  if (options.candles.length > 0 && !ownsExchange(config)) {
    throw new ConfigError(
      '--candles',
      'needs the paper exchange the trader starts itself, and TRADER_REST_URL names another',
    )
  }
  if (config.redisUrl === undefined && config.mode === 'live')
    throw new ConfigError('REDIS_URL', 'missing in live mode')
  let redisUrl = config.redisUrl
  if (redisUrl === undefined) {
    const redis = await startOwnRedis(config.stateDir)
    undo.push(async () => redis[Symbol.asyncDispose]())
    redisUrl = redis.url
  }
  if (!ownsExchange(config))
    return { config, address: addressOf(config), redisUrl, book: config.book, exchange: undefined }
  // Nothing of this exchange outlives the run, so neither may the book that describes it.
  const book = `run-${createToken()}`
  const url = redisUrl
  undo.push(() => deleteBook(url, book))
  const { symbols, barMs } = config
  const { child, address } = await startOwnExchange(pool, { symbols, barMs, candles: options.candles })
  undo.push(async () => {
    await child.stop(5000)
  })
  return { config, address, redisUrl, book, exchange: child }
}

function showLine(io: CommandIo, options: TraderCommandOptions, name: string, line: string): void {
  if (options.json) {
    io.stdout.write(line.startsWith('{') ? `${line.slice(0, -1)},"worker":${JSON.stringify(name)}}\n` : '')
    return
  }
  let event: TraderEvent
  try {
    event = JSON.parse(line) as TraderEvent
  } catch {
    // A line cut by the end of its process.
    return
  }
  const text = lineOf(event)
  if (text !== undefined) io.stdout.write(options.workers === 1 ? `${text}\n` : `${name}: ${text}\n`)
}

function announce(io: CommandIo, options: TraderCommandOptions, stage: Stage): void {
  const { config, book } = stage
  if (options.json) {
    io.stdout.write(`${JSON.stringify({ type: 'configuration', book, config: shownConfig(config) })}\n`)
    return
  }
  const exchange = stage.exchange === undefined ? '' : ', own paper exchange'
  io.stdout.write(`mode ${config.mode}, book ${book}, ${config.strategy} on ${config.symbols.join(' ')}${exchange}\n`)
}

/** A refused Redis is explained in full; of anything else the last line says what was wrong. */
function lastWords({ complaint, exitCode }: WorkersEnd): string {
  if (complaint === '') return 'a worker could not start'
  return exitCode === 3 ? complaint : (complaint.split('\n').at(-1) ?? complaint)
}

type Ending =
  | { readonly why: 'interrupted' }
  | { readonly why: 'exchange' }
  | ({ readonly why: 'workers' } & WorkersEnd)

async function trade(
  options: TraderCommandOptions,
  io: CommandIo,
  stage: Stage,
  pool: ChildPool,
  interrupted: Promise<void>,
): Promise<number> {
  const names = Array.from({ length: options.workers }, (_, at) => `worker-${at + 1}`)
  const supervisor = createSupervisor({
    pool,
    clock: systemClock,
    file: fileURLToPath(new URL('main.ts', import.meta.url)),
    names,
    // A baseline is accepted once: by the first worker, at its first start, and before any other looks at the account.
    initOf: (name, traded) => initOf(name, stage, name === names[0] && !traded ? options.acceptBaseline : undefined),
    firstAlone: options.acceptBaseline !== undefined,
    onLine: (name, line) => showLine(io, options, name, line),
    onRestart: (name, why) => io.stderr.write(`${name} ended (${why.split('\n').at(-1)}); it is started again\n`),
  })
  announce(io, options, stage)
  supervisor.start()
  const gone = stage.exchange?.exited ?? new Promise<never>(() => {})
  const ending = await Promise.race<Ending>([
    interrupted.then(() => ({ why: 'interrupted' })),
    supervisor.failed.then(end => ({ why: 'workers', ...end })),
    gone.then(() => ({ why: 'exchange' })),
  ])
  await supervisor.stop(stopGraceMs)
  switch (ending.why) {
    case 'interrupted':
      return 0
    case 'exchange':
      io.stderr.write('trader: the paper exchange ended\n')
      return 4
    case 'workers':
      io.stderr.write(`trader: ${lastWords(ending)}\n`)
      return ending.exitCode
    default:
      return ending satisfies never
  }
}

/**
 * The command `trader`: runs until the first signal to end.
 *
 * @returns 0 stopped in order, 2 configuration, 3 Redis unsafe or away, 4 exchange away.
 * @throws ConfigError for a setting that is missing, wrong or contradicts another; nothing was started.
 */
export async function runTraderCommand(options: TraderCommandOptions, io: CommandIo): Promise<number> {
  const config = parseConfig(options.settings)
  const pool = createChildPool(systemClock, resolve(config.stateDir, 'cache'))
  const { promise: interrupted, resolve: interrupt } = Promise.withResolvers<void>()
  io.onInterrupt(interrupt, () => pool.killAll())
  const undo: Undo = []
  let exitCode: number
  try {
    const stage = await setStage(options, config, pool, undo)
    exitCode = await trade(options, io, stage, pool, interrupted)
  } catch (error) {
    io.stderr.write(`trader: ${detailOf(error)}\n`)
    exitCode = error instanceof ConfigError ? 2 : error instanceof StartError ? error.exitCode : 1
  }
  for (const step of undo.toReversed()) {
    try {
      await step()
    } catch (error) {
      io.stderr.write(`trader: could not clean up: ${detailOf(error)}\n`)
    }
  }
  await pool[Symbol.asyncDispose]()
  return exitCode
}
