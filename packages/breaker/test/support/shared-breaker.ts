import { connectRedis } from '@safety/redis-core'
import type { Keyspace, RedisClient } from '@safety/redis-core'

import { createBreaker } from '../../src/index.ts'
import type { Breaker, BreakerEvent, BreakerOptions } from '../../src/index.ts'
import { until } from './fleet.ts'
import { ServiceError } from './local-breaker.ts'

/** A breaker of this process over a real Redis, with a client of its own. */
export interface SharedBreaker extends AsyncDisposable {
  readonly breaker: Breaker
  readonly redis: RedisClient
  readonly events: BreakerEvent[]
  readonly ok: (times?: number) => Promise<void>
  readonly fail: (times?: number) => Promise<void>
  /** How one call ended: its value, or its error's code. */
  readonly call: (work?: () => unknown) => Promise<unknown>
  readonly count: (type: BreakerEvent['type']) => number
  /** Waits until Redis has answered, however long it takes on a busy machine. */
  readonly join: () => Promise<void>
}

export function sharedBreaker(url: string, keyspace: Keyspace, options: Partial<BreakerOptions> = {}): SharedBreaker {
  const redis = connectRedis(url)
  const events: BreakerEvent[] = []
  const breaker = createBreaker({
    name: 'orders',
    keyspace,
    expect: 1,
    ...options,
    redis,
    onEvent: event => void events.push(event),
  })
  const run = (work: () => unknown): Promise<unknown> => breaker.run(work)
  return {
    breaker,
    redis,
    events,
    async ok(times = 1) {
      for (let n = 0; n < times; n += 1) await run(() => 'ok')
    },
    async fail(times = 1) {
      for (let n = 0; n < times; n += 1) {
        await run(() => Promise.reject(new ServiceError('down'))).catch((error: unknown) => error)
      }
    },
    call: (work = () => 'ok') =>
      run(work).then(
        value => value,
        (error: unknown) => (error as { code?: unknown }).code,
      ),
    join: () => until('it has joined', async () => (await breaker.ready()) === 'fleet'),
    count: type => events.filter(event => event.type === type).length,
    async [Symbol.asyncDispose]() {
      await breaker[Symbol.asyncDispose]()
      redis.disconnect()
    },
  }
}
