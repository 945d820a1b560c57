import { runScript, type Clock, type RedisClient } from '@safety/redis-core'
import { acquireScript } from '../redis/acquire.ts'
import { closeGateScript } from '../redis/close-gate.ts'
import type { BookKeys } from '../redis/keys.ts'
import { repeated } from '../redis/repeated.ts'

/** Whether a call may leave now. All workers of a book share one answer while Redis is there. */
export interface Gate {
  /** Milliseconds to wait before a call of this weight may leave; 0 is go, and its weight is counted. */
  acquire(cost: number): Promise<number>
  /** Closes it here at once and for everybody as soon as Redis knows. */
  close(forMs: number, reason: string): Promise<void>
  /** Milliseconds it is closed as far as this process knows. */
  closedMs(): number
  /** Weight per minute the exchange allows; 80 % of it is used. */
  setLimit(weightPerMinute: number): void
}

const usedShare = 0.8
const deadlineMs = 250

/** The gate of a book. Without Redis a call passes by what this process has seen itself. */
export function createGate(options: { redis: RedisClient; keys: BookKeys; clock: Clock }): Gate {
  const { redis, keys, clock } = options
  let openAtMs = 0
  // Until exchangeInfo was read nothing is known that could be kept to.
  let limit = Number.MAX_SAFE_INTEGER
  const closedMs = (): number => Math.max(0, Math.ceil(openAtMs - clock.monotonic()))
  return {
    closedMs,
    setLimit(weightPerMinute) {
      limit = weightPerMinute * usedShare
    },
    async acquire(cost) {
      const here = closedMs()
      if (here > 0) return here
      const input = { keys: { gate: keys.gate, weight: keys.weight }, args: { cost, limit: Math.floor(limit) } }
      // Queries and cancels go on while Redis is away; entries cannot, because dispatch needs it.
      return runScript(redis, acquireScript, input, { deadlineMs }).catch(() => closedMs())
    },
    async close(forMs, reason) {
      openAtMs = Math.max(openAtMs, clock.monotonic() + forMs)
      await repeated(
        redis,
        closeGateScript,
        { keys: { gate: keys.gate }, args: { forMs: Math.ceil(forMs), reason } },
        { deadlineMs },
      )
    },
  }
}
