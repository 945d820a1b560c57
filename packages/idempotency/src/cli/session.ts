import { connectRedis, whenReady } from '@safety/redis-core'

import { createIdempotency } from '../idempotency.ts'
import type { Idempotency } from '../idempotency.ts'
import { CliError, oneLine } from './exit.ts'
import type { CliIo } from './io.ts'

export interface StoreOptions {
  readonly redis?: string
  readonly namespace?: string
}

const CONNECT_MS = 5000
const COMMAND_MS = 5000

/** Connects once, without reconnecting, runs the work, and closes. Every step of it is bounded. */
export async function withIdempotency<R>(
  { redis: url, namespace }: StoreOptions,
  { redisUrl, signal }: Pick<CliIo, 'redisUrl' | 'signal'>,
  work: (idem: Idempotency, signal: AbortSignal) => Promise<R>,
): Promise<R> {
  const target = url ?? redisUrl
  if (target === undefined || target === '') throw new CliError(2, 'no Redis given: use --redis URL or set REDIS_URL')
  if (namespace === undefined) throw new CliError(2, 'no namespace given: use --namespace, as the application has it')
  const redis = connectRedis(target, {
    profile: 'checks',
    connectionName: 'safety-idempotency',
    connectTimeoutMs: CONNECT_MS,
    commandTimeoutMs: COMMAND_MS,
  })
  try {
    await using idem = createIdempotency({
      redis,
      namespace,
      storeTimeoutMs: COMMAND_MS,
      storeBudgetMs: COMMAND_MS,
    })
    await whenReady(redis, { timeoutMs: CONNECT_MS, signal }).catch((error: Error) => {
      if (signal.aborted) throw error
      throw unreachable(error)
    })
    return await work(idem, signal)
  } finally {
    redis.disconnect()
  }
}

/** The connection's own word sends people to the right place: a port, a password, a certificate. */
function unreachable(error: Error): CliError {
  const { message } = error.cause instanceof Error ? error.cause : error
  return new CliError(3, `cannot reach Redis: ${oneLine(message)}. Check --redis or REDIS_URL`)
}
