import { accessSync, constants, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { commandLineOf } from '../command-error.ts'
import { DemoError, firstLine } from './demo-error.ts'
import { mutants, type Mutant } from '../config.ts'

export interface DemoOptions {
  /** Trading and drain together, in seconds. @default 40, bounds 20..600 */
  readonly seconds: number
  /** @default 1, bounds 0..2^53-1 */
  readonly seed: number
  readonly json: boolean
  readonly report: string | undefined
  readonly keep: string | undefined
  readonly mutant: Mutant | undefined
  /** `SYM=file`, as the exchange takes them. */
  readonly candles: readonly string[]
}

export const DEMO_SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'BNBUSDT'] as const

function wholeNumber(name: string, from: number, to: number): (text: string) => number {
  return text => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < from || value > to) {
      throw new InvalidArgumentError(`${name} is a whole number from ${from} to ${to}.`)
    }
    return value
  }
}

function mutantName(text: string): Mutant {
  const found = mutants.find(name => name === text)
  if (found === undefined) throw new InvalidArgumentError(`Known mutants: ${mutants.join(', ')}.`)
  return found
}

function candleFile(text: string, before: readonly string[]): string[] {
  const at = text.indexOf('=')
  const symbol = text.slice(0, at)
  const file = text.slice(at + 1)
  if (at < 1 || file === '') throw new InvalidArgumentError('Write it as SYMBOL=file.')
  if (!DEMO_SYMBOLS.some(known => known === symbol)) {
    throw new InvalidArgumentError(`The demo trades ${DEMO_SYMBOLS.join(', ')}.`)
  }
  if (before.some(other => other.startsWith(`${symbol}=`))) throw new InvalidArgumentError(`${symbol} is given twice.`)
  try {
    accessSync(file, constants.R_OK)
  } catch (error) {
    throw new InvalidArgumentError(`Cannot read it: ${firstLine(error)}.`)
  }
  return [...before, text]
}

function command(): Command {
  return new Command('demo')
    .description('Runs a naive and a guarded trader through one storm and lets the exchange judge both.')
    .option('--seconds <n>', 'length of the run, 20 to 600', wholeNumber('It', 20, 600), 40)
    .option('--seed <n>', 'seed of market and storm', wholeNumber('It', 0, Number.MAX_SAFE_INTEGER), 1)
    .option('--json', 'print one JSON document instead of the table', false)
    .option('--report <file>', 'write the result as one HTML file')
    .option('--keep <folder>', 'keep truth log, journal, history.jsonl and ledger.jsonl of both sides')
    .option('--mutant <name>', `break the guarded side: ${mutants.join(', ')}`, mutantName)
    .option('--candles <symbol=file>', 'trade these bars; repeatable', candleFile, [] as string[])
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      `
Exit codes: 0 the guarded side has 0 duplicates, 0 lost, 0 drift; 1 it has not; 2 wrong option or file;
3 no Redis, exchange or port; 4 inconclusive; 130 after Ctrl-C.`,
    )
}

/**
 * Reads the command line of `demo`.
 *
 * @returns the options, or `help` when only the help text was asked for, which is then already printed.
 * @throws DemoError with exit code 2 naming the option.
 */
export function parseDemoOptions(
  args: readonly string[],
  output: { stdout: (text: string) => void },
): DemoOptions | 'help' {
  const parser = command()
    .exitOverride()
    .configureOutput({ writeOut: output.stdout, writeErr: () => {}, outputError: () => {} })
  try {
    parser.parse([...args], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return 'help'
    throw new DemoError(commandLineOf(error), 2, { cause: error })
  }
  const given = parser.opts<Omit<DemoOptions, 'report' | 'keep' | 'mutant'> & Partial<DemoOptions>>()
  return {
    seconds: given.seconds,
    seed: given.seed,
    json: given.json,
    report: given.report,
    keep: given.keep,
    mutant: given.mutant,
    candles: given.candles,
  }
}

/** Creates a folder and its parents one by one: asked for all at once, Node never returns where the system says no. */
function makeFolder(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return
  if (dirname(folder) !== folder) makeFolder(dirname(folder))
  mkdirSync(folder)
}

/**
 * Makes sure, before anything is started, that the results can be written.
 *
 * @throws DemoError with exit code 2 naming the option.
 */
export function prepareOutputs(options: Pick<DemoOptions, 'report' | 'keep'>): void {
  const { report, keep } = options
  if (report !== undefined) {
    try {
      if (statSync(report, { throwIfNoEntry: false })?.isDirectory() === true) throw new Error('it is a folder')
      accessSync(dirname(report), constants.W_OK)
      writeFileSync(report, '', { flag: 'a' })
    } catch (error) {
      throw new DemoError(`option '--report' cannot write ${report}: ${firstLine(error)}`, 2, { cause: error })
    }
  }
  if (keep !== undefined) {
    try {
      for (const side of ['naive', 'guarded']) makeFolder(join(keep, side))
      accessSync(keep, constants.W_OK)
    } catch (error) {
      throw new DemoError(`option '--keep' cannot use ${keep}: ${firstLine(error)}`, 2, { cause: error })
    }
  }
}
