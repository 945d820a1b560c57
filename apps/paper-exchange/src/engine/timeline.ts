import { createTaskQueue, type QueuedTask, type TaskQueue } from './task-queue.ts'
import { createTimeSource, type TimeSource } from './time-source.ts'

/** A task waiting on a {@link Timeline}. */
export interface TimelineTask {
  /** Steady time at which it runs, ms. */
  readonly dueMs: number
  cancel(): void
}

/**
 * Server time and everything that waits on it.
 *
 * Tasks run in order of due time, then of scheduling, and only inside {@link Timeline.runDue} or {@link Timeline.advance}; a task that
 * schedules another one due in the same stretch gets it run in the same call. The timeline owns no real timer: whoever drives a real
 * clock sleeps `nextDelayMs()` and calls `runDue()`.
 */
export interface Timeline {
  /** Server time, whole ms since the epoch: what signs, limits, bans and stamps. Moves with the skew. */
  nowMs(): number
  /** Whole ms of server time since the start; never goes back, unmoved by the skew. Tasks, read lag and fault windows count on it. */
  steadyMs(): number
  /** Runs `run` once `delayMs` of server time have passed. A negative delay is overdue already and runs before what is due now. */
  schedule(run: () => void, delayMs: number): TimelineTask
  /** Ms until the next task, 0 if one is overdue, `undefined` if none waits. */
  nextDelayMs(): number | undefined
  /** Runs every task that is due. Does nothing when called from inside a task. */
  runDue(): void
  /**
   * Moves a manual clock forward by `ms`, stopping at each due time on the way.
   * @throws RangeError on a real clock, for a negative or broken `ms`, or from inside a task
   */
  advance(ms: number): void
  /** Server time becomes real (or manual) time plus `skewMs`. Tasks keep the delay they had left. */
  setSkew(skewMs: number): void
  readonly skewMs: number
  /** Follow a real clock from here on; server time becomes its time plus the skew. */
  follow(readMs: () => number): void
  /** Stand still at the present server time until advanced. */
  hold(): void
  readonly mode: 'real' | 'manual'
  /** Number of waiting tasks. */
  readonly pending: number
  /** Called after each change that may have moved `nextDelayMs()`, so that a driver can set its real timer again. */
  onChange(listener: () => void): () => void
}

/**
 * Creates a timeline that stands still at `startMs` or follows `readMs` (ms since the epoch).
 *
 * @param options.startMs server time at which a manual clock starts
 * @param options.readMs needed in real mode
 */
export function createTimeline(
  options:
    | { mode: 'manual'; startMs: number }
    | { mode: 'real'; readMs: () => number }
    | { mode: 'real' | 'manual'; startMs: number; readMs: () => number },
): Timeline {
  const source = createTimeSource('startMs' in options ? options.startMs : 0)
  if (options.mode === 'real') source.follow(options.readMs)
  const { changed, onChange, within, isRunning } = createGate()
  const queue = createTaskQueue()
  let skewMs = 0

  const schedule = (run: () => void, delayMs: number): TimelineTask => {
    const task = queue.add(run, source.steadyMs() + Math.ceil(delayMs))
    if (queue.head() === task) changed()
    const cancel = (): void => {
      const wasHead = queue.head() === task
      queue.take(task)
      if (wasHead) changed()
    }
    return { dueMs: task.dueMs, cancel }
  }

  return {
    nowMs: () => source.serverMs() + skewMs,
    steadyMs: () => source.steadyMs(),
    schedule,
    nextDelayMs: () => {
      const task = queue.head()
      return task && Math.max(0, task.dueMs - source.steadyMs())
    },
    ...createRunner(queue, source, { within, isRunning }),
    setSkew: ms => {
      skewMs = Math.trunc(ms)
      changed()
    },
    follow: readMs => {
      source.follow(readMs)
      changed()
    },
    hold: () => {
      source.hold()
      changed()
    },
    onChange,
    get skewMs() {
      return skewMs
    },
    get mode() {
      return source.mode
    },
    get pending() {
      return queue.size()
    },
  }
}

function createRunner(
  queue: TaskQueue,
  source: TimeSource,
  gate: Pick<Gate, 'within' | 'isRunning'>,
): Pick<Timeline, 'runDue' | 'advance'> {
  const run = (task: QueuedTask): void => {
    queue.take(task)
    task.run()
  }
  return {
    runDue: () => {
      const first = queue.head()
      if (gate.isRunning() || first === undefined || first.dueMs > source.steadyMs()) return
      gate.within(() => {
        for (let task = queue.head(); task !== undefined && task.dueMs <= source.steadyMs(); task = queue.head()) {
          run(task)
        }
      })
    },
    advance: ms => {
      if (source.mode !== 'manual') throw new RangeError('only a manual clock can be advanced')
      if (!Number.isSafeInteger(ms) || ms < 0) throw new RangeError('advance takes whole milliseconds, 0 or more')
      if (gate.isRunning()) throw new RangeError('the clock cannot be advanced from inside a task')
      const endMs = source.steadyMs() + ms
      gate.within(() => {
        for (let task = queue.head(); task !== undefined && task.dueMs <= endMs; task = queue.head()) {
          source.moveTo(task.dueMs)
          run(task)
        }
        source.moveTo(endMs)
      })
    },
  }
}

/** Tells listeners of changes, but only once per stretch of running tasks. */
interface Gate {
  changed(this: void): void
  onChange(this: void, listener: () => void): () => void
  within(this: void, work: () => void): void
  isRunning(this: void): boolean
}

function createGate(): Gate {
  const listeners = new Set<() => void>()
  let running = false
  const changed = (): void => {
    if (running) return
    for (const listener of listeners) listener()
  }
  return {
    changed,
    onChange: listener => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    within: work => {
      running = true
      try {
        work()
      } finally {
        running = false
        changed()
      }
    },
    isRunning: () => running,
  }
}
