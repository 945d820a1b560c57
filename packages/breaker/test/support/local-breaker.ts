import type { Random } from '@safety/redis-core'
import { createManualClock } from '@safety/redis-core/testing'
import type { ManualClock } from '@safety/redis-core/testing'

import { createBreaker } from '../../src/index.ts'
import type { Breaker, BreakerEvent, BreakerOptions } from '../../src/index.ts'

/** Jitter of exactly 1: every cool-off is as long as its formula says. */
export const evenRandom: Random = { float: () => 0.5, bytes: length => new Uint8Array(length).fill(7) }

export class ServiceError extends Error {
  override readonly name = 'ServiceError'
  readonly code = 'ECONNREFUSED'
}

export interface LocalBreaker {
  readonly breaker: Breaker
  readonly clock: ManualClock
  readonly events: BreakerEvent[]
  readonly ok: (times?: number) => Promise<void>
  readonly fail: (times?: number) => Promise<void>
  /** How one call ended: its value, or its error's code. */
  readonly call: (work?: () => unknown) => Promise<unknown>
  readonly typesOf: () => string[]
}

/** A breaker without Redis on a clock that stands still. */
export function localBreaker(options: Partial<BreakerOptions> = {}): LocalBreaker {
  const clock = createManualClock()
  const events: BreakerEvent[] = []
  const breaker = createBreaker({
    name: 'orders',
    clock,
    random: evenRandom,
    onEvent: event => void events.push(event),
    ...options,
  })
  const run = (work: () => unknown): Promise<unknown> => breaker.run(work)
  return {
    breaker,
    clock,
    events,
    async ok(times = 1) {
      for (let call = 0; call < times; call += 1) await run(() => 'ok')
    },
    async fail(times = 1) {
      for (let call = 0; call < times; call += 1) {
        await run(() => Promise.reject(new ServiceError('down'))).catch((error: unknown) => error)
      }
    },
    call: (work = () => 'ok') =>
      run(work).then(
        value => value,
        (error: unknown) => (error as { code?: unknown }).code,
      ),
    typesOf: () => events.map(event => event.type),
  }
}

/** Work that ends when the test says so. */
export function pendingWork<T = string>(): {
  work: () => Promise<T>
  resolve: (value: T) => void
  reject: (error: unknown) => void
} {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  return { work: () => promise, resolve, reject }
}
