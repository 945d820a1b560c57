import type { Clock } from '@safety/redis-core'

/** Something that is due at a time, again and again. */
export interface Job {
  /** Runs in its own turn when due. It sets the next time by `schedule`. */
  run(nowMs: number): void
}

/** One timer for many jobs. It never keeps the process alive. */
export interface Scheduler {
  /** The job is due at `dueMs` (monotonic), in place of any earlier time set; Infinity: not at all. */
  schedule(job: Job, dueMs: number): void
  remove(job: Job): void
}

interface Entry {
  readonly job: Job
  readonly dueMs: number
}

export function createScheduler(clock: Clock): Scheduler {
  const due = new Map<Job, number>()
  const queue = createQueue()
  let timer: { cancel(): void } | null = null
  let timerMs = Infinity

  function arm(): void {
    const nextMs = queue.peek()?.dueMs ?? Infinity
    if (nextMs >= timerMs && timer !== null) return
    timer?.cancel()
    timer = null
    timerMs = nextMs
    if (nextMs === Infinity) return
    timer = clock.setTimeout(fire, Math.max(0, nextMs - clock.monotonic()), { ref: false })
  }

  function fire(): void {
    timer = null
    timerMs = Infinity
    const nowMs = clock.monotonic()
    for (let entry = queue.peek(); entry !== undefined && entry.dueMs <= nowMs; entry = queue.peek()) {
      queue.pop()
      // Another time was set meanwhile: that entry is in the queue too.
      if (due.get(entry.job) !== entry.dueMs) continue
      due.delete(entry.job)
      entry.job.run(nowMs)
    }
    arm()
  }

  return {
    schedule(job, dueMs) {
      if (due.get(job) === dueMs) return
      if (dueMs === Infinity) {
        due.delete(job)
        return
      }
      due.set(job, dueMs)
      queue.push({ job, dueMs })
      arm()
    },
    remove(job) {
      due.delete(job)
      if (due.size > 0) return
      queue.clear()
      timer?.cancel()
      timer = null
      timerMs = Infinity
    },
  }
}

/** A binary heap by due time. */
function createQueue() {
  const heap: Entry[] = []
  const at = (index: number): Entry => heap[index] as Entry
  const swap = (a: number, b: number): void => {
    const entry = at(a)
    heap[a] = at(b)
    heap[b] = entry
  }
  return {
    peek: (): Entry | undefined => heap[0],
    clear(): void {
      heap.length = 0
    },
    push(entry: Entry): void {
      heap.push(entry)
      for (let index = heap.length - 1; index > 0;) {
        const parent = (index - 1) >> 1
        if (at(parent).dueMs <= at(index).dueMs) return
        swap(parent, index)
        index = parent
      }
    },
    pop(): void {
      const last = heap.pop()
      if (last === undefined || heap.length === 0) return
      heap[0] = last
      for (let index = 0; ;) {
        const left = 2 * index + 1
        const right = left + 1
        let least = index
        if (left < heap.length && at(left).dueMs < at(least).dueMs) least = left
        if (right < heap.length && at(right).dueMs < at(least).dueMs) least = right
        if (least === index) return
        swap(index, least)
        index = least
      }
    },
  }
}
