import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { TraderConfig } from '../src/config.ts'
import type { TraderEvent } from '../src/report.ts'
import type { WorkerInit } from '../src/worker-init.ts'
import { until } from './rig.ts'

export interface WorkerProcess {
  readonly child: ChildProcess
  readonly events: TraderEvent[]
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  errors(): string
  ready(): Promise<void>
  send(message: object): void
}

const ownParts = new Set([
  'redisUrl',
  'restUrl',
  'wsApiUrl',
  'streamsUrl',
  'apiKey',
  'apiSecret',
  'book',
  'strategy',
  'symbols',
])

export function initOf(worker: string, config: TraderConfig): WorkerInit {
  const settings = Object.entries(config).filter(([name, value]) => value !== undefined && !ownParts.has(name))
  return {
    type: 'init',
    worker,
    redisUrl: config.redisUrl!,
    rest: config.restUrl!,
    wsApi: config.wsApiUrl!,
    streams: config.streamsUrl!,
    apiKey: config.apiKey!,
    apiSecret: config.apiSecret!,
    book: config.book,
    strategy: config.strategy,
    symbols: config.symbols,
    settings: Object.fromEntries(settings),
  }
}

/** Starts a worker as a process of its own; with `killAt` it dies there. */
export function startWorkerProcess(worker: string, config: TraderConfig, killAt?: string): WorkerProcess {
  const file = fileURLToPath(new URL(killAt === undefined ? '../src/main.ts' : 'armed-worker.ts', import.meta.url))
  const env = killAt === undefined ? {} : { SAFETY_FAILPOINTS: 'test', KILL_AT: killAt }
  const child = spawn(process.execPath, [file, 'worker'], { stdio: ['pipe', 'pipe', 'pipe'], env })
  const events: TraderEvent[] = []
  let rest = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) events.push(JSON.parse(line) as TraderEvent)
  })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk
  })
  child.stdin.on('error', () => {})
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>(resolve =>
    child.once('exit', (code, signal) => resolve({ code, signal })),
  )
  const send = (message: object): void => void child.stdin.write(`${JSON.stringify(message)}\n`)
  send(initOf(worker, config))
  return {
    child,
    events,
    exited,
    errors: () => errors,
    async ready() {
      await until(`${worker} is ready ${errors}`, () => {
        if (child.exitCode !== null) throw new Error(`the worker ended: ${errors}`)
        return events.some(event => event.type === 'ready')
      })
    },
    send,
  }
}
