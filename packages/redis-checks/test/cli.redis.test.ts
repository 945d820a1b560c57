import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { startFaultProxy, startRedis } from '@safety/redis-core/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { exitCodeOf } from '../src/cli/exit-code.ts'
import { catalogue } from '../src/index.ts'
import type { Report } from '../src/index.ts'
import { cli } from './doctor.ts'
import { startFakeRedis, table } from './fake-redis.ts'
import { awaitOnline, examine, nodeId } from './harness.ts'

const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))

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
      [[url, '--nonsense'], /unknown option/],
      [[url, '--profile', 'odd'], /profile/],
      [[url, '--format', 'pdf'], /format/],
      [
        [url, '--only', 'no-such-check'],
        /^redis-checks: --only: no check is called "no-such-check"\. Known: .*eviction-policy/,
      ],
      [[url, '--skip', 'evictionpolicy'], /^redis-checks: --skip: .* Did you mean eviction-policy\?\n$/],
      // Nothing to run would end in 0.
      [[url, '--only', ' ,'], /--only: names no check/],
      [[url, '--ack', '{}'], /^redis-checks: --ack: .*array/],
      [[url, '--ack', '[{"id":"rolle","reason":"x","until":"2999-01-01"}]'], /^redis-checks: --ack: .*rolle/],
      [['redis://127.0.0.1:70000'], /port/],
      [['rediss://user@host'], /credentials/],
      [[url, '--tls-ca', missing], /--tls-ca: ENOENT/],
      [[url, '--username', 'app'], /password/],
      [[url, '--sentinel', 'main', '--cluster'], /exclude each other/],
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

  test('3: it hangs up in the middle; nothing lost counts as refused, and no remedy says to change what was not seen', async () => {
    await using server = await startRedis({ aof: 'always' })
    for (const command of ['info', 'set', 'acl', 'eval']) {
      await using proxy = await startFaultProxy(server)
      proxy.add({ match: { command }, action: { kind: 'drop-request', then: 'reset' } })
      const { code, stdout } = await cli([proxy.url, '--profile', 'idempotency.strict', '--json'])
      const { results, complete } = JSON.parse(stdout) as Report
      expect([command, code, complete]).toEqual([command, 3, false])
      const lost = results.filter(({ level }) => level === 'unknown')
      expect(lost.length).toBeGreaterThan(0)
      for (const { id, unknownBecause, remedy } of lost) {
        expect([id, unknownBecause]).toEqual([id, expect.stringMatching(/^(?:unreachable|timeout)$/)])
        expect(remedy).not.toHaveProperty('command')
      }
      expect(results.find(({ id }) => id === 'optional-reads')?.level ?? 'pass').toBe('pass')
    }
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

  test('an acknowledgement that has expired, is refused or was not needed is told, and accepts nothing', async () => {
    await using server = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] })
    const until = '2999-01-01T00:00:00Z'
    const given = [
      { id: 'persistence', reason: 'moved', until: '2020-01-01T00:00:00Z' },
      { id: 'eviction-policy', reason: 'known', until },
      { id: 'aof-health', reason: 'none', until },
    ]
    const args = [server.url, '--profile', 'idempotency.strict', '--ack', JSON.stringify(given)]
    const { code, stdout } = await cli(args)
    expect(code).toBe(1)
    expect(stdout.split('\n').filter(line => line.startsWith('note'))).toEqual([
      'note   the acknowledgement of persistence has expired: what it accepted counts again',
      'note   the acknowledgement of eviction-policy is refused: nobody can accept this finding in this profile',
      'note   the acknowledgement of aof-health was not needed: there is nothing to accept',
    ])
    expect(stdout).toMatch(/^FAIL +persistence/m)
    expect(stdout).toMatch(/^FAIL +eviction-policy/m)
  })

  test('a report that cannot be written out is no success', async () => {
    await using server = await startRedis({ aof: 'everysec' })
    // Where there is no such device, it is a file nobody may make.
    const { code, stderr } = await cli([server.url, '--output', '/dev/full'])
    expect(code).toBe(existsSync('/dev/full') ? 4 : 2)
    expect(stderr).toMatch(/^redis-checks: --output: E[A-Z]+: \/dev\/full/)
  })

  test('says why no node answered, also when reachable is not among the checks', async () => {
    const { code, stdout } = await cli(['redis://127.0.0.1:1', '--only', 'role'])
    expect({ code, stdout }).toEqual({
      code: 3,
      stdout: 'No node answered (127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1): nothing is known about this Redis.\n',
    })
  })

  test('prints what the README shows', async () => {
    const args = ['--maxmemory', '100mb', '--maxmemory-policy', 'volatile-lru']
    await using server = await startRedis({ args })
    const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
    const [, command = '', output = ''] = /^```\n\$ redis-checks doctor (.*)\n([\s\S]*?)^```/m.exec(readme) ?? []
    const here = (text: string): string => text.replaceAll('16379', String(server.port))
    const { stdout } = await cli(here(command).split(' '))
    expect(stdout).toBe(here(output))
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

  test('Ctrl-C ends it at once: one line, 130, no report', async () => {
    await using server = await startRedis()
    server.pause()
    const child = spawn(process.execPath, [MAIN, 'doctor', server.url, '--timeout-ms', '60000'])
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (output += text))
    }
    await once(child, 'spawn')
    const interrupting = setInterval(() => child.kill('SIGINT'), 500)
    await once(child, 'close')
    clearInterval(interrupting)
    server.resume()
    // Before its handler stands, the signal itself ends the process.
    if (child.signalCode === null) {
      expect({ code: child.exitCode, output }).toEqual({
        code: 130,
        output: 'redis-checks: stopped by SIGINT: there is no report\n',
      })
    } else expect(output).toBe('')
  })

  test('a reader that has seen enough is no failure', async () => {
    await using server = await startRedis()
    const child = spawn(process.execPath, [MAIN, 'doctor', server.url, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] })
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.stdout.destroy()
    await once(child, 'close')
    expect({ code: child.exitCode, stderr }).toEqual({ code: 1, stderr: '' })
  })
})
