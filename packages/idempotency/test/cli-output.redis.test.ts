import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, openSync } from 'node:fs'
import { PassThrough, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import * as fc from 'fast-check'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { runCli } from '../src/cli/run-cli.ts'
import { printable, unescaped } from '../src/cli/shown-text.ts'
import { createKeyLayout } from '../src/redis/keys.ts'
import { cli, cliHere } from './cli-process.ts'
import type { CliRun } from './cli-process.ts'
import { instance, rejection } from './harness.ts'
import type { Instance } from './harness.ts'

const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))
const AUTHOR = ['--by', 'kim', '--why', 'seen in the bank statement']

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
})
afterAll(() => server[Symbol.asyncDispose]())

const args = (here: Instance, ...rest: string[]): string[] => [
  '--redis',
  server.url,
  '--namespace',
  here.namespace,
  ...rest,
]

async function doubt({ idem }: Instance, ...keys: string[]): Promise<void> {
  const run = (): never => {
    throw new Error('the line went dead')
  }
  for (const key of keys) await rejection(idem.executeOnce(key, run, { name: 'pay' }))
}

function recordOf(here: Instance, key: string): string {
  const layout = createKeyLayout(here.namespace)
  return layout.keysOf(layout.place('pay', key)).record
}

/** Runs the command with file descriptors as its output. */
async function cliInto(given: readonly string[], stdout: number, stderr: number | 'pipe'): Promise<Partial<CliRun>> {
  const child = spawn(process.execPath, [MAIN, ...given], { stdio: ['ignore', stdout, stderr] })
  let text = ''
  child.stderr?.setEncoding('utf8').on('data', (more: string) => (text += more))
  await once(child, 'close')
  return { code: child.exitCode, stderr: text }
}

const ONE_LINE = /^safety-idempotency: [^\n]+\n$/

describe('what a command line holds is never repeated [claim 31]', () => {
  const SECRET = 'geheim'
  const URL = `redis://:${SECRET}@127.0.0.1:1`
  const pay = ['resolve', 'pay', SECRET, ...AUTHOR]
  const mistakes: [string[], RegExp][] = [
    [[`--redsi=${URL}`, 'list'], /unknown option/],
    [['list', `--redis-url=${URL}`], /unknown option/],
    [['list', `-${SECRET}`], /unknown option/],
    [['list', `--json=${SECRET}`], /unknown option/],
    [[URL, 'list'], /unknown command/],
    [['list', URL], /too many arguments for 'list'\. Expected 0 arguments but got 1/],
    [['inspect', 'pay', SECRET, SECRET], /too many arguments for 'inspect'\. Expected 2 arguments but got 3/],
    [[...pay, '--outcome', SECRET], /--outcome: it is none of ran, failed, not-run/],
    [[...pay, '--outcome', 'ran', '--value', SECRET], /--value: it is not JSON/],
    [[...pay, '--outcome', 'failed', '--error', SECRET], /--error: it is not JSON/],
    [['confirm', 'pay', SECRET, '--evidence', 'e', '--value', `{${SECRET}`], /--value: it is not JSON/],
    [['list', '--limit', SECRET], /--limit: it is not a whole number/],
    [['list', '--state', SECRET], /--state: it is none of running, done/],
    [['--redis', `http://:${SECRET}@h`, '--namespace', 'n', 'list'], /invalid Redis target/],
    [['--redis', URL, '--namespace', `${SECRET} ${SECRET}`, 'list'], /namespace/],
    [['help', SECRET], /./],
  ]

  test.for(mistakes)('%j', async ([given, text]) => {
    const run = await cliHere(given)
    expect(run.stderr).toMatch(text)
    expect(`${run.stdout}${run.stderr}`).not.toContain(SECRET)
    if (given[0] !== 'help') expect([run.code, run.stdout, ONE_LINE.test(run.stderr)]).toEqual([2, '', true])
  })

  test('a slip of the finger is still answered with what was meant', async () => {
    expect((await cliHere(['lits'])).stderr).toBe('safety-idempotency: unknown command (Did you mean list?)\n')
    expect((await cliHere(['list', '--efect', 'x'])).stderr).toMatch(/unknown option \(Did you mean --effect\?\)\n$/)
    expect((await cliHere(['inspect', 'pay'])).stderr).toMatch(/missing required argument 'key'/)
    expect((await cliHere(['list', '--limit'])).stderr).toMatch(/option '--limit <n>' argument missing/)
    expect((await cliHere(['resolve', 'a', 'b'])).stderr).toMatch(/required option '--outcome <outcome>'/)
    expect((await cliHere(['resolve', '--help'])).stdout).toMatch(/choices: "ran", "failed", "not-run"/)
  })
})

/** A stdout every write to which fails. */
function broken(code: string): Writable {
  return new Writable({
    write: (_chunk, _encoding, done) => done(Object.assign(new Error(`${code}: write`), { code })),
  })
}

describe('output that cannot be written [claim 31]', () => {
  test('is exit 3 with one line, and a verdict stands', async () => {
    await using here = instance(redis)
    await doubt(here, 'a', 'b')
    const resolve = ['resolve', 'pay', 'a', '--outcome', 'ran', '--value', '1', ...AUTHOR]
    for (const given of [resolve, ['list'], ['list', '--json'], ['inspect', 'pay', 'b'], ['--help'], ['--version']]) {
      const stderr = new PassThrough()
      const stdout = broken('ENOSPC').on('error', () => {})
      const { signal } = new AbortController()
      const io = { stdin: new PassThrough(), stdout, stderr, interactive: false, redisUrl: undefined, signal }
      expect(await runCli(args(here, ...given), io)).toBe(3)
      const stands = given === resolve ? 'the verdict stands, but ' : ''
      expect(String(stderr.read())).toBe(`safety-idempotency: ${stands}stdout cannot be written (ENOSPC)\n`)
    }
    expect(await here.idem.inspect('pay', 'a')).toMatchObject({ state: 'done', value: 1 })
  })

  test('because its reader has left is no failure', async () => {
    await using here = instance(redis)
    await doubt(here, 'a', 'b')
    const stopped = new AbortController()
    const stdout = broken('EPIPE').on('error', () => stopped.abort('EPIPE'))
    const [stdin, stderr] = [new PassThrough(), new PassThrough()]
    const io = { stdin, stdout, stderr, interactive: false, redisUrl: undefined, signal: stopped.signal }
    expect(await runCli(args(here, 'list', '--json'), io)).toBe(0)
    expect(stderr.read()).toBeNull()
  })
})

// A device of Linux whose every write fails.
describe.runIf(existsSync('/dev/full'))('a process whose disk is full [claim 31]', () => {
  const full = existsSync('/dev/full') ? openSync('/dev/full', 'w') : -1

  test('says so in one line and no stack', async () => {
    await using here = instance(redis)
    await doubt(here, 'a')
    const resolve = ['resolve', 'pay', 'a', '--outcome', 'ran', '--value', '1', ...AUTHOR]
    const decided = await cliInto(args(here, ...resolve), full, 'pipe')
    expect(decided.stderr).toMatch(ONE_LINE)
    expect(decided).toMatchObject({ code: 3, stderr: expect.stringMatching(/verdict stands.*ENOSPC/) })
    expect(await here.idem.inspect('pay', 'a')).toMatchObject({ state: 'done', value: 1 })
    const help = await cliInto(['--help'], full, 'pipe')
    expect(help).toMatchObject({ code: 3, stderr: expect.stringMatching(ONE_LINE) })
  })

  test('keeps its exit code where even that line cannot be written', async () => {
    await using here = instance(redis)
    expect((await cliInto(args(here, 'list'), full, full)).code).toBe(3)
    expect((await cliInto(args(here, 'inspect', 'pay', 'b'), full, full)).code).toBe(1)
    expect((await cliInto(args(here, 'lits'), full, full)).code).toBe(2)
  })
})

describe('records of another version [claim 31]', () => {
  test('are told of in one line after the list of all others: exit 1', async () => {
    await using here = instance(redis)
    await doubt(here, 'a', 'b')
    await redis.set(recordOf(here, 'b'), '2|something else')
    await redis.lpush(`${here.namespace}:{00}:pay:foreign`, 'x')
    for (const list of [['list'], ['list', '--json'], ['list', '--all'], ['list', '--all', '--json']]) {
      const run = await cliHere(args(here, ...list))
      expect(run.stdout).toMatch(list.includes('--json') ? /"key":"a"/ : /^pay +a +in-doubt/m)
      expect(run.stderr).toMatch(ONE_LINE)
      expect(run.stderr).toMatch(list.includes('--all') ? /and 1 more/ : /effect pay \(/)
      expect(run.code).toBe(1)
    }
    await redis.set(recordOf(here, 'a'), '2|something else')
    const none = await cliHere(args(here, 'list'))
    expect([none.code, none.stdout]).toEqual([1, ''])
  })
})

describe('a key as list shows it [claim 31]', () => {
  const shownIn = (run: CliRun): string => run.stdout.split('\n')[1]?.split(/ {2,}/)[1] ?? ''

  test.for(['new\nline', '\u001b[2J', 'back\\u{a}slash', '\\\n', '\u202eright'])('%j is found by it', async key => {
    await using here = instance(redis)
    await doubt(here, key)
    const shown = shownIn(await cliHere(args(here, 'list')))
    for (const given of [shown, key]) {
      const run = await cliHere(args(here, 'inspect', 'pay', given, '--json'))
      expect([run.code, run.objects[0]?.['key']], run.stderr).toEqual([0, key])
    }
    const verdict = ['--outcome', 'ran', '--value', '1', ...AUTHOR]
    expect((await cliHere(args(here, 'resolve', 'pay', shown, ...verdict))).code).toBe(0)
    const confirm = ['confirm', 'pay', shown, '--evidence', 'e', '--value', '2']
    expect((await cliHere(args(here, ...confirm))).code).toBe(0)
    expect((await cliHere(args(here, 'release', 'pay', shown, ...AUTHOR, '--force'))).code).toBe(0)
    expect(await here.idem.inspect('pay', key)).toMatchObject({ state: 'not-run', by: 'kim' })
    expect(await redis.keys(`${here.namespace}:*:pay:*`)).toHaveLength(1)
  })

  test('that is another key word for word is refused: a verdict never falls on either by chance', async () => {
    await using here = instance(redis)
    await doubt(here, 'a\nb', 'a\\u{a}b')
    const verdict = ['--outcome', 'ran', '--value', '1', ...AUTHOR]
    const run = await cliHere(args(here, 'resolve', 'pay', 'a\\u{a}b', ...verdict))
    expect([run.code, run.stdout, ONE_LINE.test(run.stderr)]).toEqual([1, '', true])
    expect(run.stderr).toMatch(/two records/)
    for (const [key, given] of [
      ['a\nb', 'a\nb'],
      ['a\\u{a}b', 'a\\u{5c}u{a}b'],
    ] as const) {
      expect((await here.idem.inspect('pay', key))?.state).toBe('in-doubt')
      expect((await cliHere(args(here, 'resolve', 'pay', given, ...verdict))).code).toBe(0)
      expect((await here.idem.inspect('pay', key))?.state).toBe('done')
    }
  })

  test('that nobody has is taken word for word', async () => {
    await using here = instance(redis)
    for (const key of ['a\\u{a}', '\\u{110000}', '\\u{d800}', '\\u{20}']) {
      const confirm = ['confirm', 'pay', key, '--evidence', 'e', '--value', '2']
      expect((await cliHere(args(here, ...confirm))).code).toBe(0)
      expect(await here.idem.inspect('pay', key)).toMatchObject({ key, state: 'done' })
    }
  })

  test('shows no two keys alike, and nothing that steers a terminal', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('\\', 'u', '{', '}', 'a', '5', 'c', '\n', '\u{10ffff}') }),
    )
    fc.assert(
      fc.property(texts, text => {
        expect(unescaped(printable(text))).toBe(text)
        expect(printable(text)).not.toMatch(/\p{C}/u)
      }),
    )
  })
})

test('a value larger than an effect keeps by default is kept by a verdict of the command line [claim 31]', async () => {
  await using here = instance(redis)
  await doubt(here, 'a')
  const value = JSON.stringify('x'.repeat(100_000))
  const resolve = ['resolve', 'pay', 'a', '--outcome', 'ran', '--value', value, ...AUTHOR]
  const run = await cli(args(here, ...resolve, '--json'))
  expect([run.code, run.objects[0]?.['value'] === JSON.parse(value)], run.stderr).toEqual([0, true])
})
