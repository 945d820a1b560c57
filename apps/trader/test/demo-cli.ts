import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { DemoDocument } from '../src/demo/result.ts'

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))

export interface DemoRun {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  /** The document of `--json`. */
  document(): DemoDocument
  /** What is left in the folder the run had for temporary files. */
  readonly leftFiles: readonly string[]
  /** Commands of processes the run had started and that still exist. */
  readonly leftProcesses: readonly string[]
}

interface Process {
  readonly pid: number
  readonly parent: number
  /** Clock ticks since boot: with the pid it names a process for good. */
  readonly startedAt: string
  readonly command: string
}

/** All processes of this machine; Linux only, and empty elsewhere. */
function processes(): Process[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc').flatMap(name => {
    if (!/^\d+$/.test(name)) return []
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      if (fields[0] === 'Z') return []
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ')
      return [{ pid: Number(name), parent: Number(fields[1]), startedAt: fields[19]!, command }]
    } catch {
      // It ended while we looked.
      return []
    }
  })
}

function descendants(root: number): Process[] {
  const all = processes()
  const found: Process[] = []
  for (let parents = [root]; parents.length > 0;) {
    const children = all.filter(each => parents.includes(each.parent))
    found.push(...children)
    parents = children.map(child => child.pid)
  }
  return found
}

/** Watches whom a process starts, until it ends. */
function watch(child: ChildProcess): () => Process[] {
  const seen = new Map<string, Process>()
  const look = (): void => {
    for (const each of descendants(child.pid!)) seen.set(`${each.pid}|${each.startedAt}`, each)
  }
  const timer = setInterval(look, 200)
  child.once('exit', () => clearInterval(timer))
  return () => {
    const now = new Set(processes().map(each => `${each.pid}|${each.startedAt}`))
    return [...seen].filter(([id]) => now.has(id)).map(([, each]) => each)
  }
}

export interface DemoProcess {
  readonly child: ChildProcess
  /** Processes it has started by now. */
  children(): string[]
  readonly ended: Promise<DemoRun>
}

/** Starts the command `demo` as a user would, with its own folder for temporary files. */
export function startDemo(args: readonly string[], options: { redisUrl?: string } = {}): DemoProcess {
  const temporary = mkdtempSync(join(tmpdir(), 'demo-cli-'))
  const { REDIS_URL: _ignored, ...environment } = process.env
  const child = spawn(process.execPath, [MAIN, 'demo', ...args], {
    env: {
      ...environment,
      TMPDIR: temporary,
      ...(options.redisUrl === undefined ? {} : { REDIS_URL: options.redisUrl }),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const left = watch(child)
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = new Promise<DemoRun>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exitCode, signal) => {
      // A killed child is gone from the kernel a moment after its parent has been told.
      setTimeout(() => {
        const leftFiles = readdirSync(temporary)
        rmSync(temporary, { recursive: true, force: true })
        const leftProcesses = left().map(each => each.command)
        const document = (): DemoDocument => JSON.parse(stdout) as DemoDocument
        resolve({ exitCode, signal, stdout, stderr, document, leftFiles, leftProcesses })
      }, 500)
    })
  })
  return { child, children: () => descendants(child.pid!).map(each => each.command), ended }
}
