#!/usr/bin/env node
import { runCli } from './run-cli.ts'

const stopped = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => stopped.abort(new Error(`stopped by ${signal}`)))
}
// A reader that has seen enough, such as `head`, is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

process.exitCode = await runCli(process.argv.slice(2), {
  print: text => new Promise(resolve => process.stdout.write(text, () => resolve())),
  error: text => void process.stderr.write(text),
  env: process.env,
  color: process.stdout.isTTY && process.env['NO_COLOR'] === undefined,
  signal: stopped.signal,
})
