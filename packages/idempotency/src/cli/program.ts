import { readFileSync } from 'node:fs'

import { Command, Option } from 'commander'

import type { Idempotency } from '../idempotency.ts'
import type { JsonValue } from '../json.ts'
import { FINAL_STATES } from '../listing.ts'
import type { Known, Order } from '../operator.ts'
import { STATE_LETTERS } from '../record.ts'
import type { RecordState, RecordView } from '../record.ts'
import { askFor } from './ask.ts'
import { CliError } from './exit.ts'
import { print } from './io.ts'
import type { CliIo } from './io.ts'
import { meantKey } from './meant-key.ts'
import { detailsOf, tableOf } from './render.ts'
import { withIdempotency } from './session.ts'
import type { StoreOptions } from './session.ts'

interface Global extends StoreOptions {
  readonly json?: boolean
}

interface Authorship {
  readonly by?: string
  readonly why?: string
  readonly force?: boolean
}

const OUTCOMES = ['ran', 'failed', 'not-run'] as const

const KEY_HELP = 'as the application gave it, or as list shows it, escapes included'

/** The whole command line. Its actions throw what ends them; what was asked about the program goes to `answer`. */
export function createProgram(name: string, io: CliIo, answer: (text: string) => void): Command {
  const program = new Command(name)
    .description('Lists, inspects and decides on records of @safety/idempotency.')
    .version(version())
    .option('--redis <url>', 'redis://, rediss://, redis+sentinel:// or redis+cluster:// (default: REDIS_URL)')
    .option('--namespace <ns>', 'the namespace the application uses')
    .option('--json', 'print one JSON object per line instead of a table')
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 not found, refused or not readable, 2 usage, 3 store unreachable,\n  outcome unknown or stdout not writable, 130 stopped by Ctrl-C, 143 by SIGTERM.',
    )
  addReading(program, io)
  addDeciding(program, io)
  for (const command of [program, ...program.commands]) {
    command
      .exitOverride()
      .showSuggestionAfterError(true)
      .configureOutput({
        writeOut: answer,
        writeErr: text => void io.stderr.write(text),
        // Its text repeats what was typed. The error it throws is told of in other words.
        outputError: () => {},
      })
  }
  return program
}

function addReading(program: Command, io: CliIo): void {
  program
    .command('list')
    .description('open records: running, in doubt, reconciling')
    .option('--effect <name>', 'only this effect')
    .addOption(new Option('--state <state>', 'only this state; may be given more than once').argParser(collectState))
    .option('--all', 'every record, found by SCAN; implied by a final --state')
    .option('--limit <n>', 'at most so many', text => wholeNumber(text, '--limit'))
    .action(async (options: { effect?: string; state?: RecordState[]; all?: boolean; limit?: number }, command) => {
      const { effect, state: states, limit } = options
      const all = options.all ?? states?.some(state => FINAL_STATES.has(state)) ?? false
      const global = globalOf(command)
      await withIdempotency(global, io, async (idem, signal) => {
        const views = idem.list({ effect, states, all, limit }, { signal })
        if (global.json) {
          for await (const view of views) await print(io, JSON.stringify(view))
        } else await printTable(io, views, all ? 'no records' : 'no open records')
      })
    })
  program
    .command('inspect')
    .description('one record')
    .argument('<effect>')
    .argument('<key>', KEY_HELP)
    .action(async (effect: string, key: string, _options: object, command: Command) => {
      const global = globalOf(command)
      await withIdempotency(global, io, async (idem, signal) => {
        const view = await idem.inspect(effect, await meantKey(idem, effect, key, signal), { signal })
        if (!view) throw new CliError(1, `effect ${effect} has no record under this key`)
        await print(io, global.json ? JSON.stringify(view) : detailsOf(view))
      })
    })
}

function addDeciding(program: Command, io: CliIo): void {
  const withAuthor = (command: Command): Command =>
    command
      .option('--by <who>', 'who decides; kept with the record')
      .option('--why <text>', 'why; kept with the record')
      .option('--force', 'against a live lease, the settle time, or (release) a done record')
  const decides = (verb: string, description: string): Command =>
    program.command(verb).description(description).argument('<effect>').argument('<key>', KEY_HELP)

  withAuthor(decides('resolve', "an operator's verdict on an open record"))
    .addOption(
      new Option('--outcome <outcome>', 'what is known').choices(OUTCOMES).argParser(outcome).makeOptionMandatory(),
    )
    .option('--value <json>', 'with ran: what later callers get', text => json(text, '--value'))
    .option('--error <json>', 'with failed: {"name", "message", "code"?}', text => json(text, '--error'))
    .action(async (effect: string, key: string, options: Authorship & Outcome, command: Command) => {
      const known = outcomeOf(options)
      const order = await orderOf(options, io)
      const verdict = { ...known, ...order }
      const named = { effect, given: key }
      await decide(command, io, named, (idem, key, call) => idem.resolve(effect, key, verdict, call))
    })
  decides('confirm', 'evidence that the effect took place, such as an order seen at the venue')
    .requiredOption('--evidence <id>', 'names the evidence; the same id again changes nothing')
    .requiredOption('--value <json>', 'what later callers get', text => json(text, '--value'))
    .action(async (effect: string, key: string, options: { evidence: string; value: JsonValue }, command: Command) => {
      const evidence = { outcome: 'ran', value: options.value, evidenceId: options.evidence } as const
      const named = { effect, given: key }
      await decide(command, io, named, (idem, key, call) => idem.confirm(effect, key, evidence, call))
    })
  withAuthor(decides('release', 'makes a failed record claimable again; a done one with --force')).action(
    async (effect: string, key: string, options: Authorship, command: Command) => {
      const order = await orderOf(options, io)
      const named = { effect, given: key }
      await decide(command, io, named, (idem, key, call) => idem.release(effect, key, order, call))
    },
  )
}

/** What could be read is shown also when the rest could not: the error that follows says so. */
async function printTable(io: CliIo, views: AsyncIterable<RecordView>, none: string): Promise<void> {
  const listed: RecordView[] = []
  try {
    for await (const view of views) listed.push(view)
  } catch (error) {
    if (listed.length > 0 && !io.signal.aborted) await print(io, tableOf(listed))
    throw error
  }
  await print(io, listed.length > 0 ? tableOf(listed) : none)
}

interface Named {
  readonly effect: string
  /** KEY as it was typed. */
  readonly given: string
}

type Decision = (idem: Idempotency, key: string, call: { signal: AbortSignal }) => Promise<RecordView>

async function decide(command: Command, io: CliIo, { effect, given }: Named, work: Decision): Promise<void> {
  const global = globalOf(command)
  await withIdempotency(global, io, async (idem, signal) => {
    const view = await work(idem, await meantKey(idem, effect, given, signal), { signal })
    await print(io, global.json ? JSON.stringify(view) : detailsOf(view), 'the verdict stands, but ')
  })
}

interface Outcome {
  readonly outcome: (typeof OUTCOMES)[number]
  readonly value?: JsonValue
  readonly error?: JsonValue
}

function outcomeOf({ outcome, value, error }: Outcome): Known | { outcome: 'not-run' } {
  const needs = { ran: '--value', failed: '--error', 'not-run': undefined }[outcome]
  if (value !== undefined && needs !== '--value') throw new CliError(2, `--value does not go with --outcome ${outcome}`)
  if (error !== undefined && needs !== '--error') throw new CliError(2, `--error does not go with --outcome ${outcome}`)
  switch (outcome) {
    case 'ran':
      if (value === undefined) throw new CliError(2, '--outcome ran needs --value JSON; null if there is none')
      return { outcome, value }
    case 'failed':
      return { outcome, error: failureIn(error) }
    case 'not-run':
      break
  }
  return { outcome }
}

function failureIn(error: JsonValue | undefined): { name: string; message: string; code?: string } {
  const { name, message, code } = (error ?? {}) as Record<string, unknown>
  if (typeof name !== 'string' || typeof message !== 'string' || (code !== undefined && typeof code !== 'string')) {
    throw new CliError(
      2,
      '--outcome failed needs --error \'{"name": "...", "message": "..."}\', with "code" if it has one',
    )
  }
  return { name, message, ...(code === undefined ? {} : { code }) }
}

/** A verdict has an author and a reason: from the options, from the person at the terminal, or it is none. */
async function orderOf({ by, why, force }: Authorship, io: CliIo): Promise<Order> {
  return {
    by: await askFor(io, by, '--by', 'Who decides? '),
    why: await askFor(io, why, '--why', 'Why? '),
    ...(force === undefined ? {} : { force }),
  }
}

function globalOf(command: Command): Global {
  return command.optsWithGlobals<Global>()
}

// These throw errors of their own: of commander's for a wrong value the value is a part.

function json(text: string, option: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    throw new CliError(2, `${option}: it is not JSON; a text needs quotes, e.g. '"o-7"'`)
  }
}

function outcome(text: string): string {
  if (!OUTCOMES.some(known => known === text)) throw new CliError(2, `--outcome: it is none of ${OUTCOMES.join(', ')}`)
  return text
}

function wholeNumber(text: string, option: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text) || Number(text) > 1_000_000) {
    throw new CliError(2, `${option}: it is not a whole number from 1 to 1000000`)
  }
  return Number(text)
}

function collectState(text: string, before: RecordState[] | undefined): RecordState[] {
  const states = Object.keys(STATE_LETTERS)
  if (!states.includes(text)) throw new CliError(2, `--state: it is none of ${states.join(', ')}`)
  return [...(before ?? []), text as RecordState]
}

function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return manifest.version
}
