/** What holds after a call: it did not run, it ran, or nobody knows yet. */
export type Outcome = 'not-run' | 'ran' | 'unknown'

/** Every code this package throws, with what holds and whether the same call may be repeated as it is. */
export const ERROR_CODES: {
  readonly [Code in RedisCoreErrorCode]: { readonly outcome: Outcome; readonly retryable: boolean }
} = {
  ERR_REDIS_NOT_RUN: { outcome: 'not-run', retryable: true },
  ERR_REDIS_REFUSED: { outcome: 'not-run', retryable: false },
  ERR_REDIS_UNKNOWN: { outcome: 'unknown', retryable: false },
  ERR_REDIS_REPLY: { outcome: 'ran', retryable: false },
  ERR_REDIS_TARGET: { outcome: 'not-run', retryable: false },
  ERR_REDIS_OPTIONS: { outcome: 'not-run', retryable: false },
  ERR_REDIS_SCRIPT: { outcome: 'not-run', retryable: false },
  ERR_REDIS_KEY: { outcome: 'not-run', retryable: false },
  ERR_REDIS_FAILPOINT: { outcome: 'not-run', retryable: false },
  ERR_REDIS_SERVER: { outcome: 'not-run', retryable: false },
}

export type RedisCoreErrorCode =
  | 'ERR_REDIS_NOT_RUN'
  | 'ERR_REDIS_REFUSED'
  | 'ERR_REDIS_UNKNOWN'
  | 'ERR_REDIS_REPLY'
  | 'ERR_REDIS_TARGET'
  | 'ERR_REDIS_OPTIONS'
  | 'ERR_REDIS_SCRIPT'
  | 'ERR_REDIS_KEY'
  | 'ERR_REDIS_FAILPOINT'
  | 'ERR_REDIS_SERVER'

export interface RedisCoreErrorFields {
  /** Name of the script. */
  readonly script?: string | undefined
  /** First word of the server's error reply, e.g. `READONLY`. */
  readonly redisCode?: string | undefined
  /** Milliseconds from the call to its end. */
  readonly elapsedMs?: number | undefined
  readonly cause?: unknown
}

/**
 * The one error of this package; `code` tells them apart. Neither message nor fields ever hold a key, an argument or a
 * password; a cause that ioredis filled with the command's arguments is replaced by a copy without them.
 */
export class RedisCoreError extends Error {
  override readonly name: string = 'RedisCoreError'
  readonly code: RedisCoreErrorCode
  /** What holds: `not-run`, `ran` or `unknown`. */
  readonly outcome: Outcome
  /** Whether repeating the same call, unchanged, is safe and can help. */
  readonly retryable: boolean
  declare readonly script?: string
  declare readonly redisCode?: string
  declare readonly elapsedMs?: number

  constructor(code: RedisCoreErrorCode, message: string, fields: RedisCoreErrorFields = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: withoutArguments(fields.cause) })
    this.code = code
    this.outcome = ERROR_CODES[code].outcome
    this.retryable = ERROR_CODES[code].retryable
    if (fields.script !== undefined) this.script = fields.script
    if (fields.redisCode !== undefined) this.redisCode = fields.redisCode
    if (fields.elapsedMs !== undefined) this.elapsedMs = fields.elapsedMs
  }
}

const MAX_CAUSE_LENGTH = 300

// ioredis puts the whole command on its errors, and "unknown command" repeats the arguments in its text.
function withoutArguments(cause: unknown): unknown {
  if (!(cause instanceof Error)) return cause
  const quoted = cause.message.indexOf(', with args beginning with')
  const long = cause.message.length > MAX_CAUSE_LENGTH
  if (quoted < 0 && !long && !('command' in cause)) return cause
  const end = Math.min(quoted < 0 ? cause.message.length : quoted, MAX_CAUSE_LENGTH)
  const copy = new Error(cause.message.slice(0, end))
  copy.name = cause.name
  copy.stack = `${cause.name}: ${copy.message}`
  return copy
}
