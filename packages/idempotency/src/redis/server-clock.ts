/** What is known of one server's clock: its distance from our monotonic one, and half the round trip it was read in. */
interface Reading {
  offsetMs: number
  errorMs: number
  jumpedAtMs: number | undefined
}

export interface ServerClock {
  /**
   * Takes a reading off a reply: the server looked at its clock somewhere between sending and receiving.
   *
   * @returns when the clock was last seen ahead of where it should have been, monotonic; undefined if it never was
   */
  read(tag: string, nowMs: number, sentAtMs: number, receivedAtMs: number): number | undefined
  /** Latest server time it can be at `monotonicMs`; undefined while the clock is not known. */
  latest(tag: string, monotonicMs: number): number | undefined
}

/** Added to every estimate, for what the round trip does not show. */
const SLACK_MS = 100
/** More than clocks drift, or are slewed, between two commands. */
const JUMP_MS = 1000

/** Follows the clock of a server, or (`perBucket`, in Cluster) of whichever server a bucket lives on. */
export function createServerClock(perBucket: boolean): ServerClock {
  const readings = new Map<string, Reading>()
  const nameOf = (tag: string): string => (perBucket ? tag : '')
  return {
    read(tag, nowMs, sentAtMs, receivedAtMs) {
      const offsetMs = nowMs - (sentAtMs + receivedAtMs) / 2
      const errorMs = (receivedAtMs - sentAtMs) / 2
      const known = readings.get(nameOf(tag))
      if (known === undefined) {
        readings.set(nameOf(tag), { offsetMs, errorMs, jumpedAtMs: undefined })
        return undefined
      }
      if (offsetMs - known.offsetMs > JUMP_MS + errorMs + known.errorMs) known.jumpedAtMs = receivedAtMs
      known.offsetMs = offsetMs
      known.errorMs = errorMs
      return known.jumpedAtMs
    },
    latest(tag, monotonicMs) {
      const known = readings.get(nameOf(tag))
      return known && Math.ceil(monotonicMs + known.offsetMs + known.errorMs + SLACK_MS)
    },
  }
}
