import { writeFileSync } from 'node:fs'
import { systemClock } from '@safety/redis-core'
import { createCleanup } from './cleanup.ts'
import { conduct } from './conduct.ts'
import { DemoError, firstLine } from './demo-error.ts'
import type { DemoEvidence } from './evidence.ts'
import { Interrupted, listenForSignals } from './interrupt.ts'
import { keepEvidence } from './keep.ts'
import { parseDemoOptions, prepareOutputs, type DemoOptions } from './options.ts'
import { createProgress, type Progress } from './progress.ts'
import { reportPage } from './report.ts'
import { historyPromise } from './setting.ts'
import { formatChecks, formatTable, formatVerdict } from './table.ts'

/** What `demo` needs from the outside world. */
export interface DemoIo {
  /** A Redis to use; without one the demo starts its own. */
  readonly redisUrl: string | undefined
  readonly stdout: { write(text: string): unknown }
  /** Errors, and on a terminal the progress bar. */
  readonly stderr: { isTTY?: boolean; columns?: number; write(text: string): unknown }
}

function writeResults(options: DemoOptions, evidence: DemoEvidence, io: DemoIo): void {
  const { document } = evidence
  if (options.keep !== undefined) keepEvidence(options.keep, evidence, historyPromise)
  if (options.report !== undefined) writeFileSync(options.report, reportPage(evidence))
  if (options.json) io.stdout.write(`${JSON.stringify(document, null, 2)}\n`)
  else io.stdout.write(`${formatTable(document.sides)}\n\n${formatChecks(document)}\n${formatVerdict(document)}\n`)
}

/** The exit code and the line for an error that ended the run. */
function ending(error: unknown): { exitCode: number; line: string } {
  if (error instanceof Interrupted) return { exitCode: error.exitCode, line: error.message }
  if (error instanceof DemoError) return { exitCode: error.exitCode, line: error.message }
  return { exitCode: 3, line: firstLine(error) }
}

async function run(options: DemoOptions, io: DemoIo, progress: Progress): Promise<number> {
  const cleanup = createCleanup()
  const abort = new AbortController()
  let endAtOnce = (): void => {}
  const unlisten = listenForSignals(abort, () => endAtOnce())
  try {
    const evidence = await conduct({
      options,
      redisUrl: io.redisUrl,
      clock: systemClock,
      progress,
      cleanup,
      abort,
      onEmergency: end => {
        endAtOnce = end
      },
    })
    progress.end()
    writeResults(options, evidence, io)
    return evidence.document.exitCode
  } catch (error) {
    progress.end()
    // What ended the run matters, not what failed because of it.
    const { exitCode, line } = ending(abort.signal.aborted ? abort.signal.reason : error)
    io.stderr.write(`demo: ${line}\n`)
    return exitCode
  } finally {
    progress.phase('cleaning up')
    for (const left of await cleanup.run()) io.stderr.write(`demo: could not clean up: ${left}\n`)
    unlisten()
  }
}

/**
 * The command `demo`: a naive and a guarded trader in one storm, judged by the exchange.
 *
 * @param args what follows `demo` on the command line
 * @returns the exit code: 0 the guarded side kept its promise, 1 it did not, 2 wrong option or file, 3 no Redis,
 * exchange or port, 4 inconclusive, 130 after Ctrl-C. When it resolves, no process, key or folder of the run is left.
 */
export async function runDemo(args: readonly string[], io: DemoIo): Promise<number> {
  let options: DemoOptions | 'help'
  try {
    options = parseDemoOptions(args, { stdout: text => io.stdout.write(text) })
    if (options === 'help') return 0
    prepareOutputs(options)
  } catch (error) {
    if (!(error instanceof DemoError)) throw error
    io.stderr.write(`demo: ${error.message}\n`)
    return error.exitCode
  }
  return run(options, io, createProgress(io.stderr, systemClock))
}
