// Runs the tests and ends with one line a machine can read: `tests: N passed, N failed`.
//
//   node tools/test.ts [arguments of `vitest run`]
//
// Exit code: vitest's own. A run that reports nothing counts as failed.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
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

const folder = mkdtempSync(join(tmpdir(), 'safety-test-'))
const report = join(folder, 'report.json')
const vitest = join(import.meta.dirname, '../node_modules/vitest/vitest.mjs')
const child = spawn(
  process.execPath,
  [vitest, 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...process.argv.slice(2)],
  { stdio: 'inherit' },
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
