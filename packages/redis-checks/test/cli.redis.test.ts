import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { startRedis } from '@safety/redis-core/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { runCli } from '../src/cli/run-cli.ts'
import { exitCodeOf } from '../src/cli/exit-code.ts'
import { catalogue } from '../src/index.ts'
import type { Report } from '../src/index.ts'
import { startFakeRedis, table } from './fake-redis.ts'
import { awaitOnline, examine, nodeId } from './harness.ts'

const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))

interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the command in this process. */
async function cli(args: readonly string[], env: Record<string, string> = {}): Promise<Run> {
  let stdout = ''
  let stderr = ''
  const code = await runCli(['doctor', ...args], {
    print: async text => void (stdout += text),
    error: text => void (stderr += text),
    env,
    color: false,
    signal: new AbortController().signal,
  })
  return { code, stdout, stderr }
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'redis-checks-'))
})
afterAll(() => rm(folder, { recursive: true }))

describe('exit codes [claim 34]', () => {
  test('0: nothing found, on a server set as the remedies say', async () => {
    await using server = await startRedis({ aof: 'everysec' })
    const { code, stdout, stderr } = await cli([server.url])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout.trimEnd().split('\n').at(-1)).toContain('idempotency.standard')
  })

  test('1: a check that was read fails, or warns with --fail-on warn', async () => {
    await using server = await startRedis()
    expect((await cli([server.url])).code).toBe(1)
    expect((await cli([], { REDIS_URL: server.url })).code).toBe(1)
    await using kept = await startRedis({ aof: 'everysec' })
    expect((await cli([kept.url, '--fail-on', 'warn'])).code).toBe(1)
    expect((await cli([kept.url, '--profile', 'cache'])).code).toBe(0)
  })

  test('1: a refused fact at the weight of an unknown; 3 where it only makes the report incomplete', async () => {
    const info = 'redis_version:7.2.0\r\nredis_mode:standalone\r\nrole:master\r\nrun_id:a\r\nevicted_keys:0'
    await using server = await startFakeRedis(
      table({ PING: '+PONG', INFO: info, HELLO: ['server', 'redis'], 'CONFIG GET': '-NOPERM no permissions' }),
    )
    const args = [server.url, '--no-write-probe', '--only', 'eviction-policy']
    expect((await cli(args)).code).toBe(3)
    expect((await cli([...args, '--unknown-as', 'fail'])).code).toBe(1)
    expect((await cli([...args, '--profile', 'idempotency.strict'])).code).toBe(1)
  })

  test('2: usage, before any contact', async () => {
    const missing = join(folder, 'missing.json')
    const broken = join(folder, 'broken.json')
    await writeFile(broken, '{"id":')
    const undated = join(folder, 'undated.json')
    await writeFile(undated, JSON.stringify([{ id: 'role', reason: 'x', until: 'soon' }]))
    const url = 'redis://127.0.0.1:1'
    const cases: [readonly string[], RegExp][] = [
      [[], /REDIS_URL/],
      [['http://x'], /URL/],
      [[url, '--nonsense'], /nonsense/],
      [[url, '--profile', 'odd'], /profile/],
      [[url, '--format', 'pdf'], /format/],
      [[url, '--only', 'no-such-check'], /no-such-check/],
      [[url, '--timeout-ms', '5'], /100\.\.60000/],
      [[url, '--ack', missing], /ENOENT/],
      [[url, '--ack', broken], /JSON/],
      [[url, '--ack', undated], /until/],
      [[url, '--expect', '{"replica": 1}'], /replica/],
      [[url, '--output', join(folder, 'no', 'such', 'place')], /--output/],
      [[url, '--password-env', 'NOT_SET'], /NOT_SET/],
      [[url, '--explain', 'nothing'], /nothing/],
      [[url, url], /several URLs/],
      [[url, '--profile', 'idempotency.strict', '--skip', 'role'], /skip/],
    ]
    for (const [args, text] of cases) {
      const { code, stdout, stderr } = await cli(args)
      expect([args, code, stdout]).toEqual([args, 2, ''])
      expect(stderr).toMatch(text)
    }
  })

  test('3: no node answered, a wrong password, TLS on a plain port', async () => {
    expect((await cli(['redis://127.0.0.1:1'])).code).toBe(3)
    await using server = await startRedis({ args: ['--requirepass', 'right-one'] })
    const wrong = await cli([`redis://${nodeId(server)}`, '--password-env', 'SECRET'], { SECRET: 'hunter2-wrong' })
    expect(wrong.code).toBe(3)
    expect(wrong.stdout).toMatch(/WRONGPASS/)
    expect(wrong.stdout + wrong.stderr).not.toContain('hunter2-wrong')
    expect((await cli([`rediss://${nodeId(server)}`, '--timeout-ms', '1000'])).code).toBe(3)
    expect((await cli([`redis://${nodeId(server)}`, '--password-env', 'SECRET'], { SECRET: 'right-one' })).code).toBe(1)
  })

  test('3: a node was not examined and nothing that was read fails; 1 if something does', async () => {
    await using master = await startRedis({ aof: 'everysec' })
    await using replica = await startRedis({ replicaOf: master, aof: 'everysec' })
    await awaitOnline(master)
    replica.pause()
    const { code } = await cli([master.url, '--timeout-ms', '3000', '--skip', 'wait-probe'])
    expect(code).toBe(3)
    // Not seen is not unsafe, whatever the level that counts.
    const reach = ['--only', 'reachable,node-coverage', '--fail-on', 'warn', '--timeout-ms', '3000']
    expect((await cli([master.url, ...reach])).code).toBe(3)
    await using odd = await startRedis({ args: ['--maxmemory-policy', 'volatile-lru'] })
    await using gone = await startRedis({ replicaOf: odd })
    await awaitOnline(odd)
    gone.pause()
    expect((await cli([odd.url, '--timeout-ms', '3000'])).code).toBe(1)
    replica.resume()
    gone.resume()
  })

  test('4: a check crashed', async () => {
    await using server = await startRedis({ aof: 'everysec' })
    const report: Report = await examine(server)
    const crashed = report.results.map((result, index) =>
      index === 0 ? { ...result, level: 'unknown' as const, unknownBecause: 'crashed' as const } : result,
    )
    expect(exitCodeOf({ ...report, results: crashed }, 'fail', 'warn')).toBe(4)
  })
})

describe('the command', () => {
  test('every check has a story that needs no connection', async () => {
    for (const { id, title } of catalogue) {
      const { code, stdout } = await cli(['--explain', id])
      expect([id, code]).toEqual([id, 0])
      expect(stdout).toContain(title)
      expect(stdout).toMatch(/Thresholds {3}\S/)
      expect(stdout).toMatch(/Remedy {7}\S/)
    }
  })

  test('writes the report to --output and nothing to stdout; --json is the report', async () => {
    await using server = await startRedis()
    const file = join(folder, 'report.json')
    const { code, stdout } = await cli([server.url, '--json', '--output', file])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({
      schemaVersion: 1,
      profile: 'idempotency.standard',
    })
  })

  test('takes acknowledgements and expectations from files', async () => {
    await using server = await startRedis()
    const ack = join(folder, 'ack.json')
    const until = '2999-01-01T00:00:00Z'
    await writeFile(ack, JSON.stringify([{ id: 'persistence', reason: 'a cache', until }]))
    const wanted = join(folder, 'expect.json')
    await writeFile(wanted, JSON.stringify({ replicas: 2 }))
    const { code, stdout } = await cli([server.url, '--ack', ack, '--expect', wanted, '--json'])
    const report = JSON.parse(stdout) as Report
    expect(report.acknowledgements).toEqual([{ id: 'persistence', node: null, state: 'applied' }])
    expect(report.results.find(({ id }) => id === 'replica-count')?.level).toBe('fail')
    expect(code).toBe(1)
  })

  test('as a process it prints the whole report into a pipe before it exits', async () => {
    await using server = await startRedis()
    const child = spawn(process.execPath, [MAIN, 'doctor', server.url, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    await once(child, 'close')
    expect({ code: child.exitCode, stderr }).toEqual({ code: 1, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({ schemaVersion: 1 })
  })

  test('applying the printed remedies of a default server one after the other ends in exit 0', async () => {
    await using server = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] })
    const redis = server.client()
    for (let round = 0; round < 5; round++) {
      const { code, stdout } = await cli([server.url, '--json'])
      if (code === 0) break
      const failing = (JSON.parse(stdout) as Report).results.find(({ level }) => level === 'fail')
      const words = (failing?.remedy.command ?? '').replace(/^redis-cli -h \S+ -p \d+ /, '').split(' ')
      await redis.call(words[0] as string, ...words.slice(1))
    }
    expect((await cli([server.url])).code).toBe(0)
  })
})
