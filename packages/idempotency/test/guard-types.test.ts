import { connectRedis } from '@safety/redis-core'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'

import { createIdempotency } from '../src/index.ts'
import type { Idempotency } from '../src/index.ts'
import { ExchangeClient } from './exchange-client.ts'
import type { Fill, Order } from './exchange-client.ts'

const order: Order = { id: 'o-1', symbol: 'BTCUSDT', quantity: '1' }
const recovery = { mode: 'manual' } as const

/** Never called: the compiler is the test. */
function compileOnly(idem: Idempotency, client: ExchangeClient): void {
  const fill = z.object({ orderId: z.string() })
  const guarded = idem.guard(client, {
    place: {
      name: 'order_placement',
      key: (placed, options) => `${placed.id}${options?.clientId ?? ''}`,
      fingerprint: placed => ({ symbol: placed.symbol, quantity: placed.quantity }),
      memo: placed => ({ symbol: placed.symbol }),
      recovery: {
        mode: 'reconcile',
        settleMs: 100,
        lookup: async ({ effectId }) => ({ outcome: 'ran', value: { orderId: effectId } }),
      },
      mapArgs: ([placed], ctx) => [placed, { clientId: ctx.effectId }],
    },
  })
  expectTypeOf(guarded).toEqualTypeOf<ExchangeClient>()
  const fits: ExchangeClient = guarded
  expectTypeOf(fits.place(order)).toEqualTypeOf<Promise<Fill>>()

  const mixed = idem.guard(client, { cancel: { name: 'cancel', key: orderId => orderId, recovery } })
  expectTypeOf(mixed.cancel('o-1')).toEqualTypeOf<Promise<number>>()
  expectTypeOf(mixed.place(order)).toEqualTypeOf<Promise<Fill>>()
  expectTypeOf(mixed.venue).toEqualTypeOf<'paper' | 'live'>()
  // @ts-expect-error a guarded method takes what the method takes
  void mixed.cancel(7)
  // @ts-expect-error a promise, also where the method gave a plain value
  const index: number = mixed.cancel('o-1')
  void index

  idem.guard(client, { place: { name: 'a', key: placed => placed.id, recovery, result: fill } })
  // @ts-expect-error no such method
  idem.guard(client, { placee: { name: 'a', key: () => 'k', recovery } })
  idem.guard(client, {
    place: { name: 'a', key: placed => placed.id, recovery },
    // @ts-expect-error no such method, beside a right one
    canncel: { name: 'b', key: () => 'k', recovery },
  })
  // @ts-expect-error a property is no method
  idem.guard(client, { venue: { name: 'a', key: () => 'k', recovery } })
  // @ts-expect-error an order has no idd
  idem.guard(client, { place: { name: 'a', key: placed => placed.idd, recovery } })
  // @ts-expect-error a key is a text
  idem.guard(client, { cancel: { name: 'a', key: () => 7, recovery } })
  // @ts-expect-error cancel takes a text, not a number
  idem.guard(client, { cancel: { name: 'a', key: (orderId: number) => String(orderId), recovery } })
  // @ts-expect-error recovery has no default
  idem.guard(client, { cancel: { name: 'a', key: orderId => orderId } })
  // @ts-expect-error the method is the run
  idem.guard(client, { cancel: { name: 'a', key: orderId => orderId, recovery, run: () => 1 } })
  // @ts-expect-error place does not take one number
  idem.guard(client, { place: { name: 'a', key: placed => placed.id, recovery, mapArgs: () => [1] } })
  idem.guard(client, {
    cancel: {
      name: 'a',
      key: orderId => orderId,
      // @ts-expect-error a lookup finds what the method gives
      recovery: { mode: 'reconcile', settleMs: 1, lookup: async () => ({ outcome: 'ran', value: 'seven' }) },
    },
  })
  // @ts-expect-error a text has no methods to guard
  idem.guard('client', {})
}

describe('the types of guard', () => {
  test('a guard is typed without a cast, and a wrong name or argument does not compile [claim 29]', async () => {
    expect(compileOnly).toBeTypeOf('function')
    const redis = connectRedis('redis://127.0.0.1:1', { profile: 'checks' })
    await using idem = createIdempotency({ redis, namespace: 'types' })
    const guarded = idem.guard(new ExchangeClient(), { place: { name: 'place', key: placed => placed.id, recovery } })
    expectTypeOf(guarded).toEqualTypeOf<ExchangeClient>()
    redis.disconnect()
  })
})
