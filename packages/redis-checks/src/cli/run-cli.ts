import { createRequire } from 'node:module'

import { Command, CommanderError, Option } from 'commander'

import { FORMATS } from '../format/format-report.ts'
import { PROFILES } from '../level.ts'
import { createScrub } from '../scrub.ts'
import { runDoctor } from './doctor.ts'
import type { DoctorOptions } from './doctor.ts'
import { CliError } from './exit-code.ts'
import type { ExitCode } from './exit-code.ts'
import { explain } from './explain.ts'
import type { CliIo } from './io.ts'
import { usageLine } from './usage.ts'

const EXIT_CODES = `
Exit codes: 0 nothing found, 1 a check that was read fails, 2 usage, 3 no answer or not complete, 4 internal
or not written, 130 and 143 stopped by SIGINT or SIGTERM.`

/** Runs the command line. Never throws: what went wrong is one line and the exit code. */
export async function runCli(args: readonly string[], io: CliIo): Promise<ExitCode> {
  try {
    return await run(args, io)
  } catch (error) {
    if (error instanceof CliError) {
      io.error(`redis-checks: ${error.message}\n`)
      return error.exitCode
    }
    const message = error instanceof Error ? error.message : String(error)
    io.error(`redis-checks: internal error: ${createScrub([])(message)}\n`)
    return 4
  }
}

async function run(args: readonly string[], io: CliIo): Promise<ExitCode> {
  let exitCode: ExitCode = 0
  let asked = ''
  const act: Act = async (urls, options) => {
    const { explain: id } = options
    if (id !== undefined) await io.print(explain(id))
    else exitCode = await runDoctor(urls, options, io)
  }
  try {
    await createProgram(io, text => void (asked += text), act).parseAsync([...args], { from: 'user' })
    return exitCode
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) {
      await io.print(asked)
      return 0
    }
    // Without a command the help is what there is to say.
    if (error.code === 'commander.help') return 2
    throw new CliError(2, usageLine(error))
  }
}

type Act = (urls: string[], options: DoctorOptions & { readonly explain?: string }) => Promise<void>

/** The whole command line. What was asked about the program goes to `answer`. */
function createProgram(io: CliIo, answer: (text: string) => void, act: Act): Command {
  const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }
  const program = new Command('redis-checks')
    .description('Says which guarantee a Redis cannot keep, by what evidence, and what to change.')
    .version(version)
    .exitOverride()
    .configureOutput({
      writeOut: answer,
      writeErr: text => io.error(text),
      // Its text repeats what was typed. The error it throws is told of in other words.
      outputError: () => {},
    })
  program
    .command('doctor')
    .description('Checks every node behind the URL (default: REDIS_URL) and prints a report.')
    .argument('[url...]', 'redis://, rediss://, redis+sentinel:// or redis+cluster://')
    .option('--sentinel <name>', 'the URLs are sentinels of this master')
    .option('--cluster', 'the URLs are nodes of a Cluster')
    .addOption(oneOf('--profile', 'profile', 'what is asked of Redis', PROFILES).default('idempotency.standard'))
    .addOption(oneOf('--format', 'format', 'of the report', FORMATS).default('table'))
    .option('--json', 'the same as --format json')
    .option('--output <file>', 'write the report there instead of to stdout')
    .option('--expect <file>', 'what the application counts on, JSON')
    .option('--ack <file>', 'accepted findings, JSON: [{"id","node","reason","until"}]')
    .option('--only <ids>', 'run only these checks, separated by commas')
    .option('--skip <ids>', 'leave these checks out')
    .addOption(oneOf('--fail-on', 'level', 'the level that gives exit code 1', LEVELS).default('fail'))
    .addOption(oneOf('--unknown-as', 'level', 'what an unreadable fact weighs', LEVELS))
    .option('--timeout-ms <ms>', 'for the whole run, 100..60000 (default: 5000)', toMilliseconds)
    .option('--no-write-probe', 'write nothing')
    .option('--username <name>', 'user of the data nodes')
    .option('--password-env <NAME>', 'environment variable that holds the password')
    .option('--tls-ca <file>', 'certificate authority, PEM; turns TLS on')
    .option('--sarif-file <path>', 'file the SARIF results point at')
    .option('--all', 'show passes one by one')
    .option('--explain <id>', 'tell what a check is about, without connecting')
    .addHelpText('after', EXIT_CODES)
    .exitOverride()
    .action(act)
  return program
}

const LEVELS = ['fail', 'warn'] as const

// These throw errors of their own: of commander's for a wrong value the value is a part.

function oneOf(flag: string, what: string, description: string, choices: readonly string[]): Option {
  return new Option(`${flag} <${what}>`, description).choices(choices).argParser(text => {
    if (!choices.includes(text)) throw new CliError(2, `${flag}: allowed choices are ${choices.join(', ')}`)
    return text
  })
}

function toMilliseconds(text: string): number {
  const value = Number(text)
  if (!Number.isFinite(value) || value < 100 || value > 60_000) {
    throw new CliError(2, '--timeout-ms: must be 100..60000')
  }
  return value
}
