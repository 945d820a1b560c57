// A process of its own for tests that kill one: runs one job, given as JSON, and prints what it learnt as JSON lines.
import { writeSync } from 'node:fs'

import { connectRedis, whenReady } from '@safety/redis-core'
import { armFailpoints } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'

import { createIdempotency } from '../src/index.ts'
import type { Recovery } from '../src/index.ts'

export interface Job {
  readonly url: string
  readonly namespace: string
  readonly key: string
  readonly mode: 'repeat' | 'reconcile' | 'manual'
  /** Instances that call at the same time. */
  readonly callers: number
  /** Each effect appends its effect id here. */
  readonly ledger: string
  readonly effectMs: number
  readonly leaseMs: number
  readonly settleMs: number
  readonly storeBudgetMs: number
  /** SIGKILL itself here. */
  readonly killAt?: string
  /** Waits until this key exists. */
  readonly startKey?: string
}

const job = JSON.parse(process.argv[2] ?? '') as Job
const say = (line: object): void => void writeSync(1, `${JSON.stringify(line)}\n`)

const redis = connectRedis(job.url) as Redis
await whenReady(redis)
const { killAt } = job
if (killAt !== undefined) {
  const secret = process.env['SAFETY_FAILPOINTS'] ?? ''
  armFailpoints({
    secret,
    hook: name => {
      if (name !== killAt) return
      say({ killed: name })
      process.kill(process.pid, 'SIGKILL')
    },
  })
}

const recovery: Recovery<string> =
  job.mode === 'reconcile'
    ? {
        mode: 'reconcile',
        settleMs: job.settleMs,
        lookupTimeoutMs: 200,
        lookup: async ({ effectId }) => {
          const found = await redis.lrange(job.ledger, 0, -1)
          return found.includes(effectId) ? { outcome: 'ran', value: 'took place' } : { outcome: 'not-run' }
        },
      }
    : { mode: job.mode }

async function callOnce(): Promise<void> {
  const { namespace, storeBudgetMs } = job
  const idem = createIdempotency({ redis, namespace, storeBudgetMs, storeTimeoutMs: storeBudgetMs })
  const effect = idem.define({
    name: 'worker',
    key: (input: string) => input,
    recovery,
    leaseMs: job.leaseMs,
    run: async (_input, ctx) => {
      if (job.effectMs > 0) await new Promise(resolve => setTimeout(resolve, job.effectMs))
      await redis.rpush(job.ledger, ctx.effectId)
      return 'took place'
    },
  })
  try {
    const { status, value } = await effect(job.key)
    say({ status, value })
  } catch (error) {
    say({ code: (error as { code?: string }).code })
  } finally {
    await idem[Symbol.asyncDispose]()
  }
}

say({ ready: true })
if (job.startKey !== undefined) {
  while ((await redis.exists(job.startKey)) === 0) await new Promise(resolve => setTimeout(resolve, 2))
}
await Promise.all(Array.from({ length: job.callers }, callOnce))
redis.disconnect()
