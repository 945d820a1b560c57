import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { fileURLToPath } from 'node:url'

import { runCli } from '../src/cli/run-cli.ts'

const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))

export interface CliRun {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** From the signal to the end of the process. */
  readonly stoppingMs: number
  /** One object per line of `--json`. */
  readonly objects: readonly Record<string, unknown>[]
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>
  /** The signal is sent when it resolves. */
  readonly stopAt?: Promise<unknown>
  /** @default 'SIGINT' */
  readonly signal?: NodeJS.Signals
}

/** Runs the command as a user would: a process of its own without a terminal. */
export async function cli(
  args: readonly string[],
  { env = {}, stopAt, signal = 'SIGINT' }: CliOptions = {},
): Promise<CliRun> {
  const { REDIS_URL: _redisUrl, ...inherited } = process.env
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...inherited, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  let stopMs = Number.NaN
  void stopAt?.then(() => {
    stopMs = performance.now()
    child.kill(signal)
  })
  await once(child, 'close')
  return {
    code: child.exitCode,
    stdout,
    stderr,
    stoppingMs: performance.now() - stopMs,
    objects: objectsIn(args, stdout),
  }
}

/** Runs the command in this process: what needs no process of its own is tested faster so. */
export async function cliHere(args: readonly string[], redisUrl?: string): Promise<CliRun> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const { signal } = new AbortController()
  const code = await runCli(args, { stdin, stdout, stderr, interactive: false, redisUrl, signal })
  const written = String(stdout.read() ?? '')
  return {
    code,
    stdout: written,
    stderr: String(stderr.read() ?? ''),
    stoppingMs: 0,
    objects: objectsIn(args, written),
  }
}

function objectsIn(args: readonly string[], stdout: string): Record<string, unknown>[] {
  if (!args.includes('--json')) return []
  const lines = stdout.split('\n').filter(line => line !== '')
  return lines.map(line => JSON.parse(line) as Record<string, unknown>)
}
