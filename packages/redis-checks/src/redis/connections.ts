import { systemClock } from '@safety/redis-core'
import type { Redis } from 'ioredis'

import { idOf } from './dial-plan.ts'
import type { Address, DialPlan } from './dial-plan.ts'
import { readError } from './reply.ts'
import type { Reply } from './reply.ts'

/** An open connection, or why there is none. */
export type Opened =
  | { readonly ok: true; readonly redis: Redis; lastError(): string | undefined }
  | { readonly ok: false; readonly reply: Reply & { readonly ok: false } }

interface Held {
  readonly redis: Redis
  error: string | undefined
}

/** The connections of one run, or of a watch, by node. */
export interface Connections {
  open(address: Address, kind: 'data' | 'sentinel', timeoutMs: number): Promise<Opened>
  drop(address: Address): void
  close(): void
}

export function createConnections(plan: DialPlan): Connections {
  const held = new Map<string, Held>()
  const drop = (address: Address): void => {
    held.get(idOf(address))?.redis.disconnect()
    held.delete(idOf(address))
  }
  return {
    async open(address, kind, timeoutMs) {
      const kept = held.get(idOf(address))
      if (kept?.redis.status === 'ready') return { ok: true, redis: kept.redis, lastError: () => kept.error }
      drop(address)
      const redis = tryDial(plan, address, kind, timeoutMs)
      if ('ok' in redis) return { ok: false, reply: redis }
      const fresh: Held = { redis, error: undefined }
      held.set(idOf(address), fresh)
      fresh.redis.on('error', (error: Error) => (fresh.error = describe(error)))
      try {
        if (!(await withLimit(fresh.redis, timeoutMs))) {
          drop(address)
          return { ok: false, reply: silence(timeoutMs) }
        }
        return { ok: true, redis: fresh.redis, lastError: () => fresh.error }
      } catch (error) {
        drop(address)
        const reply = readError(error)
        // The error of the socket says more than "Connection is closed."
        return { ok: false, reply: fresh.error === undefined ? reply : { ...reply, ...ownError(fresh.error, reply) } }
      }
    },
    drop,
    close() {
      for (const { redis } of held.values()) redis.disconnect()
      held.clear()
    },
  }
}

/** What a deployment names may be no address at all; that is a finding about it. */
function tryDial(
  plan: DialPlan,
  address: Address,
  kind: 'data' | 'sentinel',
  timeoutMs: number,
): Redis | (Reply & { ok: false }) {
  try {
    return plan.dial(address, kind, timeoutMs)
  } catch (error) {
    return readError(error)
  }
}

/** Whether an error says that Redis refuses the credentials. */
export function isRefusal(text: string): boolean {
  return /^(?:WRONGPASS|NOAUTH)|invalid password|without any password/i.test(text)
}

function ownError(text: string, reply: Reply & { readonly ok: false }): Partial<Reply & { ok: false }> {
  return { text, how: isRefusal(text) ? 'auth' : /ETIMEDOUT|timed out/i.test(text) ? 'timeout' : reply.how }
}

function describe(error: Error): string {
  const { code } = error as NodeJS.ErrnoException
  return code === undefined || error.message.includes(code) ? error.message : `${code}: ${error.message}`
}

/** What ended by our own limit says so, and not what ioredis makes of being ended. */
function silence(timeoutMs: number): Reply & { readonly ok: false } {
  return { ok: false, how: 'timeout', code: 'ERR', text: `no usable connection within ${timeoutMs} ms` }
}

/** @returns false when the time was up first */
async function withLimit(redis: Redis, timeoutMs: number): Promise<boolean> {
  let expired = false
  // A server that accepts and then stays silent in a TLS handshake is not covered by ioredis' connect timeout.
  const timer = systemClock.setTimeout(() => {
    expired = true
    redis.disconnect()
  }, timeoutMs)
  try {
    await redis.connect()
    return true
  } catch (error) {
    if (expired) return false
    throw error
  } finally {
    timer.cancel()
  }
}
