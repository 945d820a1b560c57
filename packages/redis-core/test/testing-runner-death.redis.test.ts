import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, describe, expect, test } from 'vitest'
import { resolveRedisServer } from '../src/testing/index.ts'
import { sweepFolders } from '../src/testing/temporary-folder.ts'

const testing = new URL('../src/testing/index.ts', import.meta.url).href

interface Runner {
  pids: number[]
  directories: string[]
  end(signal?: NodeJS.Signals): Promise<void>
}

const runners = new Set<ChildProcess>()

// A runner that is killed cannot remove them.
const leftovers = new Set<string>()

afterEach(async () => {
  for (const runner of runners) runner.kill('SIGKILL')
  runners.clear()
  for (const folder of leftovers) await rm(folder, { recursive: true, force: true })
  leftovers.clear()
})

/** A process of its own that starts servers, prints what it started, and then does as told. */
async function startRunner(script: string, env: NodeJS.ProcessEnv = process.env): Promise<Runner> {
  const source = `
    import { startRedis, startSentinel, startCluster } from ${JSON.stringify(testing)}
    const tell = servers => console.log(JSON.stringify(servers.map(({ pid, directory }) => ({ pid, directory }))))
    ${script}`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  runners.add(child)
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  const servers = JSON.parse(line) as { pid: number; directory: string }[]
  for (const { directory } of servers) leftovers.add(directory)
  return {
    pids: servers.map(({ pid }) => pid),
    directories: servers.map(({ directory }) => directory),
    async end(signal) {
      const ended = once(child, 'exit')
      if (signal === undefined) child.stdin.end()
      else child.kill(signal)
      await ended
    },
  }
}

/** Still there and not merely waiting for its parent to notice its end. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return process.platform !== 'linux' || !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

async function expectGone(pids: readonly number[]): Promise<void> {
  await expect.poll(() => pids.filter(isAlive), { timeout: 20_000 }).toEqual([])
}

describe('death of the test runner [claim 11]', () => {
  // Only Linux can tie the life of a process to its parent's.
  test.runIf(process.platform === 'linux')('SIGKILL leaves no server behind, running or paused', async () => {
    const runner = await startRunner(`
      const servers = await Promise.all([startRedis(), startRedis({ aof: 'always' }), startRedis()])
      servers[2].pause()
      tell(servers)
      setInterval(() => {}, 1000)`)
    expect(runner.pids.filter(isAlive)).toHaveLength(3)
    await runner.end('SIGKILL')
    await expectGone(runner.pids)
  })

  test.runIf(process.platform === 'linux')('SIGKILL leaves no sentinel and no replica behind', async () => {
    const runner = await startRunner(`
      const group = await startSentinel({ replicas: 1 })
      tell([...group.servers, ...group.sentinels])
      setInterval(() => {}, 1000)`)
    expect(runner.pids.filter(isAlive)).toHaveLength(5)
    await runner.end('SIGKILL')
    await expectGone(runner.pids)
  })

  test('an exit without dispose leaves neither server nor folder behind', async () => {
    const runner = await startRunner(`
      tell([await startRedis(), await startRedis({ aof: 'everysec' })])
      process.stdin.on('end', () => process.exit(3)).resume()`)
    expect(runner.pids.filter(isAlive)).toHaveLength(2)
    expect(runner.directories.every(directory => existsSync(directory))).toBe(true)
    await runner.end()
    await expectGone(runner.pids)
    expect(runner.directories.filter(directory => existsSync(directory))).toEqual([])
  })

  test('nor does it where the system offers no help', async () => {
    const { path } = await resolveRedisServer()
    const runner = await startRunner(
      `tell([await startRedis()])
       process.stdin.on('end', () => process.exit()).resume()`,
      { SAFETY_REDIS_SERVER: path, PATH: '/nowhere', TMPDIR: process.env.TMPDIR },
    )
    expect(runner.pids.filter(isAlive)).toHaveLength(1)
    await runner.end()
    await expectGone(runner.pids)
  })

  test('a forgotten server does not keep its runner alive', async () => {
    const runner = await startRunner(`tell([await startRedis()])`)
    await expectGone(runner.pids)
  })

  test('runners side by side never get each other’s port', async () => {
    const script = `
      const servers = await Promise.all(Array.from({ length: 6 }, () => startRedis()))
      tell(servers)
      process.stdin.on('end', () => process.exit()).resume()`
    const runners = await Promise.all([startRunner(script), startRunner(script)])
    const pids = runners.flatMap(runner => runner.pids)
    expect(new Set(pids).size).toBe(12)
    expect(pids.filter(isAlive)).toHaveLength(12)
    await Promise.all(runners.map(runner => runner.end()))
    await expectGone(pids)
  })

  test('old folders of dead runners are swept, and no others', async () => {
    const parent = await mkdtemp(join(tmpdir(), 'safety-sweep-'))
    leftovers.add(parent)
    const { pids } = await startRunner(`console.log(JSON.stringify([{ pid: process.pid, directory: '/nowhere' }]))`)
    await expectGone(pids)
    const old = new Date(Date.now() - 2 * 3_600_000)
    const make = async (name: string, date: Date): Promise<void> => {
      await mkdir(join(parent, name))
      await utimes(join(parent, name), date, date)
    }
    await make(`safety-redis-${pids[0]}-old`, old)
    await make(`safety-redis-${pids[0]}-new`, new Date())
    await make(`safety-redis-${process.pid}-old`, old)
    await make('something-else', old)
    await sweepFolders(parent)
    expect((await readdir(parent)).toSorted()).toEqual(
      [`safety-redis-${pids[0]}-new`, `safety-redis-${process.pid}-old`, 'something-else'].toSorted(),
    )
  })
})
