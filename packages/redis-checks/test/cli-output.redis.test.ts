import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync } from 'node:fs'
import { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

import { startRedis } from '@safety/redis-core/testing'
import { afterAll, describe, expect, test } from 'vitest'

import { printTo } from '../src/cli/io.ts'
import { runCli } from '../src/cli/run-cli.ts'
import { checkRedis, RedisChecksOptionsError } from '../src/index.ts'
import { cli, commandLine } from './doctor.ts'
import type { Run } from './doctor.ts'

const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))
const ONE_LINE = /^redis-checks: [^\n]+\n$/
const AWAY = 'redis://127.0.0.1:1'

describe('what a command line holds is never repeated [claim 35]', () => {
  const SECRET = 'Geheim7'
  const URL = `redis://:${SECRET}@127.0.0.1:1`
  const mistakes: [string[], RegExp][] = [
    [['doctor', `--redsi=${URL}`], /unknown option/],
    [['doctor', `-${SECRET}`], /unknown option/],
    [['doctor', AWAY, `--json=${SECRET}`], /unknown option/],
    [[`--redsi=${URL}`, 'doctor'], /unknown option/],
    [[URL], /unknown command/],
    [[SECRET, 'doctor'], /unknown command/],
    [['doctor', '--profile', URL], /--profile: .*idempotency\.strict, idempotency\.standard, breaker, cache/],
    [['doctor', '--format', SECRET], /--format: .*table, json, junit, sarif, markdown/],
    [['doctor', '--fail-on', SECRET], /--fail-on: .*fail, warn/],
    [['doctor', '--unknown-as', SECRET], /--unknown-as: .*fail, warn/],
    [['doctor', '--timeout-ms', SECRET], /--timeout-ms: must be 100\.\.60000/],
    [['doctor', '--explain', URL], /--explain: no check is called that\. Known: .*eviction-policy/],
    [['doctor', AWAY, '--only', `role,${SECRET}`], /--only: no check is called that\. Known: /],
    [['doctor', AWAY, '--skip', URL], /--skip: no check is called that\. Known: /],
    [['doctor', AWAY, '--skip', 'a'.repeat(41) + SECRET], /--skip: no check/],
    [['doctor', AWAY, '--ack', `[{"id":"${SECRET}"}]`], /--ack: option acknowledge\.0\.id .*names no check/],
    [
      ['doctor', AWAY, '--ack', `[{"${SECRET}":1,"id":"role","reason":"x","until":"2999-01-01"}]`],
      /--ack: .*not known/,
    ],
    [['doctor', AWAY, '--expect', `{"${SECRET}":1}`], /--expect: option expect holds .*not known/],
    [['doctor', AWAY, '--expect', `{${SECRET}`], /--expect: not valid JSON/],
    [['doctor', AWAY, '--expect', URL], /--expect: ENOENT/],
    [['doctor', AWAY, '--ack', `${SECRET}@host`], /--ack: ENOENT/],
    [['doctor', AWAY, '--tls-ca', URL], /--tls-ca: ENOENT/],
    [['doctor', AWAY, '--output', URL], /--output: ENOENT/],
    [['doctor', AWAY, '--password-env', SECRET], /--password-env: .*not set/],
    [['doctor', AWAY, '--username', URL], /username without password/],
    [['doctor', `http://:${SECRET}@h`], /invalid Redis target/],
    [['doctor', AWAY, URL], /several URLs/],
    [['help', SECRET], /^Usage: redis-checks/],
  ]

  test.for(mistakes)('%j', async ([given, text]) => {
    const { code, stdout, stderr } = await commandLine(given)
    expect(stderr).toMatch(text)
    expect(`${stdout}${stderr}`).not.toContain(SECRET)
    expect([code, stdout]).toEqual([2, ''])
    if (given[0] !== 'help') expect(stderr).toMatch(ONE_LINE)
  })

  test('nor is what would steer a terminal or break the line', async () => {
    const steering = 'a\u001b[2J\nb'
    for (const option of ['--explain', '--only', '--skip', '--password-env', '--expect', '--ack', '--tls-ca']) {
      const { code, stderr } = await cli([AWAY, option, steering])
      expect([option, code]).toEqual([option, 2])
      expect(stderr).toMatch(ONE_LINE)
      expect(stderr).not.toContain('\u001b')
    }
    expect((await cli([AWAY, '--output', `${steering}/no/such/place`])).stderr).toMatch(ONE_LINE)
  })

  test('what is surely harmless is: a slip of the finger finds what was meant', async () => {
    expect((await commandLine(['dcotor'])).stderr).toBe('redis-checks: unknown command (Did you mean doctor?)\n')
    expect((await cli(['--profil', 'cache'])).stderr).toBe('redis-checks: unknown option (Did you mean --profile?)\n')
    expect((await cli(['--profile'])).stderr).toBe("redis-checks: option '--profile <profile>' argument missing\n")
    expect((await cli(['--help'])).stdout).toMatch(/choices: "idempotency\.strict",/)
    for (const option of ['--explain', '--only', '--skip']) {
      expect((await cli([AWAY, option, 'evictionpolicy'])).stderr).toBe(
        `redis-checks: ${option}: no check is called "evictionpolicy". Did you mean eviction-policy?\n`,
      )
      expect((await cli([AWAY, option, 'nothing'])).stderr).toMatch(/: no check is called "nothing"\. Known: /)
    }
    expect((await cli([AWAY, '--expect', './gone.json'])).stderr).toBe('redis-checks: --expect: ENOENT: ./gone.json\n')
    expect((await cli([AWAY, '--password-env', 'REDIS_PASSWORD_2'])).stderr).toMatch(/variable REDIS_PASSWORD_2 is/)
  })

  test('the options of the library name a field or an id only if it reads like one', async () => {
    await using server = await startRedis()
    const redis = server.client()
    const messageOf = async (options: object): Promise<string> => {
      const checking = checkRedis(redis, { profile: 'cache', ...options })
      const [{ reason: error }] = (await Promise.allSettled([checking])) as [PromiseRejectedResult]
      expect(error).toBeInstanceOf(RedisChecksOptionsError)
      const { field, message } = error as RedisChecksOptionsError
      return `${field}: ${message}`
    }
    expect(await messageOf({ only: ['rolle'] })).toMatch(/^only\.0: .*names no check: rolle$/)
    expect(await messageOf({ only: [URL] })).toMatch(/^only\.0: .*names no check$/)
    expect(await messageOf({ expect: { replica: 1 } })).toBe('expect.replica: option expect.replica is not known')
    expect(await messageOf({ [URL]: 1 })).toBe('options: option options holds a field that is not known')
    expect(await messageOf({ expect: { [URL]: 1 } })).toBe('expect: option expect holds a field that is not known')
  })
})

/** A stdout every write to which fails. */
function broken(code: string): Writable {
  return new Writable({
    write: (_chunk, _encoding, done) => done(Object.assign(new Error(`${code}: write`), { code })),
  }).on('error', () => {})
}

async function cliInto(stdout: Writable, args: readonly string[]): Promise<Omit<Run, 'stdout'>> {
  let stderr = ''
  const code = await runCli(args, {
    print: text => printTo(stdout, text),
    error: text => void (stderr += text),
    env: {},
    color: false,
    signal: new AbortController().signal,
  })
  return { code, stderr }
}

const TEXTS = [['--help'], ['doctor', '--help'], ['--version'], ['doctor', '--explain', 'role'], ['doctor', AWAY]]

describe('output that cannot be written [claim 34]', () => {
  test('is 4 with one line, also where the report itself ends in another code', async () => {
    const stderr = 'redis-checks: stdout cannot be written (ENOSPC)\n'
    for (const args of TEXTS) {
      expect([args, await cliInto(broken('ENOSPC'), args)]).toEqual([args, { code: 4, stderr }])
    }
  })

  test('for a reason nobody foresaw is 4 with one line too', async () => {
    let stderr = ''
    const print = (): Promise<void> => Promise.reject(new Error('first\nsecond'))
    const io = { print, error: (text: string) => void (stderr += text), env: {}, color: false }
    const code = await runCli(['--version'], { ...io, signal: new AbortController().signal })
    expect([code, stderr]).toEqual([4, 'redis-checks: internal error: first\\u000asecond\n'])
  })

  test('because its reader has left is no failure: the code is that of what was printed', async () => {
    for (const args of TEXTS) {
      const code = args.includes(AWAY) ? 3 : 0
      expect([args, await cliInto(broken('EPIPE'), args)]).toEqual([args, { code, stderr: '' }])
    }
  })
})

// A device of Linux whose every write fails.
describe.runIf(existsSync('/dev/full'))('a process whose disk is full [claim 34]', () => {
  const full = existsSync('/dev/full') ? openSync('/dev/full', 'w') : -1
  afterAll(() => closeSync(full))

  async function run(args: readonly string[], stderr: number | 'pipe'): Promise<Omit<Run, 'stdout'>> {
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', full, stderr] })
    let text = ''
    child.stderr?.setEncoding('utf8').on('data', (more: string) => (text += more))
    await once(child, 'close')
    return { code: child.exitCode, stderr: text }
  }

  test('says so in one line and no stack', async () => {
    await using server = await startRedis({ aof: 'everysec' })
    const told = { code: 4, stderr: 'redis-checks: stdout cannot be written (ENOSPC)\n' }
    for (const args of [['doctor', server.url, '--json'], ['doctor', '--explain', 'role'], ['--help']]) {
      expect([args, await run(args, 'pipe')]).toEqual([args, told])
    }
  })

  test('keeps its exit code where even that line cannot be written', async () => {
    expect((await run(['doctor', '--explain', 'role'], full)).code).toBe(4)
    expect((await run(['doctor', '--explain', 'nothing'], full)).code).toBe(2)
    expect((await run(['dcotor'], full)).code).toBe(2)
  })
})
