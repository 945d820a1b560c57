import { createChannel } from '@safety/redis-core'
import type { Channel } from '@safety/redis-core'

import type { Level } from './level.ts'
import type { LossSignal } from './loss-signal.ts'
import type { ReadinessStatus } from './readiness.ts'

/** What happened, as past facts. `atMs`: this process's wall clock, epoch milliseconds. */
export type RedisChecksEvent = { readonly atMs: number } & (
  | {
      readonly type: 'checked'
      readonly level: Exclude<Level, 'unknown'>
      readonly complete: boolean
      readonly durationMs: number
      readonly fast: boolean
    }
  | {
      readonly type: 'changed'
      readonly id: string
      readonly node: string | null
      readonly from: Level
      readonly to: Level
    }
  | { readonly type: 'readiness-changed'; readonly from: ReadinessStatus; readonly to: ReadinessStatus }
  | {
      readonly type: 'data-loss-suspected'
      readonly node: string
      readonly signal: LossSignal['signal']
      readonly suspected: string
    }
  | { readonly type: 'hold-off-started'; readonly untilMs: number; readonly reason: string }
  | { readonly type: 'hold-off-ended' }
  | { readonly type: 'node-appeared'; readonly node: string }
  | { readonly type: 'node-gone'; readonly node: string }
  | { readonly type: 'check-crashed'; readonly id: string; readonly node: string | null; readonly message: string }
)

/** Called in a later turn; what it throws changes nothing. */
export type Listener = (event: RedisChecksEvent) => void

/** The channel `safety:redis-checks`. */
export const redisChecksChannel: Channel<RedisChecksEvent> = createChannel<RedisChecksEvent>('redis-checks')
