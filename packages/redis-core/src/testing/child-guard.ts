import { spawn, type ChildProcess } from 'node:child_process'
import { accessSync, closeSync, constants, openSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { removeFoldersAtExit } from './temporary-folder.ts'

// Processes this one has started and not yet seen end.
const running = new Set<ChildProcess>()

function cleanUp(): void {
  for (const child of running) child.kill('SIGKILL')
  removeFoldersAtExit()
}

function findOnPath(name: string): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    if (folder === '') continue
    const path = join(folder, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      continue
    }
  }
  return undefined
}

let setpriv: string | undefined
let prepared = false

function prepare(): void {
  if (prepared) return
  prepared = true
  process.on('exit', cleanUp)
  if (process.platform === 'linux') setpriv = findOnPath('setpriv')
}

/**
 * Starts a process that does not outlive this one: the kernel kills it when we die (Linux with `setpriv`, even on our
 * SIGKILL), and an exit hook does so on every system. Standard output and error are appended to `logFile`.
 *
 * It does not keep this process alive.
 */
export function spawnGuarded(
  path: string,
  args: readonly string[],
  options: { cwd: string; logFile: string; env: NodeJS.ProcessEnv },
): ChildProcess {
  prepare()
  const log = openSync(options.logFile, 'a')
  try {
    const command = setpriv ?? path
    const prefix = setpriv === undefined ? [] : ['--pdeathsig', 'KILL', path]
    const child = spawn(command, [...prefix, ...args], {
      cwd: options.cwd,
      env: options.env,
      stdio: ['ignore', log, log],
      // Where the kernel cleans up, Ctrl-C in the terminal is for the runner alone, which may still need its servers.
      detached: setpriv !== undefined,
    })
    running.add(child)
    child.once('exit', () => running.delete(child))
    child.once('error', () => running.delete(child))
    child.unref()
    return child
  } finally {
    closeSync(log)
  }
}

/** True until the process has ended and been reaped. */
export function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null
}

/** Waits for the end of a process, at most `timeoutMs`; false when it is still there. */
export function waitForExit(child: ChildProcess, timeoutMs: number): Promise<boolean> {
  if (!isRunning(child)) return Promise.resolve(true)
  child.ref()
  return new Promise(resolve => {
    const done = (ended: boolean) => (): void => {
      clearTimeout(timer)
      child.off('exit', onExit)
      child.unref()
      resolve(ended)
    }
    const onExit = done(true)
    const timer = setTimeout(done(false), timeoutMs)
    child.once('exit', onExit)
  })
}
