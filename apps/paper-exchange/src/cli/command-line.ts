import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import type { CommandIo } from './command-io.ts'
import type { RunFlags } from './run-command.ts'
import { PaperExchangeError } from '../errors.ts'
import type { ProxyFlags } from '../proxy/proxy-command.ts'

const EXIT_WRONG_INPUT = 2
const EXIT_PORT_TAKEN = 3

const whole = (text: string): number => {
  if (!/^-?\d{1,16}$/.test(text)) throw new InvalidArgumentError('must be a whole number')
  return Number(text)
}

const list = (text: string): string[] => text.split(',').map(item => item.trim())

const collect = (text: string, earlier: string[] | undefined): string[] => [...(earlier ?? []), text]

const pairs = (text: string): Record<string, string> => Object.fromEntries(text.split(',').map(pair))

const collectPairs = (text: string, earlier: Record<string, string> | undefined): Record<string, string> => ({
  ...earlier,
  ...Object.fromEntries([pair(text)]),
})

function pair(text: string): [string, string] {
  const equals = text.indexOf('=')
  if (equals < 1) throw new InvalidArgumentError('must look like NAME=value')
  return [text.slice(0, equals).trim(), text.slice(equals + 1).trim()]
}

function addRun(program: Command, io: CommandIo): void {
  program
    .command('run', { isDefault: true })
    .description('run the exchange on 127.0.0.1 until a signal')
    .option('--port <n>', 'port; 0 takes a free one', whole, 4010)
    .option('--seed <n>', 'decides market, keys, ids and faults', whole, 1)
    .option('--account <name>', 'an account; repeatable (default: demo)', collect)
    .option('--balance <list>', 'what each account starts with', pairs, pairs('USDT=100000,BTC=2,ETH=20,BNB=100'))
    .option('--symbols <list>', 'symbols that trade', list, list('BTCUSDT,ETHUSDT,BNBUSDT'))
    .option('--candles <SYM=file>', 'play this kline file (CSV or JSON); repeatable', collectPairs)
    .option('--bar-ms <n>', 'how long a one-minute bar lasts', whole, 60_000)
    .option('--last-bar-ms <n>', 'market time at which the last bar of history opens', whole)
    .option('--paused', 'start with the market standing still')
    .addOption(new Option('--clock <mode>', 'server time').choices(['real', 'manual']).default('real'))
    .option('--faults <file>', 'faults to start with (JSON)')
    .option('--read-lag-ms <n>', 'how old the books are that reads show', whole, 0)
    .option('--engine-timeout-ms <n>', 'a request held longer gets 503', whole, 10_000)
    .option('--weight-limit <n>', 'weight per minute', whole, 6000)
    .option('--orders-10s <n>', 'unfilled orders per 10 s', whole, 50)
    .addOption(new Option('--limit-by <what>', 'whom limits count').choices(['key', 'ip']).default('key'))
    .option('--ban-after <n>', 'strikes before a ban', whole, 3)
    .option('--ban-ms <n>', 'length of the first ban', whole, 120_000)
    .option('--truth <file>', 'write the truth log there')
    .option('--json', 'print one ready event as JSON')
    .action(async (flags: RunFlags) => {
      const { runExchange } = await import('./run-command.ts')
      await runExchange(flags, io)
    })
}

function addProxy(program: Command, io: CommandIo): void {
  program
    .command('proxy')
    .description('stand in front of a test network and act faults on its answers')
    .requiredOption('--upstream <url>', 'https://testnet.binance.vision, https://demo-api.binance.com or loopback')
    .option('--faults <file>', 'faults to start with (JSON)')
    .option('--port <n>', 'port; 0 takes a free one', whole, 4011)
    .option('--seed <n>', 'decides fault shares', whole, 1)
    .option('--truth <file>', 'write what passed through there')
    .option('--json', 'print one ready event as JSON')
    .action(async (flags: ProxyFlags) => {
      const { runProxy } = await import('../proxy/proxy-command.ts')
      await runProxy(flags, io)
    })
}

function addAudit(program: Command, io: CommandIo, exit: (code: number) => void): void {
  program
    .command('audit')
    .description('judge a truth log, with what a trader says about itself')
    .argument('<truth>', 'truth log (JSON lines)')
    .argument('[claims]', 'claims (JSON)')
    .option('--json', 'print the report as JSON')
    .action(async (truth: string, claims: string | undefined, flags: { json?: boolean }) => {
      const { auditFile } = await import('./audit-command.ts')
      const { text, ok } = auditFile(truth, claims, flags.json !== true && io.isTerminal)
      io.out(text)
      if (!ok) exit(1)
    })
}

/**
 * Runs a command line to its end. Commands are loaded when they are asked for, so that a wrong option is told at once.
 *
 * @returns the exit code: 0 stopped or fine, 1 audit breach, 2 wrong option or file, 3 port taken
 */
export async function runCommandLine(args: readonly string[], io: CommandIo): Promise<number> {
  let exitCode = 0
  const program = new Command('paper-exchange')
    .description('An exchange on loopback that speaks the Binance Spot dialect and cannot be fooled.')
    .exitOverride()
    .configureOutput({
      writeOut: text => io.out(text),
      writeErr: text => io.err(text),
      // Commander repeats what was typed; a URL, with its password, is left out.
      outputError: (text, write) => write(text.replaceAll(/[^\s']*(?::\/\/|@)[^\s']*/g, '[hidden]')),
    })
  addRun(program, io)
  addProxy(program, io)
  addAudit(program, io, code => (exitCode = code))
  for (const command of program.commands) command.copyInheritedSettings(program)
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    // Commander has already printed its own complaint.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_WRONG_INPUT
    if (!(error instanceof PaperExchangeError)) throw error
    io.err(`error: ${error.message}\n`)
    return error.code === 'ERR_PAPER_PORT' ? EXIT_PORT_TAKEN : EXIT_WRONG_INPUT
  }
}
