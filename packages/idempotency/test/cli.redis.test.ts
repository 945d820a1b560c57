import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { PassThrough } from 'node:stream'

import { connectRedis, whenReady } from '@safety/redis-core'
import { startCluster, startFaultProxy, startRedis, startSentinel } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { CliIo } from '../src/cli/io.ts'
import { runCli } from '../src/cli/run-cli.ts'
import type { Idempotency } from '../src/index.ts'
import { cli, cliHere } from './cli-process.ts'
import type { CliRun } from './cli-process.ts'
import { instance, rejection } from './harness.ts'
import type { Instance } from './harness.ts'

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
})
afterAll(() => server[Symbol.asyncDispose]())

/** The first column of every line but the titles. */
function rows(run: CliRun): string[][] {
  return run.stdout
    .trimEnd()
    .split('\n')
    .slice(1)
    .map(line => line.split(/ {2,}/))
}

function expectOneLine(run: CliRun, code: number, text: RegExp): void {
  expect([run.code, run.stdout], run.stderr).toEqual([code, ''])
  expect(run.stderr).toMatch(text)
  expect(run.stderr).toMatch(/^safety-idempotency: [^\n]+\n$/)
  expect(run.stderr).not.toMatch(/\n\s+at /)
}

/** One record in doubt under `pay`, as a process that died in the effect leaves it. */
async function doubt(idem: Idempotency, key: string, recovery: object = { mode: 'manual' }): Promise<void> {
  const pay = idem.define({
    name: 'pay',
    key: (input: string) => input,
    memo: input => ({ invoice: input }),
    recovery: recovery as { mode: 'manual' },
    run: () => Promise.reject(new Error('the line went dead')),
  })
  await rejection(pay(key))
}

async function done(idem: Idempotency, key: string, value: string): Promise<void> {
  await idem.executeOnce(key, () => value, { name: 'pay' })
}

const args = (here: Instance, ...rest: string[]): string[] => [
  '--redis',
  server.url,
  '--namespace',
  here.namespace,
  ...rest,
]
const AUTHOR = ['--by', 'kim', '--why', 'seen in the bank statement']

describe('safety-idempotency [claim 31]', () => {
  test('list shows open records as a table or as one JSON object per line, and --all the final ones too', async () => {
    await using here = instance(redis)
    const { idem } = here
    await doubt(idem, 'inv-1')
    await done(idem, 'inv-2', 'paid')
    await idem.executeOnce('x', () => 1, { name: 'other' })

    const open = await cli(args(here, 'list'))
    expect(open.code).toBe(0)
    expect(open.stdout.split('\n')[0]).toMatch(/^EFFECT +KEY +STATE +MODE +ATTEMPT +BORN +WHY$/)
    expect(rows(open).map(row => row.slice(0, 5))).toEqual([['pay', 'inv-1', 'in-doubt', 'manual', '1']])

    const parsed = await cli(args(here, '--json', 'list'))
    expect(parsed.objects).toEqual([await idem.inspect('pay', 'inv-1')])
    const all = await cliHere(args(here, 'list', '--all', '--json'))
    expect(all.objects.map(({ effect, key, state }) => [effect, key, state].join(' ')).sort()).toEqual([
      'other x done',
      'pay inv-1 in-doubt',
      'pay inv-2 done',
    ])
    expect((await cliHere(args(here, 'list', '--json', '--state', 'done'))).objects).toHaveLength(2)
    expect((await cliHere(args(here, 'list', '--json', '--state', 'done', '--effect', 'pay'))).objects).toHaveLength(1)
    expect((await cliHere(args(here, 'list', '--json', '--all', '--limit', '2'))).objects).toHaveLength(2)
    const none = await cliHere(args(here, 'list', '--effect', 'nothing'))
    expect([none.code, none.stdout]).toEqual([0, 'no open records\n'])
  })

  test('inspect shows one record, and exits 1 if there is none', async () => {
    await using here = instance(redis)
    await doubt(here.idem, 'inv-1')
    const parsed = await cliHere(args(here, 'inspect', 'pay', 'inv-1', '--json'))
    expect([parsed.code, parsed.objects]).toEqual([0, [await here.idem.inspect('pay', 'inv-1')]])
    const shown = await cliHere(args(here, 'inspect', 'pay', 'inv-1'))
    expect(shown.stdout).toMatch(/^state +in-doubt$/m)
    expect(shown.stdout).toMatch(/^memo +\{"invoice":"inv-1"\}$/m)
    expectOneLine(await cliHere(args(here, 'inspect', 'pay', 'inv-9')), 1, /no record/)
  })

  test('a key too long to be shown is decided on by the digest that list shows', async () => {
    await using here = instance(redis)
    const key = `order ${'x'.repeat(300)}`
    await doubt(here.idem, key)
    const [listed] = (await cliHere(args(here, 'list', '--json'))).objects
    expect(listed?.['key']).toMatch(/^~[A-Za-z0-9_-]{43}$/)
    const resolve = ['resolve', 'pay', String(listed?.['key']), '--outcome', 'ran', '--value', '1', ...AUTHOR]
    expect((await cliHere(args(here, ...resolve))).code).toBe(0)
    expect(await here.idem.inspect('pay', key)).toMatchObject({ state: 'done', value: 1 })
  })

  test('resolve, confirm and release do what they say and print the record', async () => {
    await using here = instance(redis)
    const { idem } = here
    for (const key of ['ran', 'failed', 'not-run', 'confirmed']) await doubt(idem, key)

    const ran = await cli(
      args(here, 'resolve', 'pay', 'ran', '--outcome', 'ran', '--value', '{"id":7}', ...AUTHOR, '--json'),
    )
    expect([ran.code, ran.objects[0]]).toMatchObject([
      0,
      { state: 'done', value: { id: 7 }, source: 'operator', by: 'kim', why: 'seen in the bank statement' },
    ])
    const error = '{"name":"Refused","message":"no funds","code":"NSF"}'
    const failed = await cli(
      args(here, 'resolve', 'pay', 'failed', '--outcome', 'failed', '--error', error, ...AUTHOR, '--json'),
    )
    expect([failed.code, failed.objects[0]]).toMatchObject([0, { state: 'failed', failure: JSON.parse(error) }])
    const notRun = await cli(args(here, 'resolve', 'pay', 'not-run', '--outcome', 'not-run', ...AUTHOR, '--force'))
    expect(notRun.code).toBe(0)
    expect(notRun.stdout).toMatch(/^state +not-run$/m)
    const confirmed = await cli(
      args(here, 'confirm', 'pay', 'confirmed', '--evidence', 'e-1', '--value', '"paid"', '--json'),
    )
    expect([confirmed.code, confirmed.objects[0]]).toMatchObject([
      0,
      { state: 'done', value: 'paid', source: 'confirmed' },
    ])
    const released = await cli(args(here, 'release', 'pay', 'failed', ...AUTHOR, '--json'))
    expect([released.code, released.objects[0]]).toMatchObject([0, { state: 'not-run', by: 'kim' }])
    expect((await idem.executeOnce('failed', () => 'again', { name: 'pay' })).value).toBe('again')
  })

  test('a verb that does not fit the record, or no record at all, is refused: exit 1, one line, nothing changed', async () => {
    await using here = instance(redis)
    await done(here.idem, 'inv-2', 'paid')
    const before = await here.idem.inspect('pay', 'inv-2')
    const resolve = ['--outcome', 'ran', '--value', '1', ...AUTHOR]
    expectOneLine(await cliHere(args(here, 'resolve', 'pay', 'inv-2', ...resolve)), 1, /its record is done/)
    expectOneLine(await cliHere(args(here, 'resolve', 'pay', 'inv-9', ...resolve)), 1, /no record/)
    expectOneLine(await cliHere(args(here, 'release', 'pay', 'inv-2', ...AUTHOR)), 1, /only a failed record/)
    expectOneLine(await cliHere(args(here, 'release', 'pay', 'inv-9', ...AUTHOR)), 1, /no record/)
    expect(await here.idem.inspect('pay', 'inv-2')).toEqual(before)
    expect((await cliHere(args(here, 'release', 'pay', 'inv-2', ...AUTHOR, '--force'))).code).toBe(0)
  })

  test('without who or why there is no verdict: exit 2, and the record is as it was', async () => {
    await using here = instance(redis)
    await doubt(here.idem, 'inv-1')
    const before = await here.idem.inspect('pay', 'inv-1')
    for (const author of [[], ['--by', 'kim'], ['--why', 'because'], ['--by', ' ', '--why', 'because']]) {
      const resolve = ['resolve', 'pay', 'inv-1', '--outcome', 'ran', '--value', '1', ...author]
      expectOneLine(await cli(args(here, ...resolve)), 2, /--(by|why) is missing/)
      expectOneLine(await cliHere(args(here, 'release', 'pay', 'inv-1', ...author)), 2, /--(by|why) is missing/)
    }
    expect(await here.idem.inspect('pay', 'inv-1')).toEqual(before)
  })

  test('on a terminal who and why are asked for, beside the output; Ctrl-C there is no answer', async () => {
    await using here = instance(redis)
    await doubt(here.idem, 'inv-1')
    const before = await here.idem.inspect('pay', 'inv-1')
    const talk = async (answers: string, ...extra: string[]): Promise<{ code: number; out: string; asked: string }> => {
      const stdin = new PassThrough()
      const stdout = new PassThrough()
      const stderr = new PassThrough()
      const { signal } = new AbortController()
      const io: CliIo = { stdin, stdout, stderr, interactive: true, redisUrl: server.url, signal }
      let asked = ''
      let given = false
      stderr.setEncoding('utf8').on('data', (text: string) => {
        asked += text
        for (const [question, answer] of [
          ['Who decides? ', 0],
          ['Why? ', 1],
        ] as const) {
          if (text.endsWith(question)) {
            const line = answers.split('\n')[answer]
            if (line === undefined) stdin.end()
            else stdin.write(`${line}\n`)
          }
        }
        given = true
      })
      const code = await runCli(
        [
          '--namespace',
          here.namespace,
          'resolve',
          'pay',
          'inv-1',
          '--outcome',
          'ran',
          '--value',
          '1',
          '--json',
          ...extra,
        ],
        io,
      )
      expect(given).toBe(true)
      return { code, out: String(stdout.read() ?? ''), asked }
    }
    const away = await talk('kim')
    expect([away.code, away.out]).toEqual([2, ''])
    expect(away.asked).toContain('--why is missing')
    expect((await talk('')).code).toBe(2)
    expect(await here.idem.inspect('pay', 'inv-1')).toEqual(before)
    const asked = await talk('kim\nseen at the bank')
    expect(asked.code).toBe(0)
    expect(JSON.parse(asked.out)).toMatchObject({ state: 'done', by: 'kim', why: 'seen at the bank' })
  })

  test('wrong usage is exit 2 with one line and never reaches Redis', async () => {
    await using here = instance(redis)
    const resolve = ['resolve', 'pay', 'k', ...AUTHOR]
    const bad: [string[], RegExp][] = [
      [args(here, 'lits'), /unknown command .*did you mean list/i],
      [args(here, 'list', '--colour'), /unknown option/],
      [args(here, 'list', '--state', 'lost'), /none of running, done/],
      [args(here, 'list', '--limit', '0'), /whole number/],
      [args(here, 'inspect', 'pay'), /missing required argument/],
      [args(here, ...resolve), /--outcome/],
      [args(here, ...resolve, '--outcome', 'maybe'), /ran, failed, not-run/],
      [args(here, ...resolve, '--outcome', 'ran'), /needs --value/],
      [args(here, ...resolve, '--outcome', 'ran', '--value', 'paid'), /not JSON/],
      [args(here, ...resolve, '--outcome', 'ran', '--value', '1', '--error', '{}'), /--error does not go/],
      [args(here, ...resolve, '--outcome', 'failed'), /needs --error/],
      [args(here, ...resolve, '--outcome', 'failed', '--error', '{"name":"E"}'), /needs --error/],
      [args(here, ...resolve, '--outcome', 'not-run', '--value', '1'), /--value does not go/],
      [args(here, 'confirm', 'pay', 'k', '--value', '1'), /--evidence/],
      [args(here, 'inspect', 'pay', ' '), /blank/],
      [['--namespace', here.namespace, 'list'], /REDIS_URL/],
      [['--redis', server.url, 'list'], /--namespace/],
      [['--redis', server.url, '--namespace', 'no spaces', 'list'], /namespace/],
      [['--redis', 'http://u:geheim@h', '--namespace', here.namespace, 'list'], /invalid Redis target/],
    ]
    await Promise.all(
      bad.map(async ([given, text]) => {
        const run = await cliHere(given)
        expectOneLine(run, 2, text)
        expect(run.stderr).not.toMatch(/geheim/)
      }),
    )
  })

  test('help and version are exit 0', async () => {
    expect(await cli(['--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('Exit codes') })
    expect(await cli(['resolve', '--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('--outcome') })
    expect(await cli(['--version'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
    expect((await cli([])).code).toBe(2)
  })

  test('Redis away, hung, or refusing is exit 3 with one line, in bounded time', async () => {
    await using here = instance(redis)
    const sockets = new Set<{ destroy(): void }>()
    const hung = createServer(socket => sockets.add(socket)).listen(0, '127.0.0.1')
    await new Promise(resolve => hung.once('listening', resolve))
    const { port } = hung.address() as AddressInfo
    await using locked = await startRedis({ args: ['--requirepass', 'geheim'] })
    const open = locked.url.replace(/\/\/[^@]*@/, '//')
    const targets = ['redis://127.0.0.1:1', `redis://127.0.0.1:${port}`, open, open.replace('//', '//:falsch@')]
    for (const url of [...targets, 'redis+sentinel://127.0.0.1:1/m', 'redis+cluster://127.0.0.1:1']) {
      const run = await (url === targets[0] ? cli : cliHere)(['--redis', url, '--namespace', here.namespace, 'list'])
      expectOneLine(run, 3, /cannot reach Redis: .+\. Check --redis or REDIS_URL/)
      expect(run.stderr).not.toMatch(/falsch/)
    }
    for (const socket of sockets) socket.destroy()
    await new Promise(resolve => hung.close(resolve))
  })

  test('a user without rights to the keys is exit 3, saying so', async () => {
    await using here = instance(redis)
    await redis.call('ACL', 'SETUSER', 'reader', 'on', '>pw', '~other:*', '+@all')
    const url = server.url.replace('//', '//reader:pw@')
    const run = await cliHere(['--redis', url, '--namespace', here.namespace, 'list'])
    expectOneLine(run, 3, /NOPERM/)
  })

  test('REDIS_URL serves where --redis is not given, and every form of URL is taken', async () => {
    await using here = instance(redis)
    await doubt(here.idem, 'inv-1')
    const byEnv = await cli(['--namespace', here.namespace, 'list', '--json'], { env: { REDIS_URL: server.url } })
    expect(byEnv.objects).toHaveLength(1)

    await using cluster = await startCluster()
    await using sentinel = await startSentinel()
    for (const group of [cluster, sentinel]) {
      const target = connectRedis(group.url)
      await whenReady(target)
      await using there = instance(target)
      await doubt(there.idem, 'inv-1')
      await done(there.idem, 'inv-2', 'paid')
      const run = await cli(['--redis', group.url, '--namespace', there.namespace, 'list', '--all', '--json'])
      expect([run.code, run.objects.length], run.stderr).toEqual([0, 2])
      target.disconnect()
    }
  })

  test('keys of outsiders do not steer the terminal', async () => {
    await using here = instance(redis)
    await doubt(here.idem, 'a\u001b[2J\nb')
    const run = await cliHere(args(here, 'list'))
    expect(rows(run)[0]?.[1]).toBe('a\\u{1b}[2J\\u{a}b')
  })

  test.for([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s ends it at once with one line and no stack: exit %d', async ([signal, code]) => {
    await using here = instance(redis)
    const sockets: Socket[] = []
    const hung = createServer(socket => sockets.push(socket)).listen(0, '127.0.0.1')
    await once(hung, 'listening')
    const { port } = hung.address() as AddressInfo
    const run = await cli(['--redis', `redis://127.0.0.1:${port}`, '--namespace', here.namespace, 'list'], {
      stopAt: once(hung, 'connection'),
      signal,
    })
    expectOneLine(run, code, /stopped/)
    // Every time limit of the command is 5 s: it waited for none of them.
    expect(run.stoppingMs).toBeLessThan(4000)
    for (const socket of sockets) socket.destroy()
    hung.close()
  })

  test('Ctrl-C at a question decides nothing: exit 130', async () => {
    await using here = instance(redis)
    await doubt(here.idem, 'inv-1')
    const before = await here.idem.inspect('pay', 'inv-1')
    const [stdin, stdout] = [new PassThrough(), new PassThrough()]
    // Readline takes the keys of a terminal only where its output is one.
    const stderr = Object.assign(new PassThrough(), { isTTY: true, columns: 80 })
    let shown = ''
    stderr.setEncoding('utf8').on('data', (text: string) => {
      shown += text
      if (shown.endsWith('\u001b[14G')) stdin.write('\u0003')
    })
    const { signal } = new AbortController()
    const io: CliIo = { stdin, stdout, stderr, interactive: true, redisUrl: server.url, signal }
    const resolve = ['--namespace', here.namespace, 'resolve', 'pay', 'inv-1', '--outcome', 'not-run']
    expect([await runCli(resolve, io), stdout.read()]).toEqual([130, null])
    expect(shown).toMatch(/Who decides\? .*\nsafety-idempotency: stopped; nothing was decided\n$/s)
    expect(await here.idem.inspect('pay', 'inv-1')).toEqual(before)
  })

  test('a verdict whose answer never comes is exit 3, and says that it may have taken effect', async () => {
    await using here = instance(redis)
    await doubt(here.idem, 'inv-1')
    await using proxy = await startFaultProxy(server)
    proxy.dropReply({ match: { script: 'idempotency.decide' }, then: 'silence' })
    const resolve = ['resolve', 'pay', 'inv-1', '--outcome', 'ran', '--value', '1', ...AUTHOR]
    const run = await cliHere(['--redis', proxy.url, '--namespace', here.namespace, ...resolve])
    expectOneLine(run, 3, /whether it took effect is not known, inspect the record/)
    expect(await here.idem.inspect('pay', 'inv-1')).toMatchObject({ state: 'done', value: 1 })
  })
})
