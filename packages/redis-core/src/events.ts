import type { Outcome } from './errors.ts'

/** What this package tells on `safety:redis-core`. */
export type RedisCoreEvent =
  /** A connection made by `connectRedis` failed or was refused; it goes on reconnecting unless its profile says otherwise. */
  | {
      type: 'connection-error'
      connectionName: string | null
      redisCode: string | null
      code: string | null
      message: string
    }
  /** The server did not know the script (first use, restart, SCRIPT FLUSH); it was sent in full. */
  | { type: 'script-loaded'; script: string; sha1: string }
  /** The reply of a script arrived after its caller had left by deadline or abort. */
  | { type: 'script-late'; script: string; outcome: Outcome; lateMs: number }
  /** A channel's listeners were so slow that its oldest queued events were dropped. */
  | { type: 'events-dropped'; channel: string; count: number }
