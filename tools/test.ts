// Runs the tests and ends with one line a machine can read: `tests: N passed, N failed`.
//
//   node tools/test.ts [--ioredis 5|6] [--resp 2|3] [arguments of `vitest run`]
//
// `--ioredis` and `--resp` run the same tests, and the processes they start, on that version of the Redis client and that
// protocol; without them it is the installed ioredis 6 with its default, RESP3.
//
// Exit code: vitest's own; 2 for a client that does not exist. A run that reports nothing counts as failed.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { z } from 'zod'

const Summary = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  // A file that fails to load has no tests to count: its failure must show all the same.
  testResults: z.array(z.object({ status: z.string(), assertionResults: z.array(z.unknown()) })),
})

function closingLine(reportPath: string): { line: string; failed: number } {
  try {
    const summary = Summary.parse(JSON.parse(readFileSync(reportPath, 'utf8')))
    const broken = summary.testResults.filter(file => file.status === 'failed' && file.assertionResults.length === 0)
    const failed = summary.numFailedTests + broken.length
    const skipped = summary.numPendingTests > 0 ? `, ${summary.numPendingTests} skipped` : ''
    return { line: `tests: ${summary.numPassedTests} passed, ${failed} failed${skipped}`, failed }
  } catch (error) {
    process.stderr.write(`The test run left no readable report: ${String(error)}\n`)
    return { line: 'tests: 0 passed, 1 failed', failed: 1 }
  }
}

interface Plan {
  readonly forVitest: readonly string[]
  readonly environment: NodeJS.ProcessEnv
}

const CLIENTS: readonly (readonly [ioredis: string, resp: string])[] = [
  ['6', '3'],
  ['6', '2'],
  ['5', '2'],
]
const PRELOAD = new URL('redis/client-under-test.ts', import.meta.url)
/** Run first: no run may pass on another client than the one it was asked for. */
const PROOF = 'tools/client-under-test.test.ts'

function usageError(message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(2)
}

/** Takes our two options out of the arguments; everything else is vitest's. */
function planOf(args: readonly string[]): Plan {
  const options = { ioredis: { type: 'string' }, resp: { type: 'string' } } as const
  const { tokens } = parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true })
  const asked = new Map<string, string>()
  const ours = new Set<number>()
  for (const token of tokens) {
    if (token.kind !== 'option' || !Object.hasOwn(options, token.name)) continue
    asked.set(token.name, token.value ?? '')
    ours.add(token.index)
    if (token.inlineValue === false) ours.add(token.index + 1)
  }
  const forVitest = args.filter((_, index) => !ours.has(index))
  if (asked.size === 0) return { forVitest, environment: process.env }

  const fits = ([ioredis, resp]: readonly [string, string]): boolean =>
    ioredis === (asked.get('ioredis') ?? ioredis) && resp === (asked.get('resp') ?? resp)
  const [ioredis, resp] = CLIENTS.find(fits) ?? usageError('--ioredis is 5 or 6, --resp 2 or 3, and 3 needs ioredis 6.')
  process.stdout.write(`Redis client: ioredis ${ioredis}, RESP${resp}\n`)
  const preload = new URL(`?ioredis=${ioredis}&resp=${resp}`, PRELOAD).href
  const nodeOptions = [process.env['NODE_OPTIONS'], `--import=${preload}`].filter(Boolean).join(' ')
  return { forVitest, environment: { ...process.env, NODE_OPTIONS: nodeOptions } }
}

const { forVitest, environment } = planOf(process.argv.slice(2))
const vitest = join(import.meta.dirname, '../node_modules/vitest/vitest.mjs')
if (environment !== process.env) {
  const { status } = spawnSync(process.execPath, [vitest, 'run', PROOF], { stdio: 'inherit', env: environment })
  if (status !== 0) process.exit(status ?? 1)
}
const folder = mkdtempSync(join(tmpdir(), 'safety-test-'))
const report = join(folder, 'report.json')
const child = spawn(
  process.execPath,
  [vitest, 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...forVitest],
  { stdio: 'inherit', env: environment },
)
// Ctrl-C reaches the whole group: vitest ends its workers, and we wait for it to do so.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => child.kill('SIGTERM'))
child.on('exit', (code, signal) => {
  if (signal !== null || code === 130) {
    process.exitCode = 128 + constants.signals[signal ?? 'SIGINT']
  } else {
    const { line, failed } = closingLine(report)
    process.stdout.write(`\n${line}\n`)
    process.exitCode = code === 0 && failed > 0 ? 1 : (code ?? 1)
  }
  rmSync(folder, { recursive: true, force: true })
})
