import { z } from 'zod'

import { RedisCoreError } from './errors.ts'
import { systemRandom } from './random.ts'
import type { Random } from './random.ts'

/** `effect`: calls that must end and say what holds. `worker`: blocking reads. `checks`: one look, without reconnecting. */
export type ConnectProfile = 'effect' | 'worker' | 'checks'

export interface ConnectOptions {
  /** @default 'effect' */
  profile?: ConnectProfile
  /** Shown by CLIENT LIST. No spaces. */
  connectionName?: string
  /** RESP version. 3 needs ioredis 6. @default what the installed ioredis speaks: 3 on 6, 2 on 5 */
  protocol?: 2 | 3
  /** Source of the reconnect jitter. @default systemRandom */
  random?: Random
  /** Milliseconds until a connection attempt is given up. 10..60000. @default 2000 */
  connectTimeoutMs?: number
  /** Milliseconds until a command is given up as unknown; a socket silent for twice as long is dropped. 10..60000. @default 1000 */
  commandTimeoutMs?: number
  /** Longest wait between two connection attempts, milliseconds. 10..60000. @default 2000 */
  maxReconnectDelayMs?: number
}

export interface ResolvedConnectOptions {
  readonly profile: ConnectProfile
  readonly connectionName: string | undefined
  readonly protocol: 2 | 3 | undefined
  readonly random: Random
  readonly connectTimeoutMs: number
  readonly commandTimeoutMs: number
  readonly maxReconnectDelayMs: number
}

const milliseconds = z.int().min(10).max(60_000)
const schema = z.strictObject({
  profile: z.enum(['effect', 'worker', 'checks']).default('effect'),
  connectionName: z
    .string()
    .regex(/^[!-~]+$/, 'must be printable ASCII without spaces')
    .optional(),
  protocol: z.union([z.literal(2), z.literal(3)]).optional(),
  random: z.custom<Random>(isRandom, 'must have float() and bytes(length)').optional(),
  connectTimeoutMs: milliseconds.default(2000),
  commandTimeoutMs: milliseconds.default(1000),
  maxReconnectDelayMs: milliseconds.default(2000),
})

/** @throws `ERR_REDIS_OPTIONS` (not retryable), naming the option. */
export function resolveConnectOptions(options: ConnectOptions): ResolvedConnectOptions {
  const parsed = schema.safeParse(options)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const field = issue?.path.join('.') || 'options'
    throw new RedisCoreError('ERR_REDIS_OPTIONS', `${field}: ${issue?.message ?? 'invalid'}`)
  }
  const { connectionName, protocol, random = systemRandom, ...rest } = parsed.data
  return { ...rest, connectionName, protocol, random }
}

function isRandom(value: unknown): boolean {
  const candidate = value as Partial<Random> | null | undefined
  return typeof candidate?.float === 'function' && typeof candidate.bytes === 'function'
}
