import type { SharedState } from './fleet-view.ts'
import type { BreakerRecord } from './history.ts'
import type { ProbeVerdict } from './own-part.ts'
import type { WindowCounts } from './snapshot.ts'
import type { OverrideOrder } from './who.ts'
import type { CountRow } from './window.ts'

/** What a script did about the request. Each code belongs to one or more of the five. */
export type ReplyCode =
  /** The state is not the one the caller assumed: take this one. */
  | 'adopt'
  /** Redis has no state, or an older one: flush, which re-seeds, and ask again. */
  | 'lost'
  /** flush: evidence pooled. result: verdict counted. */
  | 'counted'
  /** flush: a rule is met, but too few processes see failures, or the fleet is too young. */
  | 'no-quorum'
  /** flush: a rule is met; fresh reports are being asked for first. */
  | 'confirm'
  /** flush: evidence is being pooled with other window sizes. */
  | 'other-config'
  /** probe: a slot. */
  | 'granted'
  /** probe: not before `untilMs`. */
  | 'later'
  /** result: changes nothing any more. */
  | 'late'
  /** force, release. */
  | 'done'
  /** force: a reset under an order. */
  | 'held'
  /** force: a 17th holder. */
  | 'full'

/** What the last move of the shared part was, as its script wrote it down. */
export interface SharedMove {
  readonly kind: BreakerRecord['kind']
  readonly from: string
  readonly why: string
  readonly by: string
  readonly reason: string
  readonly windows: { readonly long: WindowCounts; readonly fast: WindowCounts | null } | null
  readonly members: { readonly alive: number; readonly active: number; readonly failing: number } | null
}

/** The shared part at one moment. Times are Redis server ms. */
export interface SharedPart {
  readonly state: SharedState
  readonly epoch: number
  /** open: due. closed: the ramp's end. forced-open, disabled: the last order's end. later: when to ask again. */
  readonly untilMs: number
  readonly opens: number
  readonly nowMs: number
  /** All in force. */
  readonly orders: readonly OverrideOrder[]
}

export interface StoreReply extends SharedPart {
  readonly code: ReplyCode
  /** This very run made the move. */
  readonly moved: boolean
  /** This very run brought the state back after a loss. */
  readonly reseeded: boolean
  /** flush: alive, active, failing processes. result: probes passed, failed. */
  readonly counts: readonly [number, number, number]
  /** Orders that ended by this very run. */
  readonly ended: number
  readonly move: SharedMove | null
}

export interface StoreMessage extends SharedPart {
  readonly kind: BreakerRecord['kind'] | 'report' | 'free'
  /** Whose script sent it. */
  readonly instance: string
  readonly move: SharedMove
}

export interface FlushRequest {
  readonly batch: number
  readonly epoch: number
  readonly state: SharedState
  readonly leftMs: number
  readonly opens: number
  readonly orders: readonly OverrideOrder[]
  readonly proved: boolean
  readonly hint: boolean
  readonly active: boolean
  readonly failing: boolean
  readonly opened: boolean
  readonly long: CountRow
  readonly fast: readonly CountRow[]
}

export interface ResultRequest {
  readonly token: string
  readonly epoch: number
  readonly verdict: ProbeVerdict
}

export interface ForceRequest {
  readonly id: string
  readonly target: OverrideOrder['target'] | 'closed'
  readonly by: string
  readonly reason: string
  readonly forMs: number
}

export interface ReleaseRequest {
  readonly id: string
  readonly holder: string
  readonly by: string
  readonly reason: string
}

export interface StoreListener {
  message(message: StoreMessage): void
  /** Commands can be sent, or messages arrive, again. */
  connected(): void
}

/**
 * The shared part. Each call is one script, ends within its deadline, may be repeated with the same arguments, and
 * rejects with an error that carries `outcome`: whether it ran.
 */
export interface BreakerStore {
  flush(request: FlushRequest, deadlineMs: number): Promise<StoreReply>
  probe(token: string, epoch: number, deadlineMs: number): Promise<StoreReply>
  result(request: ResultRequest, deadlineMs: number): Promise<StoreReply>
  force(request: ForceRequest, deadlineMs: number): Promise<StoreReply>
  release(request: ReleaseRequest, deadlineMs: number): Promise<StoreReply>
  history(limit: number, deadlineMs: number): Promise<BreakerRecord[]>
  /** Listens for messages and connections until the result is called. */
  join(listener: StoreListener): () => void
}
