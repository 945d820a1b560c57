import type { ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync, readSync, fstatSync } from 'node:fs'
import { join } from 'node:path'
import { isRunning, spawnGuarded } from './child-guard.ts'
import { CONFIG_FILE, LOG_FILE } from './redis-config.ts'
import { withRespConnection } from './resp/connection.ts'
import { isRespError } from './resp/value.ts'
import { serverError } from './server-error.ts'

const POLL_MS = 10
const LOG_TAIL_BYTES = 4 * 1024

export interface ProcessSpec {
  path: string
  directory: string
  host: string
  port: number
  password: string | undefined
  tls?: boolean
  args: readonly string[]
  env: Readonly<Record<string, string>>
  startTimeoutMs: number
}

/** The child ended before it was ready because another process holds its port. */
export class PortTakenError extends Error {
  override readonly name = 'PortTakenError'
}

export function readLog(directory: string): string {
  return readFileSync(join(directory, LOG_FILE), 'utf8')
}

function readLogTail(directory: string): string {
  const file = openSync(join(directory, LOG_FILE), 'r')
  try {
    const size = fstatSync(file).size
    const tail = Buffer.alloc(Math.min(size, LOG_TAIL_BYTES))
    readSync(file, tail, 0, tail.length, size - tail.length)
    return tail.toString()
  } finally {
    closeSync(file)
  }
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

type Readiness = 'ready' | 'not yet' | 'stranger'

/** Asks whoever listens on the port whether it is our child, and whether it has loaded its data. */
async function probe(spec: ProcessSpec, child: ChildProcess): Promise<Readiness> {
  let info
  try {
    info = await withRespConnection({ ...spec, timeoutMs: 1_000 }, connection => connection.send('INFO'))
  } catch {
    return 'not yet' // nobody listens so far, or it is too busy starting to answer
  }
  if (isRespError(info) && /^(NOAUTH|NOPERM)/.test(info.error)) {
    // The test locked INFO away. A server that cannot bind its port ends, so a running child with this line in its own log owns it.
    return /ready to accept connections/i.test(readLogTail(spec.directory)) ? 'ready' : 'not yet'
  }
  if (typeof info !== 'string') return 'not yet'
  if (!/^run_id:[0-9a-f]{40}/m.test(info) || !info.includes(`process_id:${child.pid}\r\n`)) return 'stranger'
  return /^loading:1/m.test(info) ? 'not yet' : 'ready'
}

function explainEnd(spec: ProcessSpec, child: ChildProcess, what: string): Error {
  const tail = readLogTail(spec.directory)
  if (!isRunning(child) && /Address already in use/i.test(tail)) return new PortTakenError(`port ${spec.port} is taken`)
  return serverError(`${spec.path} on ${spec.host}:${spec.port} ${what}. The end of its log:\n${tail}`)
}

/**
 * Starts a server and waits until it answers as itself: `process_id` in INFO must be the child's, so a foreign server on
 * the same port is never taken for ours.
 *
 * @throws PortTakenError when the port is held by another process
 * @throws `ERR_REDIS_SERVER` when it ends or is not ready in time, with the end of its log
 */
export async function startProcess(spec: ProcessSpec): Promise<ChildProcess> {
  const child = spawnGuarded(spec.path, [join(spec.directory, CONFIG_FILE), ...spec.args], {
    cwd: spec.directory,
    logFile: join(spec.directory, LOG_FILE),
    env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC', ...spec.env },
  })
  let failure: unknown
  child.once('error', error => {
    failure = error
  })
  const deadline = performance.now() + spec.startTimeoutMs
  for (;;) {
    await pause(POLL_MS)
    if (failure !== undefined) throw serverError(`${spec.path} could not be started`, failure)
    if (!isRunning(child)) throw explainEnd(spec, child, 'ended while starting')
    const readiness = await probe(spec, child)
    if (readiness === 'ready' && isRunning(child)) return child
    if (performance.now() > deadline) {
      child.kill('SIGKILL')
      throw explainEnd(spec, child, readiness === 'stranger' ? 'is another process' : 'was not ready in time')
    }
  }
}
