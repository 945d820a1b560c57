import type { Clock, ClockTimer } from './clock.ts'

/** Something that ends at a time unless it is dropped before. It is itself a link of its queue, once it was set. */
export interface Deadline {
  readonly dueMs: number
  /** Called with the deadline itself when it comes. */
  expire(deadline: Deadline): void
  queue: Queue | undefined
  previous: Deadline | undefined
  next: Deadline | undefined
}

/** All deadlines of one length on one clock, in the order they come due: one timer serves them all. */
export interface Queue {
  readonly clock: Clock
  first: Deadline | undefined
  last: Deadline | undefined
  /** Kept armed, without keeping the process alive, while the queue is empty: the next deadline mostly comes at once. */
  timer: ClockTimer | undefined
}

/** Timers of Node fire up to a millisecond before the monotonic clock agrees. */
const TIMER_EARLY_MS = 1
/** Callers that compute their deadlines would otherwise leave one empty queue per length. */
const MAX_QUEUES_KEPT = 64

const queuesOf = new WeakMap<Clock, Map<number, Queue>>()

/**
 * Sets a deadline that is `delayMs` away: it expires at its `dueMs` of the clock's monotonic time, by its own timer alone.
 * A call costs a link in a list instead of a timer: calls come by the ten thousand a second and nearly all of them end
 * before.
 */
export function setDeadline(deadline: Deadline, clock: Clock, delayMs: number): void {
  const queue = queueFor(clock, delayMs)
  deadline.queue = queue
  deadline.previous = queue.last
  if (queue.last === undefined) {
    queue.first = deadline
    queue.timer?.ref?.(true)
  } else queue.last.next = deadline
  queue.last = deadline
  queue.timer ??= clock.setTimeout(() => expireDue(queue), delayMs)
}

/** Runs once after `delayMs`, by the timer that serves all deadlines of this length. For delays that are always the same. */
export function afterDelay(clock: Clock, delayMs: number, run: () => void): { cancel(): void } {
  const deadline: Deadline = {
    dueMs: clock.monotonic() + delayMs,
    expire: run,
    queue: undefined,
    previous: undefined,
    next: undefined,
  }
  setDeadline(deadline, clock, delayMs)
  return { cancel: () => dropDeadline(deadline) }
}

/** Takes a deadline back; harmless if it has come or was never set. */
export function dropDeadline(deadline: Deadline): void {
  const { queue, previous, next } = deadline
  if (queue === undefined) return
  if (previous === undefined) queue.first = next
  else previous.next = next
  if (next === undefined) queue.last = previous
  else next.previous = previous
  deadline.queue = undefined
  deadline.previous = undefined
  deadline.next = undefined
  if (queue.first !== undefined) return
  if (queue.timer?.ref !== undefined) return queue.timer.ref(false)
  queue.timer?.cancel()
  queue.timer = undefined
}

function expireDue(queue: Queue): void {
  const nowMs = queue.clock.monotonic()
  let first = queue.first
  while (first !== undefined && first.dueMs <= nowMs + TIMER_EARLY_MS) {
    dropDeadline(first)
    first.expire(first)
    first = queue.first
  }
  // `expire` may have added the first of a new row, and armed for it.
  queue.timer?.cancel()
  queue.timer = first === undefined ? undefined : queue.clock.setTimeout(() => expireDue(queue), first.dueMs - nowMs)
}

function queueFor(clock: Clock, delayMs: number): Queue {
  let queues = queuesOf.get(clock)
  if (queues === undefined) queuesOf.set(clock, (queues = new Map()))
  const known = queues.get(delayMs)
  if (known !== undefined) return known
  if (queues.size >= MAX_QUEUES_KEPT) forgetEmpty(queues)
  const queue: Queue = { clock, first: undefined, last: undefined, timer: undefined }
  queues.set(delayMs, queue)
  return queue
}

function forgetEmpty(queues: Map<number, Queue>): void {
  for (const [delayMs, queue] of queues) if (queue.first === undefined) queues.delete(delayMs)
}
