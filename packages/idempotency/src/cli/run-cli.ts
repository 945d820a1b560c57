import { CommanderError } from 'commander'

import { CliError, explain } from './exit.ts'
import type { ExitCode } from './exit.ts'
import { print } from './io.ts'
import type { CliIo } from './io.ts'
import { createProgram } from './program.ts'
import { usageLine } from './usage.ts'

const NAME = 'safety-idempotency'

/** Runs one command line and returns its exit code. Never rejects, and never prints a stack. */
export async function runCli(args: readonly string[], io: CliIo): Promise<ExitCode> {
  try {
    await run(args, io)
    return 0
  } catch (error) {
    if (io.signal.aborted) return stopped(io)
    const { exitCode, line } = explain(error)
    io.stderr.write(`${NAME}: ${line}\n`)
    return exitCode
  }
}

async function run(args: readonly string[], io: CliIo): Promise<void> {
  let asked = ''
  try {
    await createProgram(NAME, io, text => void (asked += text)).parseAsync(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode !== 0) throw new CliError(2, usageLine(error))
    await print(io, asked.trimEnd())
  }
}

function stopped({ signal, stderr }: CliIo): ExitCode {
  if (signal.reason === 'EPIPE') return 0
  stderr.write(`${NAME}: stopped; a command already sent may still take effect\n`)
  return signal.reason === 'SIGTERM' ? 143 : 130
}
