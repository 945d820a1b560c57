import type { FaultAction } from '../faults/fault-schema.ts'
import type { Timeline } from '../engine/timeline.ts'

/** A swapped event is not kept longer than this when no other one follows. */
const REORDER_LIMIT_MS = 1000

/** Lets events leave in order, except where a fault says otherwise. */
export interface Outbox<T> {
  /** Takes an event; it leaves once the engine has finished what it is doing. */
  push(item: T): void
}

/**
 * Creates an outbox. `lane` names the order an item belongs to, `decide` gives the fault it meets, `deliver` sends it, and
 * `act` does to the sockets what a stream fault wants; it answers whether the event still goes out.
 */
export function createOutbox<T>(options: {
  timeline: Timeline
  lane(item: T): string
  decide(item: T): FaultAction | undefined
  deliver(item: T): void
  act(item: T, action: FaultAction): boolean
}): Outbox<T> {
  const { timeline } = options
  const queue: T[] = []
  const held = new Map<string, T>()

  const release = (lane: string): void => {
    const item = held.get(lane)
    if (item === undefined) return
    held.delete(lane)
    options.deliver(item)
  }

  /** Behind the next event of its lane, or alone when none follows. */
  const swap = (lane: string, item: T): void => {
    held.set(lane, item)
    timeline.schedule(() => {
      if (held.get(lane) === item) release(lane)
    }, REORDER_LIMIT_MS)
  }

  const leave = (item: T): void => {
    const lane = options.lane(item)
    const action = options.decide(item)
    if (action?.type === 'lag') {
      timeline.schedule(() => options.deliver(item), action.ms)
      return
    }
    if (action?.type === 'reorder' && !held.has(lane)) return swap(lane, item)
    const isOfEvents = action === undefined || action.type === 'reorder' || action.type === 'repeat'
    if (isOfEvents || options.act(item, action)) options.deliver(item)
    if (action?.type === 'repeat') options.deliver(item)
    release(lane)
  }

  const flush = (): void => {
    for (const item of queue.splice(0)) leave(item)
  }

  return {
    push: item => {
      queue.push(item)
      if (queue.length === 1) timeline.schedule(flush, 0)
    },
  }
}
