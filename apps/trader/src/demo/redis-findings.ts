import type { Profile } from '@safety/redis-checks'
import { demoTiming } from '../config.ts'
import { bookKeys } from '../redis/keys.ts'
import { checkStore, connectStore } from '../safety.ts'
import { DemoError, firstLine } from './demo-error.ts'

/** What the checks say of the Redis of a run. They report here and refuse nothing: paper money may be lost. */
export interface RedisFindings {
  readonly profile: Profile
  readonly level: 'pass' | 'info' | 'warn' | 'fail'
  /** Whether everything that counts could be read. */
  readonly complete: boolean
  readonly sentence: string
}

const patienceMs = 5000

/** @throws DemoError with exit code 3 when Redis cannot be used */
export async function readRedisFindings(url: string, book: string, signal: AbortSignal): Promise<RedisFindings> {
  try {
    const redis = await connectStore(url, 'demo:checks', { timeoutMs: patienceMs, signal })
    try {
      const needs = { mode: 'paper', leaseMs: demoTiming.leaseMs, namespace: bookKeys(book).namespace } as const
      const { profile, level, complete, summary } = await checkStore(redis, needs, { waitMs: 0, signal })
      return { profile, level, complete, sentence: summary.sentence }
    } finally {
      redis.disconnect()
    }
  } catch (error) {
    signal.throwIfAborted()
    throw new DemoError(`Redis cannot be checked: ${firstLine(error)}`, 3, { cause: error })
  }
}
