import { createInterface } from 'node:readline/promises'

import { CliError } from './exit.ts'
import type { CliIo } from './io.ts'

/** A given text, or the answer of the person at the terminal. Without either it is a usage error. */
export async function askFor(io: CliIo, given: string | undefined, option: string, question: string): Promise<string> {
  const text = given ?? (io.interactive ? await ask(io, question) : '')
  if (text.trim() === '') throw new CliError(2, `${option} is missing: a verdict needs who and why`)
  return text.trim()
}

/** Asks beside the output, so that this can go into a pipe. The end of the input is an empty answer. */
async function ask({ stdin, stderr, signal }: CliIo, question: string): Promise<string> {
  const lines = createInterface({ input: stdin, output: stderr })
  const [ended, interrupted] = [new AbortController(), new AbortController()]
  lines.once('close', () => ended.abort())
  // With a terminal in raw mode Ctrl-C comes as a character, not as a signal.
  lines.once('SIGINT', () => interrupted.abort())
  try {
    return await lines.question(question, {
      signal: AbortSignal.any([signal, ended.signal, interrupted.signal]),
    })
  } catch (error) {
    stderr.write('\n')
    if (interrupted.signal.aborted) throw new CliError(130, 'stopped; nothing was decided')
    if (!ended.signal.aborted) throw error
    return ''
  } finally {
    lines.close()
  }
}
