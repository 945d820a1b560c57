/** How a message travels when not at once. */
export type Pace = { kind: 'delay'; ms: number } | { kind: 'hold' } | { kind: 'slice'; bytes: number; everyMs: number }

/** One direction of one connection: keeps the order, whatever is delayed, held or sliced. */
export interface Lane {
  push(bytes: Buffer, pace?: Pace): void
  /** Runs once everything pushed so far has gone out. */
  after(run: () => void): void
  /** As `after`, and nothing pushed from now on goes out. */
  seal(run: () => void): void
  /** Drops what waits and everything pushed from now on. */
  mute(): void
  readonly muted: boolean
  /** Lets everything held go on. */
  release(): void
}

interface Parcel {
  bytes: Buffer
  pace: Pace | undefined
  readonly sinceMs: number
}

type Item = Parcel | (() => void)

/** What may leave now, and how long the rest has to wait. */
interface Progress {
  bytes: Buffer
  rest: Buffer | undefined
  waitMs: number
}

const NOTHING = Buffer.alloc(0)

function progress({ bytes, pace, sinceMs }: Parcel): Progress {
  if (pace?.kind === 'hold') return { bytes: NOTHING, rest: bytes, waitMs: Infinity }
  if (pace?.kind === 'delay') {
    const waitMs = sinceMs + pace.ms - performance.now()
    if (waitMs > 0) return { bytes: NOTHING, rest: bytes, waitMs }
  }
  if (pace?.kind === 'slice' && bytes.length > pace.bytes) {
    return { bytes: bytes.subarray(0, pace.bytes), rest: bytes.subarray(pace.bytes), waitMs: pace.everyMs }
  }
  return { bytes, rest: undefined, waitMs: 0 }
}

/** The items in order, and the wait for the first one's turn. */
function createQueue(write: (bytes: Buffer) => void) {
  let items: Item[] = []
  let timer: NodeJS.Timeout | 'held' | undefined

  /** Moves the first item on; false when it has to wait. */
  const step = (item: Item): boolean => {
    if (typeof item === 'function') {
      items.shift()
      item()
      return true
    }
    const { bytes, rest, waitMs } = progress(item)
    if (rest === undefined) items.shift()
    else item.bytes = rest
    if (bytes.length > 0) write(bytes)
    if (rest === undefined) return true
    timer = waitMs === Infinity ? 'held' : setTimeout(resume, waitMs)
    return false
  }
  const pump = (): void => {
    for (;;) {
      const item = items[0]
      if (item === undefined || timer !== undefined || !step(item)) return
    }
  }
  const resume = (): void => {
    timer = undefined
    pump()
  }

  return {
    isEmpty: (): boolean => items.length === 0,
    add(item: Item): void {
      items.push(item)
      pump()
    },
    clear(): void {
      items = []
      if (timer !== 'held') clearTimeout(timer)
      timer = undefined
    },
    release(): void {
      for (const item of items) {
        if (typeof item !== 'function' && item.pace?.kind === 'hold') item.pace = undefined
      }
      if (timer === 'held') resume()
    },
  }
}

/** @param write takes bytes that are due; it is never called once the lane is muted */
export function createLane(write: (bytes: Buffer) => void): Lane {
  const queue = createQueue(write)
  let state: 'open' | 'sealed' | 'muted' = 'open'
  return {
    push(bytes, pace) {
      if (state !== 'open') return
      if (pace === undefined && queue.isEmpty()) write(bytes)
      else queue.add({ bytes, pace, sinceMs: performance.now() })
    },
    after(run) {
      if (state !== 'muted') queue.add(run)
    },
    seal(run) {
      if (state !== 'open') return
      state = 'sealed'
      queue.add(run)
    },
    mute() {
      state = 'muted'
      queue.clear()
    },
    get muted() {
      return state === 'muted'
    },
    release: () => queue.release(),
  }
}
