import type { Clock } from '@safety/redis-core'
import type { Child, ChildPool, Exit } from './child-process.ts'
import { WORKER_AWAY_MS } from './storm.ts'
import { readWorkerLine, type WorkerLine } from './worker-lines.ts'

/** Something the demo did to a worker, or saw happen to it. */
export interface WorkerEvent {
  /** Epoch microseconds. */
  readonly tUs: number
  readonly worker: string
  /** Worker and start, such as `guarded-1` and, after a restart, `guarded-1.2`. */
  readonly process: string
  readonly event: 'started' | 'killed' | 'exited'
}

export interface WorkerSlotOptions {
  readonly name: string
  readonly pool: ChildPool
  readonly clock: Clock
  readonly entry: { readonly file: string; readonly args: readonly string[] }
  /** Once aborted, the worker is not started again. */
  readonly signal: AbortSignal
  /** The first line the worker is given, per start. */
  readonly init: (process: string) => object
  readonly onLine: (process: string, line: WorkerLine) => void
  /** All there is to read of it: every line of its output, and how each process of it ended. */
  readonly onText: (text: string) => void
  readonly onEvent: (event: WorkerEvent) => void
  /** The worker ended although nobody asked it to; the text says how. */
  readonly onCrash: (text: string) => void
}

/** One worker that is started again a second after it ends, as a process manager would do. */
export interface WorkerSlot {
  readonly name: string
  killed(): boolean
  drained(): boolean
  /** Largest number of metric samples it reported, over all its starts; null before the first report. */
  series(): number | null
  /** Starts it and waits until it trades. @throws Error when it ends before */
  start(): Promise<void>
  /** Lets a pending `start` reject. */
  giveUp(reason: unknown): void
  /** SIGKILL, if it runs. */
  kill(): void
  drain(): void
  /** Ends it for good. */
  stop(graceMs: number): Promise<void>
}

interface Run {
  readonly process: string
  readonly child: Child
}

/** Redis away and exchange away: a worker may end for these, and is started again. */
const ENDS_IN_ORDER: ReadonlySet<number | null> = new Set([3, 4])

function exitText(process: string, child: Child, exit: Exit): string {
  const how = exit.signal === null ? `exit ${exit.code}` : exit.signal
  const complaint = child.complaint()
  const words = complaint.slice(complaint.lastIndexOf('\n') + 1)
  return `${process} ended (${how})${words === '' ? '' : `: ${words}`}`
}

/** What a worker has said of itself so far, over all its starts. */
interface Report {
  readonly ready: PromiseWithResolvers<void>
  drained: boolean
  series: number | null
  /** Takes a line of output; undefined when it is not one of ours. */
  read(text: string): WorkerLine | undefined
}

function createReport(): Report {
  const ready = Promise.withResolvers<void>()
  // Only the first start is waited for; a later failure shows as a crash.
  ready.promise.catch(() => {})
  const report: Report = {
    ready,
    drained: false,
    series: null,
    read(text) {
      const line = readWorkerLine(text)
      if (line?.type === 'ready') ready.resolve()
      if (line?.type === 'drained') report.drained = true
      if (line?.type === 'status') report.series = Math.max(report.series ?? 0, line.series)
      return line
    },
  }
  return report
}

/** Takes what a worker writes, and tells those who want to know. */
function createEar(report: Report, options: WorkerSlotOptions): (process: string, text: string) => void {
  return (process, text) => {
    options.onText(`${process} ${text}`)
    const line = report.read(text)
    if (line !== undefined) options.onLine(process, line)
  }
}

/** Sets up one worker without starting it. */
export function createWorkerSlot(options: WorkerSlotOptions): WorkerSlot {
  const { name, pool, clock, entry } = options
  const report = createReport()
  const hear = createEar(report, options)
  const doomed = new Set<Child>()
  let run: Run | undefined
  let starts = 0
  let phase: 'trading' | 'draining' | 'ending' = 'trading'

  const isOver = (): boolean => phase === 'ending' || options.signal.aborted
  const note = (process: string, event: WorkerEvent['event']): void =>
    options.onEvent({ tUs: Math.floor(clock.now() * 1000), worker: name, process, event })

  function onExit({ process, child }: Run, exit: Exit): void {
    const text = exitText(process, child, exit)
    run = undefined
    report.ready.reject(new Error(text))
    options.onText(text)
    if (isOver()) return
    note(process, 'exited')
    if (!doomed.has(child) && !ENDS_IN_ORDER.has(exit.code)) options.onCrash(text)
    clock.setTimeout(spawn, WORKER_AWAY_MS)
  }

  function spawn(): void {
    if (isOver()) return
    starts += 1
    const process = starts === 1 ? name : `${name}.${starts}`
    const child = pool.start(process, entry.file, entry.args, text => hear(process, text))
    const started = { process, child }
    run = started
    note(process, 'started')
    child.send(options.init(process))
    if (phase === 'draining') child.send({ type: 'drain' })
    void child.exited.then(exit => onExit(started, exit))
  }

  return {
    name,
    killed: () => doomed.size > 0,
    drained: () => report.drained,
    series: () => report.series,
    start() {
      spawn()
      return report.ready.promise
    },
    giveUp: reason => report.ready.reject(reason),
    kill() {
      if (run === undefined) return
      doomed.add(run.child)
      run.child.kill()
      note(run.process, 'killed')
    },
    drain() {
      phase = 'draining'
      run?.child.send({ type: 'drain' })
    },
    async stop(graceMs) {
      phase = 'ending'
      run?.child.send({ type: 'stop' })
      await run?.child.stop(graceMs)
    },
  }
}
