import type { Clock } from '@safety/redis-core'

/** Reads the exchange's clock once, epoch milliseconds; `undefined` when it did not answer. */
export type ReadServerTime = () => Promise<number | undefined>

/** The exchange's clock as seen from here. Its error is at most half a round trip, and the bounds say which half. */
export interface ClockSync {
  /** Takes the tightest of three readings. Answers whether the exchange said its time at least once. */
  sync(): Promise<boolean>
  /** Best estimate, whole milliseconds: what a request is signed with. */
  now(): number
  /** The exchange's clock shows at least this. Proofs of "it is over" use it. */
  atLeast(): number
  /** The exchange's clock shows at most this. */
  atMost(): number
  readonly synced: boolean
}

const readings = 3

/** Follows the exchange's clock by this machine's monotonic one, which no clock change here can move. */
export function createClockSync(readServerTime: ReadServerTime, clock: Clock): ClockSync {
  let bounds: { low: number; high: number } | undefined

  async function reading(): Promise<{ low: number; high: number } | undefined> {
    const sentMs = clock.monotonic()
    const serverMs = await readServerTime()
    if (serverMs === undefined) return undefined
    // It was read somewhere between sending and receiving, and its milliseconds are cut, not rounded.
    return { low: serverMs - clock.monotonic(), high: serverMs + 1 - sentMs }
  }

  function known(): { low: number; high: number } {
    if (bounds === undefined) throw new Error('the clock of the exchange was not read yet')
    return bounds
  }

  return {
    async sync() {
      let best: { low: number; high: number } | undefined
      for (let count = 0; count < readings; count += 1) {
        const next = await reading()
        if (next && (best === undefined || next.high - next.low < best.high - best.low)) best = next
      }
      if (best !== undefined) bounds = best
      return best !== undefined
    },
    now: () => Math.round(clock.monotonic() + (known().low + known().high) / 2),
    atLeast: () => Math.floor(clock.monotonic() + known().low),
    atMost: () => Math.ceil(clock.monotonic() + known().high),
    get synced() {
      return bounds !== undefined
    },
  }
}
