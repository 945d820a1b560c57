import { CommanderError } from 'commander'

import { explain } from './exit.ts'
import type { ExitCode } from './exit.ts'
import type { CliIo } from './io.ts'
import { createProgram } from './program.ts'

const NAME = 'safety-idempotency'

/** Runs one command line and returns its exit code. Never rejects, and never prints a stack. */
export async function runCli(args: readonly string[], io: CliIo): Promise<ExitCode> {
  try {
    await createProgram(NAME, io).parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    // Commander has printed its own line, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    if (io.signal.aborted) return stopped(io)
    const { exitCode, line } = explain(error)
    io.stderr.write(`${NAME}: ${line}\n`)
    return exitCode
  }
}

function stopped({ signal, stderr }: CliIo): ExitCode {
  if (signal.reason === 'EPIPE') return 0
  stderr.write(`${NAME}: stopped; a command already sent may still take effect\n`)
  return signal.reason === 'SIGTERM' ? 143 : 130
}
