import type { Clock } from '@safety/redis-core'
import type { ChildPool } from './child-process.ts'
import type { SideName } from './result.ts'
import type { PlannedKill } from './storm.ts'
import type { WorkerLine } from './worker-lines.ts'
import { createWorkerSlot, type WorkerEvent, type WorkerSlot, type WorkerSlotOptions } from './worker-slot.ts'

/** A line with the worker and the process it came from. */
export interface LoggedLine {
  readonly process: string
  readonly worker: string
  readonly line: WorkerLine
}

export interface SideOptions {
  readonly name: SideName
  readonly pool: ChildPool
  readonly clock: Clock
  /** Ends the run early: a pending start rejects, and no worker is started again. */
  readonly signal: AbortSignal
  readonly entry: WorkerSlotOptions['entry']
  readonly workers: readonly Pick<WorkerSlotOptions, 'name' | 'init'>[]
}

/** The worker processes of one side. */
export interface Side {
  readonly name: SideName
  readonly log: readonly LoggedLine[]
  /** All that the workers wrote, each line after the name of its process. */
  readonly texts: readonly string[]
  readonly events: readonly WorkerEvent[]
  /** Workers that ended although nobody asked them to. */
  readonly crashes: readonly string[]
  kills(): number
  /** Sum of the largest reports of all workers, or null when one never reported. */
  series(): number | null
  /** Starts all workers and waits until each trades. @throws Error when one ends or stays silent */
  start(): Promise<void>
  /** From now on, a worker that sends one of the targets dies, if it has not died before. */
  arm(kill: PlannedKill): void
  /** Accepts any request of any worker for the armed kill. */
  loosen(): void
  /** Stops killing, asks all to finish what is open, and waits for them at most `timeoutMs`. */
  drain(timeoutMs: number): Promise<void>
  stop(): Promise<void>
}

/** A target's answer never comes before its sender gives up, so by now the request is out and nothing has come back. */
const REQUEST_OUT_MS = 100
const READY_TIMEOUT_MS = 60_000
const STOP_GRACE_MS = 16_000

/** Resolves when all are ready; rejects after `READY_TIMEOUT_MS` or with the reason of `signal`. */
async function startAll(slots: readonly WorkerSlot[], name: string, clock: Clock, signal: AbortSignal): Promise<void> {
  const giveUp = (reason: unknown): void => slots.forEach(slot => slot.giveUp(reason))
  const timer = clock.setTimeout(
    () => giveUp(new Error(`the ${name} workers were not ready after ${READY_TIMEOUT_MS / 1000} s`)),
    READY_TIMEOUT_MS,
  )
  const onAbort = (): void => giveUp(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await Promise.all(slots.map(slot => slot.start()))
  } finally {
    timer.cancel()
    signal.removeEventListener('abort', onAbort)
  }
}

async function drainAll(
  slots: readonly WorkerSlot[],
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const untilMs = clock.monotonic() + timeoutMs
  for (const slot of slots) slot.drain()
  while (clock.monotonic() < untilMs && slots.some(slot => !slot.drained())) await clock.sleep(50, { signal })
}

/** Sets up the processes of one side without starting them. */
export function createSide(options: SideOptions): Side {
  const { name, pool, clock, entry, signal } = options
  const log: LoggedLine[] = []
  const texts: string[] = []
  const events: WorkerEvent[] = []
  const crashes: string[] = []
  let armed: { targets: ReadonlySet<string>; loose: boolean } | undefined

  function killIfPlanned(slot: WorkerSlot, line: WorkerLine): void {
    if (armed === undefined || line.type !== 'request') return
    const meant = armed.targets.has(line.key) && line.attempt === 1 && !slot.killed()
    if (!meant && !armed.loose) return
    armed = undefined
    if (meant) clock.setTimeout(() => slot.kill(), REQUEST_OUT_MS)
    else slot.kill()
  }

  const slots: WorkerSlot[] = options.workers.map(worker => {
    const slot: WorkerSlot = createWorkerSlot({
      ...worker,
      pool,
      clock,
      entry,
      signal,
      onText: text => texts.push(text),
      onLine(process, line) {
        log.push({ process, worker: worker.name, line })
        killIfPlanned(slot, line)
      },
      onEvent: event => events.push(event),
      onCrash: text => crashes.push(text),
    })
    return slot
  })

  return {
    name,
    log,
    texts,
    events,
    crashes,
    kills: () => events.filter(({ event }) => event === 'killed').length,
    series() {
      const reports = slots.map(slot => slot.series())
      return reports.reduce((sum, report) => (sum === null || report === null ? null : sum + report), 0)
    },
    start: () => startAll(slots, name, clock, signal),
    arm(kill) {
      armed = { targets: new Set(kill.targets), loose: false }
    },
    loosen() {
      if (armed !== undefined) armed.loose = true
    },
    drain(timeoutMs) {
      armed = undefined
      return drainAll(slots, clock, timeoutMs, signal)
    },
    async stop() {
      await Promise.all(slots.map(slot => slot.stop(STOP_GRACE_MS)))
    },
  }
}
