#!/usr/bin/env node
import { runCli } from './run-cli.ts'

const stopped = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.abort(signal))
// A reader that has seen enough, such as `head`, is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Of any other error the write itself tells.
  if (error.code === 'EPIPE') stopped.abort('EPIPE')
})
// There is nowhere left to say it; the exit code does.
process.stderr.on('error', () => {})

const exitCode = await runCli(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  interactive: process.stdin.isTTY && process.stderr.isTTY,
  redisUrl: process.env['REDIS_URL'],
  signal: stopped.signal,
})
// Everything is printed. A server that hangs would hold its socket, and so this process, for seconds more.
process.exit(exitCode)
