import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, open, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { systemClock } from '@safety/redis-core'
import { resolveRedisServer } from '@safety/redis-core/testing'
import { detailOf } from './report.ts'
import { connectStore } from './safety.ts'
import { StartError } from './start-error.ts'

/** A Redis of the trader's own, whose data outlives it. */
export interface OwnRedis extends AsyncDisposable {
  readonly url: string
}

const startTimeoutMs = 15_000
const stopTimeoutMs = 10_000

function freePort(): Promise<number> {
  const { promise, resolve: done, reject } = Promise.withResolvers<number>()
  const server = createServer()
  server.once('error', reject)
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    server.close(() => done(port))
  })
  return promise
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    // No such process, which is what was asked.
    return false
  }
}

/** Two servers on one append-only file would destroy it. */
async function lock(file: string): Promise<void> {
  for (let tries = 0; tries < 2; tries += 1) {
    try {
      const handle = await open(file, 'wx')
      await handle.writeFile(String(process.pid))
      await handle.close()
      return
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
      const pid = Number(await readFile(file, 'utf8').catch(() => '0'))
      if (pid > 0 && isAlive(pid))
        throw new StartError(3, `process ${pid} uses ${file}; give each trader its own TRADER_STATE_DIR`)
      await rm(file, { force: true })
    }
  }
}

function serve(binary: string, folder: string, port: number): ChildProcess {
  const args = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--save',
    '',
    '--maxmemory-policy',
    'noeviction',
  ]
  // `always`: an acknowledged claim is on the disk, so no kill of Redis or of the machine can lose one.
  args.push(
    '--appendonly',
    'yes',
    '--appendfsync',
    'always',
    '--loglevel',
    'warning',
    '--logfile',
    join(folder, 'redis.log'),
  )
  const guard =
    process.platform === 'linux' ? ['/usr/bin/setpriv', '/bin/setpriv'].find(path => existsSync(path)) : undefined
  const [command, rest] = guard === undefined ? [binary, args] : [guard, ['--pdeathsig', 'TERM', binary, ...args]]
  // Its own group: Ctrl-C is for the trader, which stops Redis last.
  return spawn(command, rest, { stdio: 'ignore', detached: true })
}

async function stop(child: ChildProcess, exited: Promise<void>): Promise<void> {
  child.kill('SIGTERM')
  const timer = systemClock.setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs)
  await exited
  timer.cancel()
}

/**
 * Starts Redis with an append-only file in `stateDir`, on loopback and a free port.
 *
 * @throws StartError 3 when there is no server to start, it does not come up, or another trader uses the folder.
 */
export async function startOwnRedis(stateDir: string): Promise<OwnRedis> {
  const folder = resolve(stateDir, 'redis')
  const lockFile = join(folder, 'in-use')
  const { path } = await resolveRedisServer().catch((error: unknown) => {
    throw new StartError(3, detailOf(error), { cause: error })
  })
  await mkdir(folder, { recursive: true })
  await lock(lockFile)
  const port = await freePort()
  const child = serve(path, folder, port)
  const { promise: exited, resolve: onExit } = Promise.withResolvers<void>()
  child.once('exit', () => onExit())
  child.once('error', () => onExit())
  const url = `redis://127.0.0.1:${port}`
  try {
    const gone = exited.then(() => {
      throw new Error(`it ended at once; see ${join(folder, 'redis.log')}`)
    })
    const probe = await Promise.race([connectStore(url, 'trader:start', { timeoutMs: startTimeoutMs }), gone])
    probe.disconnect()
  } catch (error) {
    await stop(child, exited)
    await rm(lockFile, { force: true })
    throw new StartError(3, `Redis could not be started: ${detailOf(error)}`, { cause: error })
  }
  return {
    url,
    async [Symbol.asyncDispose]() {
      await stop(child, exited)
      await rm(lockFile, { force: true })
    },
  }
}
