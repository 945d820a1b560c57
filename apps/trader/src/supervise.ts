import type { Clock } from '@safety/redis-core'
import type { Child, ChildPool, Exit } from './demo/child-process.ts'

export interface SupervisorOptions {
  readonly pool: ChildPool
  readonly clock: Clock
  readonly file: string
  readonly names: readonly string[]
  /** The first line of input of a worker; `traded` says that it has traded before and is started again. */
  readonly initOf: (name: string, traded: boolean) => object
  /** The other workers start only when the first one trades. */
  readonly firstAlone: boolean
  /** Every line a worker writes. */
  readonly onLine: (name: string, line: string) => void
  readonly onRestart: (name: string, why: string) => void
}

/** Why the workers are no longer running. */
export interface WorkersEnd {
  readonly exitCode: number
  readonly complaint: string
}

/** Keeps worker processes running: one that dies is started again, one that cannot start ends them all. */
export interface Supervisor {
  start(): void
  /** Resolves when a worker could not start at all. */
  readonly failed: Promise<WorkersEnd>
  /** Stops all in order; SIGKILL after `graceMs`. */
  stop(graceMs: number): Promise<void>
}

interface Slot {
  readonly name: string
  child: Child | undefined
  /** It traded at least once, so its end is an accident and not a wrong setting. */
  traded: boolean
  restarts: number
}

const restartPauseMs = 1000
const maxRestartPauseMs = 30_000

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { pool, clock } = options
  const slots: Slot[] = options.names.map(name => ({ name, child: undefined, traded: false, restarts: 0 }))
  const { promise: failed, resolve: fail } = Promise.withResolvers<WorkersEnd>()
  let stopping = false

  function onLine(slot: Slot, line: string): void {
    if (line.includes('"type":"ready"')) {
      slot.traded = true
      slot.restarts = 0
      spawnOthers()
    }
    options.onLine(slot.name, line)
  }

  function onExit(slot: Slot, child: Child, exit: Exit): void {
    slot.child = undefined
    if (stopping) return
    const complaint = child.complaint()
    if (!slot.traded && exit.code !== null) {
      fail({ exitCode: exit.code === 0 ? 1 : exit.code, complaint })
      return
    }
    options.onRestart(slot.name, exit.signal ?? complaint)
    const pauseMs = Math.min(maxRestartPauseMs, restartPauseMs * 2 ** slot.restarts)
    slot.restarts += 1
    clock.setTimeout(() => {
      if (!stopping) spawn(slot)
    }, pauseMs)
  }

  function spawn(slot: Slot): void {
    const child = pool.start(slot.name, options.file, ['worker'], line => onLine(slot, line))
    slot.child = child
    child.send(options.initOf(slot.name, slot.traded))
    void child.exited.then(exit => onExit(slot, child, exit))
  }

  let others = slots.slice(1)
  function spawnOthers(): void {
    const waiting = others
    others = []
    if (!stopping) for (const slot of waiting) spawn(slot)
  }

  return {
    start() {
      const [first] = slots
      if (first !== undefined) spawn(first)
      if (!options.firstAlone) spawnOthers()
    },
    failed,
    async stop(graceMs) {
      stopping = true
      await Promise.all(slots.map(async slot => slot.child?.stop(graceMs)))
    },
  }
}
