import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import type { Clock } from '@safety/redis-core'

/** How a process ended; `code` is null when a signal ended it. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A child process that speaks in lines. */
export interface Child {
  readonly name: string
  readonly pid: number
  readonly exited: Promise<Exit>
  /** Undefined while it runs. */
  exit(): Exit | undefined
  /** Writes one JSON line to its standard input; nothing when it has gone. */
  send(message: object): void
  /** SIGKILL, at once. */
  kill(): void
  /** Closes its input and sends SIGTERM; SIGKILL when it is still there after `graceMs`. */
  stop(graceMs: number): Promise<Exit>
  /** The last lines it wrote to standard error. */
  complaint(): string
}

export interface ChildPool extends AsyncDisposable {
  /**
   * Starts `node file ...args` without our environment, so that no setting and no secret of ours reaches it. The process dies with this one: by the kernel where `setpriv`
   * exists (Linux), by the end of its standard input, and by an exit hook.
   *
   * @param onLine every line of its standard output, in order
   */
  start(name: string, file: string, args: readonly string[], onLine: (line: string) => void): Child
  /** SIGKILL to all that still run; for the exit hook and a second Ctrl-C. */
  killAll(): void
}

const MAX_COMPLAINT = 4000

const SETPRIV =
  process.platform === 'linux' ? ['/usr/bin/setpriv', '/bin/setpriv'].find(path => existsSync(path)) : undefined

/** Calls back with each full line of a stream, and with a last one that lacks its newline. */
function eachLine(stream: Readable, onLine: (line: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onLine(line)
  })
  stream.on('end', () => {
    if (rest !== '') onLine(rest)
  })
}

function startProcess(
  file: string,
  args: readonly string[],
  cacheFolder: string,
): ChildProcessByStdio<Writable, Readable, Readable> {
  const node = [process.execPath, file, ...args]
  const [command, ...rest] = SETPRIV === undefined ? node : [SETPRIV, '--pdeathsig', 'KILL', ...node]
  return spawn(command!, rest, {
    stdio: ['pipe', 'pipe', 'pipe'],
    // A worker that was killed is back sooner when its modules need no second compilation.
    env: { NODE_COMPILE_CACHE: cacheFolder },
    // Ctrl-C in the terminal is for the demo alone, which then stops its children in order.
    detached: SETPRIV !== undefined,
  })
}

function adopt(
  name: string,
  process: ChildProcessByStdio<Writable, Readable, Readable>,
  clock: Clock,
  onLine: (line: string) => void,
): Child {
  let complaint = ''
  let ended: Exit | undefined
  const { promise: exited, resolve } = Promise.withResolvers<Exit>()
  process.once('error', error => {
    complaint += `${error.message}\n`
    ended = { code: null, signal: null }
    resolve(ended)
  })
  process.once('close', (code, signal) => {
    ended = { code, signal }
    resolve(ended)
  })
  // A process that has just died leaves a broken pipe, which its exit already tells.
  process.stdin.on('error', () => {})
  eachLine(process.stdout, onLine)
  process.stderr.setEncoding('utf8')
  process.stderr.on('data', (chunk: string) => {
    complaint = (complaint + chunk).slice(-MAX_COMPLAINT)
  })
  return {
    name,
    pid: process.pid ?? -1,
    exited,
    exit: () => ended,
    send(message) {
      if (ended === undefined && process.stdin.writable) process.stdin.write(`${JSON.stringify(message)}\n`)
    },
    kill() {
      if (ended === undefined) process.kill('SIGKILL')
    },
    async stop(graceMs) {
      if (ended !== undefined) return ended
      process.stdin.end()
      process.kill('SIGTERM')
      const timer = clock.setTimeout(() => process.kill('SIGKILL'), graceMs)
      const exit = await exited
      timer.cancel()
      return exit
    },
    complaint: () => complaint.trim(),
  }
}

/**
 * Keeps every process of a run together, so that none outlives it.
 *
 * @param folder for what the processes share with each other and nobody else, deleted by the caller
 */
export function createChildPool(clock: Clock, folder: string): ChildPool {
  const running = new Set<Child>()
  function killAll(): void {
    for (const child of running) child.kill()
  }
  process.on('exit', killAll)
  return {
    start(name, file, args, onLine) {
      const child = adopt(name, startProcess(file, args, join(folder, 'compile-cache')), clock, onLine)
      running.add(child)
      void child.exited.then(() => running.delete(child))
      return child
    },
    killAll,
    async [Symbol.asyncDispose]() {
      await Promise.all([...running].map(child => child.stop(2000)))
      process.off('exit', killAll)
    },
  }
}
