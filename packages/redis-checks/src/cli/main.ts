#!/usr/bin/env node
import { z } from 'zod'

import { CliError } from './exit-code.ts'
import { printTo } from './io.ts'
import { runCli } from './run-cli.ts'

// Each schema is used once in this process: compiling a parser for it first would take longer.
z.config({ jitless: true })

const stopped = new AbortController()
const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => stopped.abort(new CliError(SIGNALS[signal], `stopped by ${signal}: there is no report`)))
}
// Of this the write itself tells.
process.stdout.on('error', () => {})
// There is nowhere left to say it; the exit code does.
process.stderr.on('error', () => {})

process.exitCode = await runCli(process.argv.slice(2), {
  print: text => printTo(process.stdout, text),
  error: text => void process.stderr.write(text),
  env: process.env,
  color: process.stdout.isTTY && process.env['NO_COLOR'] === undefined,
  signal: stopped.signal,
})
