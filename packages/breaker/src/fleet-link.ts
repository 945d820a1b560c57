/** A probe's lease in Redis. */
export interface FleetSlot {
  readonly token: string
  readonly epoch: number
  readonly endsMs: number
}

/** What the rest of a breaker asks of its connection to the fleet. Nothing here rejects because Redis is away. */
export interface FleetLink {
  readonly status: 'unknown' | 'up' | 'away'
  /** No heartbeats run: nothing was called for a while. */
  readonly asleep: boolean
  /** A call came while asleep. */
  wake(nowMs: number): void
  /** A failure or a slow call was counted. */
  counted(nowMs: number): void
  /** The own part moved, or an order ended: report at once. */
  report(nowMs: number): void
  /** ms until this process may ask for a probe again; 0 is now, null while it is asking. */
  askInMs(nowMs: number): number | null
  /** Asks for a slot, 250 ms at most: the slot, or null, with whatever the reply told adopted. */
  ask(): Promise<FleetSlot | null>
  /** Tells the verdict of a probe, in the background. */
  settle(slot: FleetSlot, verdict: 'ok' | 'failed' | 'void', durationMs: number): void
}
