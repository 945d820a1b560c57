import type { Clock, LossDetector } from '@safety/redis-core'

import type { Answer, Head, Place } from '../store.ts'
import type { ServerClock } from './server-clock.ts'

/** Acknowledged writes are gone. The window is server time: this process's first contact with the bucket to now. */
export interface LossNotice {
  readonly fromMs: number
  readonly toMs: number
}

/** What was known of a bucket when a command left. */
export interface Before {
  readonly mark: number
  readonly sentAtMs: number
}

export interface BucketWatch {
  before(tag: string): Before
  /** Reads clock and counter off a reply; tells of a loss and, which takes a while, marks the bucket before the reply is used. */
  after<R extends Head<string>>(
    place: Place,
    before: Before,
    reply: R,
    replicas: number | undefined,
  ): Answer<R> | Promise<Answer<R>>
  /** Reads the clock off a reply that has no counter. */
  heard(tag: string, nowMs: number, sentAtMs: number): void
  /** Server time after which a claim sent now must not run, as its caller has left by then; 0 while the server's clock is not known. */
  serverDeadline(tag: string, timeoutMs: number): number
}

interface BucketState {
  readonly firstContactMs: number
  /** Monotonic; when a loss was noticed. */
  lostAtMs: number | undefined
  marking: Promise<boolean> | undefined
  marked: boolean
}

/** Follows, per bucket, the server's clock and the counter of writes. */
export function createBucketWatch(options: {
  readonly clock: Clock
  readonly serverClock: ServerClock
  readonly detector: LossDetector
  readonly onLoss: (place: Place, notice: LossNotice) => void
  /** Marks the bucket for every process. */
  readonly mark: (tag: string) => Promise<Head<string>>
}): BucketWatch {
  const { clock, serverClock, detector, onLoss, mark } = options
  const states = new Map<string, BucketState>()

  function stateOf(tag: string, nowMs: number): BucketState {
    const known = states.get(tag)
    if (known) return known
    const state: BucketState = { firstContactMs: nowMs, lostAtMs: undefined, marking: undefined, marked: false }
    states.set(tag, state)
    return state
  }

  /** @returns whether the mark stands; a failure is made up for at the next write to this bucket */
  async function setMark(tag: string, state: BucketState): Promise<boolean> {
    const before = detector.mark(tag)
    try {
      const { counter } = await mark(tag)
      detector.check(tag, before, counter)
      return true
    } catch {
      return false
    } finally {
      state.marking = undefined
    }
  }

  async function marked(tag: string, state: BucketState): Promise<void> {
    state.marking ??= setMark(tag, state)
    state.marked = await state.marking
  }

  return {
    before: tag => ({ mark: detector.mark(tag), sentAtMs: clock.monotonic() }),
    after(place, { mark: seen, sentAtMs }, reply, replicas) {
      const { tag } = place
      const receivedAtMs = clock.monotonic()
      const jumpedAtMs = serverClock.read(tag, reply.nowMs, sentAtMs, receivedAtMs)
      const state = stateOf(tag, reply.nowMs)
      const lost = reply.counter > 0 && detector.check(tag, seen, reply.counter)
      // Commands that were under way when the loss was noticed show the same one again.
      if (lost && (state.lostAtMs === undefined || sentAtMs > state.lostAtMs)) {
        state.lostAtMs = receivedAtMs
        state.marked = false
        onLoss(place, { fromMs: state.firstContactMs, toMs: reply.nowMs })
      }
      const ownLossAgeMs = state.lostAtMs === undefined ? -1 : Math.round(receivedAtMs - state.lostAtMs)
      const answer = { reply, sentAtMs, receivedAtMs, replicas, jumpedAtMs, ownLossAgeMs }
      if (state.lostAtMs === undefined || state.marked || reply.counter === 0) return answer
      return marked(tag, state).then(() => answer)
    },
    heard: (tag, nowMs, sentAtMs) => void serverClock.read(tag, nowMs, sentAtMs, clock.monotonic()),
    serverDeadline(tag, timeoutMs) {
      const nowMs = serverClock.latest(tag, clock.monotonic())
      return nowMs === undefined ? 0 : nowMs + Math.ceil(timeoutMs)
    },
  }
}
