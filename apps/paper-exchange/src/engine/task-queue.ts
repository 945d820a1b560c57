/** A task in the queue; `order` breaks ties of `dueMs`. */
export interface QueuedTask {
  readonly dueMs: number
  readonly order: number
  readonly run: () => void
}

/** Tasks by due time, then by order of entry: a binary heap, in which cancelled tasks stay until they reach the top. */
export interface TaskQueue {
  add(run: () => void, dueMs: number): QueuedTask
  /** The next task; it stays. */
  head(): QueuedTask | undefined
  /** Takes a task out, wherever it stands; a task taken twice is taken once. */
  take(task: QueuedTask): void
  size(): number
}

export function createTaskQueue(): TaskQueue {
  const heap: QueuedTask[] = []
  const waiting = new Set<QueuedTask>()
  let order = 0

  const precedes = (left: number, right: number): boolean => {
    const [one, other] = [heap[left] as QueuedTask, heap[right] as QueuedTask]
    return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.order < other.order)
  }

  const swap = (left: number, right: number): void => {
    const moved = heap[left] as QueuedTask
    heap[left] = heap[right] as QueuedTask
    heap[right] = moved
  }

  const rise = (): void => {
    let index = heap.length - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!precedes(index, parent)) return
      swap(index, parent)
      index = parent
    }
  }

  const sink = (): void => {
    let index = 0
    for (;;) {
      const left = 2 * index + 1
      if (left >= heap.length) return
      const child = left + 1 < heap.length && precedes(left + 1, left) ? left + 1 : left
      if (!precedes(child, index)) return
      swap(index, child)
      index = child
    }
  }

  const dropTop = (): void => {
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    heap[0] = last
    sink()
  }

  return {
    add: (run, dueMs) => {
      const task = { dueMs, order: order++, run }
      heap.push(task)
      waiting.add(task)
      rise()
      return task
    },
    head: () => {
      while (heap[0] !== undefined && !waiting.has(heap[0])) dropTop()
      return heap[0]
    },
    take: task => {
      waiting.delete(task)
    },
    size: () => waiting.size,
  }
}
