import { accessSync, constants } from 'node:fs'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { commandLineOf } from './command-error.ts'
import { ConfigError, readEnvironment } from './config.ts'
import { strategyNames } from './strategy/catalog.ts'
import type { TraderCommandOptions } from './trader-command.ts'

// Each command loads only what it runs on: a wrong option is answered at once, and a worker is back sooner.

function wholeNumber(from: number, to: number): (text: string) => number {
  return text => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < from || value > to) {
      throw new InvalidArgumentError(`It must be a whole number from ${from} to ${to}.`)
    }
    return value
  }
}

function oneOf(names: readonly string[]): (text: string) => string {
  return text => {
    if (!names.includes(text)) throw new InvalidArgumentError(`It must be one of ${names.join(', ')}.`)
    return text
  }
}

function candleFile(text: string, before: readonly string[]): string[] {
  const [, symbol, file] = /^([A-Z0-9]+)=(.+)$/.exec(text) ?? []
  if (symbol === undefined || file === undefined) throw new InvalidArgumentError('Write it as SYMBOL=file.')
  if (before.some(other => other.startsWith(`${symbol}=`))) throw new InvalidArgumentError(`${symbol} is given twice.`)
  try {
    accessSync(file, constants.R_OK)
  } catch {
    throw new InvalidArgumentError(`${file} cannot be read.`)
  }
  return [...before, text]
}

interface TraderFlags {
  readonly mode?: string
  readonly strategy?: string
  readonly symbols?: string
  readonly workers: number
  readonly json: boolean
  readonly live: boolean
  readonly cancelOnExit: boolean
  readonly acceptBaseline: boolean
  readonly who?: string
  readonly why?: string
  readonly candles: readonly string[]
}

function settingsOf(flags: TraderFlags): Record<string, unknown> {
  return {
    ...readEnvironment(process.env),
    ...(flags.mode === undefined ? {} : { mode: flags.mode }),
    ...(flags.strategy === undefined ? {} : { strategy: flags.strategy }),
    ...(flags.symbols === undefined ? {} : { symbols: flags.symbols.split(',') }),
    live: flags.live,
    cancelOnExit: flags.cancelOnExit,
  }
}

function baselineOrder(flags: TraderFlags): TraderCommandOptions['acceptBaseline'] {
  if (!flags.acceptBaseline) return undefined
  const { who, why } = flags
  if (who === undefined || who === '') throw new ConfigError('--who', 'needed with --accept-baseline')
  if (why === undefined || why === '') throw new ConfigError('--why', 'needed with --accept-baseline')
  return { who, why }
}

/** Two signals mean two things; the handlers stay for the life of the command. */
function onInterrupt(first: () => void, second: () => void): void {
  let count = 0
  const interrupted = (): void => {
    count += 1
    if (count === 1) {
      first()
      return
    }
    second()
    process.exit(130)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupted)
  // Whoever read the lines has gone: that asks for an end too, but only once.
  process.stdout.on('error', () => {
    if (count === 0) interrupted()
  })
}

async function traderAction(flags: TraderFlags): Promise<number> {
  const io = { stdout: process.stdout, stderr: process.stderr, onInterrupt }
  try {
    const { workers, json, candles } = flags
    const { runTraderCommand } = await import('./trader-command.ts')
    return await runTraderCommand(
      { settings: settingsOf(flags), workers, json, candles, acceptBaseline: baselineOrder(flags) },
      io,
    )
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`trader: ${error.message}\n`)
    return 2
  }
}

function program(done: (exitCode: number) => void): Command {
  const root = new Command('trader').description('A guarded trader on a paper exchange, the testnet, or for real.')
  // The demo reads its own line, so that its words and its help are its own.
  const demo = root.command('demo').description('a naive and a guarded trader in one storm, judged by the exchange')
  demo.helpOption(false).allowUnknownOption().allowExcessArguments()
  demo.argument('[options...]').action(async () => {
    const { runDemo } = await import('./demo/run-demo.ts')
    done(
      await runDemo(process.argv.slice(3), {
        redisUrl: process.env['REDIS_URL'] || undefined,
        stdout: process.stdout,
        stderr: process.stderr,
      }),
    )
  })
  root
    .command('trader')
    .description('trades until Ctrl-C')
    .option('--mode <mode>', 'paper, testnet or live (TRADER_MODE)', oneOf(['paper', 'testnet', 'live']))
    .option('--strategy <name>', `${strategyNames.join(' or ')} (TRADER_STRATEGY)`, oneOf(strategyNames))
    .option('--symbols <list>', 'such as BTCUSDT,ETHUSDT (TRADER_SYMBOLS)')
    .option('--workers <n>', 'worker processes, 1 to 16', wholeNumber(1, 16), 1)
    .option('--port <n>', 'port of the console', wholeNumber(0, 65_535), 4020)
    .option('--no-web', 'without the console')
    .option('--json', 'one JSON line per event', false)
    .option('--live', 'real orders; needs TRADER_MODE=live and TRADER_LIVE_CONFIRM=real-orders', false)
    .option('--cancel-on-exit', 'cancel resting orders when stopping', false)
    .option('--accept-baseline', 'take the balances of now as the new baseline', false)
    .option('--who <name>', 'who accepts the baseline')
    .option('--why <text>', 'why the baseline is accepted')
    .option(
      '--candles <symbol=file>',
      'bars for the exchange the trader starts; repeatable',
      candleFile,
      [] as string[],
    )
    .allowExcessArguments(false)
    .addHelpText('after', '\nExit codes: 0 stopped in order; 2 configuration; 3 Redis unsafe or away; 4 exchange away.')
    .action(async (flags: TraderFlags) => done(await traderAction(flags)))
  root.command('worker', { hidden: true }).action(async () => {
    const { runWorker } = await import('./worker.ts')
    done(await runWorker(process.stdin, line => process.stderr.write(`${line}\n`)))
  })
  return root
}

async function main(): Promise<number> {
  let exitCode = 0
  const root = program(code => {
    exitCode = code
  })
  const quiet = (command: Command): Command =>
    command.exitOverride().configureOutput({
      outputError: (message, write) => write(`trader: ${commandLineOf({ message })}\n`),
    })
  for (const command of [root, ...root.commands]) quiet(command)
  try {
    await root.parseAsync(process.argv)
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    throw error
  }
}

// A stdout that is full, or that nobody reads any more, must not end a run in the middle of its cleaning up.
let broken: NodeJS.ErrnoException | undefined
process.stdout.on('error', (error: NodeJS.ErrnoException) => (broken ??= error))
// There is nowhere left to say it; the exit code does.
process.stderr.on('error', () => {})

const exitCode = await main()
await new Promise<void>(resolve => process.stdout.write('', () => resolve()))
const lost = broken !== undefined && broken.code !== 'EPIPE'
if (lost) process.stderr.write(`trader: stdout cannot be written (${broken?.code})\n`)
// What stdin holds open must not keep a finished command alive.
process.exit(lost && exitCode === 0 ? 3 : exitCode)
