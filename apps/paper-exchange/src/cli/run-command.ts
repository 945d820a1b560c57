import { PaperExchangeError } from '../errors.ts'
import { CandleFileError, parseCandles } from '../market/candle-file.ts'
import type { Candle } from '../market/candle.ts'
import type { PaperExchangeOptions } from '../options.ts'
import { createPaperExchange } from '../paper-exchange.ts'
import type { PaperExchange } from '../paper-exchange.ts'
import type { CommandIo } from './command-io.ts'
import { readFaultFile, readText } from './fault-file.ts'
import type { FileFault } from './fault-file.ts'
import { openTruthFile } from './truth-file.ts'

/** Options of `run` as commander hands them over. */
export interface RunFlags {
  port: number
  seed: number
  account: string[] | undefined
  balance: Record<string, string>
  symbols: string[]
  candles: Record<string, string> | undefined
  barMs: number
  lastBarMs: number | undefined
  paused: boolean | undefined
  clock: string
  faults: string | undefined
  readLagMs: number
  engineTimeoutMs: number
  weightLimit: number
  orders10s: number
  limitBy: string
  banAfter: number
  banMs: number
  truth: string | undefined
  json: boolean | undefined
}

/** Runs the exchange until a signal. */
export async function runExchange(flags: RunFlags, io: CommandIo): Promise<void> {
  const candles = readCandleFiles(flags.candles ?? {})
  const faults = flags.faults === undefined ? [] : readFaultFile(flags.faults)
  const truth = flags.truth === undefined ? undefined : openTruthFile(flags.truth)
  try {
    const exchange = await createPaperExchange(
      optionsOf(flags, candles, truth === undefined ? undefined : line => truth.write(line)),
    )
    try {
      injectFile(exchange, flags.faults ?? '', faults)
      io.out(flags.json === true ? readyLine(exchange) : readyText(exchange))
      await io.stopRequested
    } finally {
      await exchange[Symbol.asyncDispose]()
    }
  } finally {
    truth?.close()
  }
}

function optionsOf(
  flags: RunFlags,
  candles: Record<string, readonly Candle[]>,
  truthSink: ((line: string) => void) | undefined,
): PaperExchangeOptions {
  return {
    port: flags.port,
    seed: flags.seed,
    accounts: flags.account,
    balances: flags.balance,
    symbols: flags.symbols,
    candles,
    barMs: flags.barMs,
    lastBarMs: flags.lastBarMs,
    paused: flags.paused,
    clock: flags.clock as 'real' | 'manual',
    readLagMs: flags.readLagMs,
    engineTimeoutMs: flags.engineTimeoutMs,
    weightLimit: flags.weightLimit,
    orders10s: flags.orders10s,
    limitBy: flags.limitBy as 'key' | 'ip',
    banAfter: flags.banAfter,
    banMs: flags.banMs,
    truthSink,
  }
}

function readCandleFiles(files: Record<string, string>): Record<string, readonly Candle[]> {
  const candles: Record<string, readonly Candle[]> = {}
  for (const [symbol, path] of Object.entries(files)) {
    try {
      candles[symbol] = parseCandles(readText(path))
    } catch (error) {
      if (!(error instanceof CandleFileError)) throw error
      throw new PaperExchangeError('ERR_PAPER_FILE', `${path} ${error.message}`, { cause: error })
    }
  }
  return candles
}

/** One fault at a time, so that a wrong one can be named by its line. */
function injectFile(exchange: PaperExchange, path: string, faults: readonly FileFault[]): void {
  for (const { line, value } of faults) {
    const added = exchange.controls.inject(value)
    if (!added.ok) throw new PaperExchangeError('ERR_PAPER_FILE', `${path} line ${line}: ${added.msg}`)
  }
}

function readyLine({ urls, controlToken, seed, accounts }: PaperExchange): string {
  return `${JSON.stringify({ event: 'ready', ...urls, controlToken, seed, accounts })}\n`
}

function readyText({ urls, controlToken, seed, accounts }: PaperExchange): string {
  const lines = [
    `paper exchange, seed ${seed}`,
    `  REST           ${urls.rest}`,
    `  WebSocket API  ${urls.wsApi}`,
    `  streams        ${urls.streams}`,
    `  control        ${urls.control}   X-Paper-Token: ${controlToken}`,
    ...accounts.map(({ name, apiKey, secret }) => `  account ${name}\n    key    ${apiKey}\n    secret ${secret}`),
    'Stop with Ctrl-C.',
  ]
  return `${lines.join('\n')}\n`
}
