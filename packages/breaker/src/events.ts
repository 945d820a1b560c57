import { createChannel } from '@safety/redis-core'
import type { Channel } from '@safety/redis-core'

import type { BreakerMode, BreakerScope, BreakerState } from './breaker-state.ts'
import type { WindowCounts } from './snapshot.ts'
import type { OverrideOrder } from './who.ts'

interface EventBase {
  /** `name@epoch`: the same for all processes that tell of one move. */
  readonly id: string
  readonly breaker: string
  readonly instance: string
  readonly mode: BreakerMode
  /** Whose part moved. */
  readonly scope: BreakerScope
  /** In effect in this process after, and before. */
  readonly state: BreakerState
  readonly previous: BreakerState
  readonly epoch: number
  /** Wall clock of this process, ms since 1970. */
  readonly atMs: number
  /** True in the one process whose script made the move, and on every move of scope `process`: for who tells once. */
  readonly first: boolean
}

/** What the rules compared the windows with. */
export interface BreakerLimits {
  readonly minimumCalls: number
  readonly failureRatio: number
  readonly slowRatio: number | null
  readonly fast: { readonly minimumCalls: number; readonly failureRatio: number } | null
}

/** How often one kind of error was counted since the last move; never its message. */
export interface ErrorCount {
  readonly name: string
  readonly code: string | null
  readonly count: number
}

export interface OpenedEvent extends EventBase {
  readonly type: 'opened' | 'shadow-opened'
  /** A rule (`fast-failure-ratio`, `failure-ratio`, `slow-ratio`, `members-open`), `probe-failed`, or `reseeded`. */
  readonly why: string
  readonly coolOffMs: number
  readonly opens: number
  /** Of the deciding part; null when another process decided and its facts are lost. */
  readonly windows: { readonly long: WindowCounts; readonly fast: WindowCounts | null } | null
  readonly limits: BreakerLimits
  readonly fleet: { readonly alive: number; readonly active: number; readonly failing: number } | null
  /** The three most frequent here. */
  readonly errors: readonly ErrorCount[]
}

export interface RecoveryEvent extends EventBase {
  readonly type: 'half-opened' | 'ramped' | 'closed' | 'shadow-closed'
  readonly why: string
  /** Since it opened, as this process saw it. */
  readonly openForMs: number
}

export interface ForcedEvent extends EventBase {
  /** `state` says which: forced-open or disabled. */
  readonly type: 'forced'
  readonly by: string
  readonly reason: string
  /** ms since 1970, Redis server time. */
  readonly ends: number
}

export interface OverrideSetEvent extends EventBase {
  readonly type: 'override-set'
  readonly order: OverrideOrder
}

export interface OverrideEndedEvent extends EventBase {
  readonly type: 'override-ended'
  readonly order: OverrideOrder
  readonly how: 'released' | 'expired'
  /** Who released it; of an expired order, and of a release whose message was lost, who had given it. */
  readonly by: string
  readonly reason: string
}

export interface ProbedEvent extends EventBase {
  readonly type: 'probed'
  readonly result: 'ok' | 'failed' | 'void'
  /** The slot had been given again, or the move had been made: the verdict changed nothing. */
  readonly late: boolean
  readonly durationMs: number
  /** Probes passed in this half-open so far, and needed. */
  readonly passed: number
  readonly needed: number
}

export interface RejectedEvent extends EventBase {
  readonly type: 'rejected' | 'shadow-rejected'
  /** Since the last such event; at most one event a second. */
  readonly count: number
}

export interface DegradedEvent extends EventBase {
  /** The first command that failed: from now on this process decides alone. */
  readonly type: 'degraded'
  /** Redis' error code, e.g. READONLY, or else the code of the error. */
  readonly code: string
}

export interface RecoveredEvent extends EventBase {
  readonly type: 'recovered'
  readonly awayMs: number
}

export interface ReseededEvent extends EventBase {
  /** Redis had lost this breaker's state and got it back from a process that knew. */
  readonly type: 'reseeded'
}

export interface OtherConfigEvent extends EventBase {
  /** Another process pools evidence with other window sizes; this one's evidence is not pooled meanwhile. */
  readonly type: 'other-config'
}

export interface HookFailedEvent extends EventBase {
  /** A classifier threw or answered nonsense; its default was used. */
  readonly type: 'hook-failed'
  readonly hook: 'isIgnored' | 'isFailure' | 'classifyResult'
  /** Since the last such event; at most one a minute. */
  readonly count: number
}

/** What a breaker tells, as past facts: to `onEvent`, and on the diagnostics channel `safety:breaker`. */
export type BreakerEvent =
  | OpenedEvent
  | RecoveryEvent
  | ForcedEvent
  | OverrideSetEvent
  | OverrideEndedEvent
  | ProbedEvent
  | RejectedEvent
  | DegradedEvent
  | RecoveredEvent
  | ReseededEvent
  | OtherConfigEvent
  | HookFailedEvent

type Without<E> = E extends BreakerEvent ? Omit<E, keyof EventBase> : never

/** An event without what every event has. */
export type BreakerEventFacts = Without<BreakerEvent>

export const breakerChannel: Channel<BreakerEvent> = createChannel<BreakerEvent>('breaker')
