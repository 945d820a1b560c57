import { createChannel } from '@safety/redis-core'
import type { Channel } from '@safety/redis-core'

import type { DoubtReason } from './errors.ts'
import type { ResultSource } from './record.ts'

/** On every event. `atMs` is this process's wall clock, epoch milliseconds; `token` names the attempt. */
export interface EventBase {
  readonly effect: string
  readonly effectId: string
  readonly fence: number
  readonly attempt: number
  readonly token: string
  readonly atMs: number
  /** Observe mode: enforcement would have stopped this call. */
  readonly observed?: true
}

export type Verdict = 'ran' | 'failed' | 'not-run'

/** What happened, as past facts. Metrics, alerts and histories are built from these. */
export type IdempotencyEvent = EventBase &
  (
    | { readonly type: 'started'; readonly deadlineMs: number }
    | {
        readonly type: 'finished'
        /** How the effect ended. */
        readonly outcome: 'ran' | 'failed' | 'not-run' | 'unknown'
        readonly durationMs: number
        /** The store holds this outcome. */
        readonly recorded: boolean
        /** Another attempt or verdict had taken the record over. */
        readonly superseded: boolean
        /** The store took this outcome as the record's. */
        readonly accepted: boolean
      }
    | { readonly type: 'replayed'; readonly source: ResultSource }
    | { readonly type: 'busy'; readonly retryAfterMs: number }
    | { readonly type: 'mismatch'; readonly state: string }
    | { readonly type: 'doubt'; readonly reason: DoubtReason; readonly retryAfterMs?: number }
    | { readonly type: 'doubt-stuck'; readonly ageMs: number; readonly reason: DoubtReason }
    | { readonly type: 'reconciled'; readonly verdict: Verdict; readonly ageMs: number }
    | { readonly type: 'resolved'; readonly verdict: Verdict; readonly ageMs: number }
    | { readonly type: 'confirmed'; readonly verdict: Verdict; readonly ageMs: number }
    | { readonly type: 'released'; readonly ageMs: number }
    | { readonly type: 'lapsed' }
    | { readonly type: 'renewed'; readonly deadlineMs: number }
    | { readonly type: 'superseded'; readonly state: string }
    | { readonly type: 'overturned'; readonly verdict: Verdict | 'unknown' }
    | { readonly type: 'claim-lost' }
    | { readonly type: 'lease-lost'; readonly state?: string }
    | { readonly type: 'record-delayed' }
    | { readonly type: 'recorded-late'; readonly delayMs: number }
    | { readonly type: 'ghost-refused'; readonly why: 'late' | 'ended' }
    | { readonly type: 'not-durable'; readonly step: 'claim' | 'finish'; readonly replicas: number }
    | { readonly type: 'store-down'; readonly step: string; readonly refused: boolean }
    | {
        readonly type: 'store-loss'
        /** Slot tag of the bucket, two hexadecimal digits. */
        readonly bucket: string
        /** The window the lost writes lie in, server time: this process's first contact to the noticing. */
        readonly fromMs: number
        readonly toMs: number
      }
  )

/** The channel `safety:idempotency`. */
export const idempotencyChannel: Channel<IdempotencyEvent> = createChannel<IdempotencyEvent>('idempotency')
