import { connectRedis } from '@safety/redis-core'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'

import { createIdempotency } from '../src/index.ts'
import type { Effect, Idempotency, Recovery } from '../src/index.ts'
import { ledgerWrite, orderPlacement, pnlWrite, positionUpdate, tradeStateWrite } from '../src/trading/index.ts'
import type { OrderIntent, OrderTerms } from '../src/trading/index.ts'

type Order = OrderIntent & OrderTerms
interface Fill {
  orderId: string
}

const manual = { mode: 'manual' } as const
const order: Order = { strategy: 'pulse', intentId: 'i-7', symbol: 'BTCUSDT', side: 'BUY', quantity: '0.5' }

/** Never called: the compiler is the test. */
function compileOnly(idem: Idempotency): void {
  const fill = z.object({ orderId: z.string() })
  const place = idem.define(
    orderPlacement({
      result: fill,
      memo: (input: Order) => ({ symbol: input.symbol }),
      recovery: {
        mode: 'reconcile',
        settleMs: 35_000,
        lookup: async ({ effectId }) => ({ outcome: 'ran', value: { orderId: effectId } }),
      },
      run: async (input, { effectId }) => ({ orderId: `${input.symbol}-${effectId}` }),
    }),
  )
  expectTypeOf(place).toEqualTypeOf<Effect<Order, Fill>>()
  const move = idem.define(
    positionUpdate({ recovery: manual, run: (input: { positionId: string; eventId: number }) => input.eventId }),
  )
  expectTypeOf(move).toEqualTypeOf<Effect<{ positionId: string; eventId: number }, number>>()
  const book = idem.define(pnlWrite({ run: (_input: { tradeId: string; revision: number; pnl: string }) => null }))
  expectTypeOf(book).toEqualTypeOf<Effect<{ tradeId: string; revision: number; pnl: string }, null>>()
  const enter = idem.define(ledgerWrite({ recovery: manual, run: (_input: { transactionId: string }) => 'entered' }))
  expectTypeOf(enter).toEqualTypeOf<Effect<{ transactionId: string }, string>>()
  const turn = idem.define(
    tradeStateWrite({ recovery: manual, run: (input: { tradeId: string; version: number; to: 'open' }) => input.to }),
  )
  expectTypeOf(turn).toEqualTypeOf<Effect<{ tradeId: string; version: number; to: 'open' }, 'open'>>()

  // @ts-expect-error an order needs its intent
  void place({ symbol: 'BTCUSDT', side: 'BUY', quantity: '0.5' })
  // @ts-expect-error a quantity is decimal text
  void place({ ...order, quantity: 0.5 })
  // @ts-expect-error a position event needs its id
  void move({ positionId: 'p' })
  // @ts-expect-error a revision is what tells two writes apart
  void book({ tradeId: 't', pnl: '1' })
  // @ts-expect-error an entry is named by its transaction
  void enter({ id: 't' })
  // @ts-expect-error no such state
  void turn({ tradeId: 't', version: 1, to: 'opne' })

  // @ts-expect-error an order is never repeated
  orderPlacement({ recovery: { mode: 'repeat' }, run: (_input: Order) => 1 })
  const blind = idem.define(orderPlacement({ recovery: manual, run: (_input: OrderTerms) => 1 }))
  expectTypeOf(blind).toEqualTypeOf<Effect<Order, number>>()
  // @ts-expect-error the intent is for the key, also where run does not look at it
  void blind({ symbol: 'BTCUSDT', side: 'BUY', quantity: '0.5' })
  // @ts-expect-error the input has no transaction to make a key of, and no key is given
  ledgerWrite({ recovery: manual, run: (_input: { id: string }) => 1 })
  // @ts-expect-error recovery has no default
  positionUpdate({ run: (_input: { positionId: string; eventId: string }) => 1 })
  // @ts-expect-error recovery has no default
  tradeStateWrite({ run: (_input: { tradeId: string; version: number; to: string }) => 1 })
  // @ts-expect-error a misspelt setting
  pnlWrite({ leaseMS: 1, run: (_input: { tradeId: string; revision: number }) => 1 })
  const finds: Recovery<string> = { mode: 'reconcile', settleMs: 1, lookup: async () => ({ outcome: 'not-run' }) }
  // @ts-expect-error a lookup finds what the effect gives
  positionUpdate({ recovery: finds, run: (_input: { positionId: string; eventId: string }): number => 1 })
  // @ts-expect-error a schema gives what the effect gives
  ledgerWrite({ recovery: manual, result: fill, run: (_input: { transactionId: string }): number => 1 })
}

describe('the types of the presets', () => {
  test('the five are typed without a cast, and a wrong argument or setting does not compile', async () => {
    expect(compileOnly).toBeTypeOf('function')
    const redis = connectRedis('redis://127.0.0.1:1', { profile: 'checks' })
    await using idem = createIdempotency({ redis, namespace: 'types' })
    const effects = [
      idem.define(orderPlacement({ recovery: manual, run: (input: Order) => input.symbol })),
      idem.define(positionUpdate({ recovery: manual, run: (_input: { positionId: 'p'; eventId: 'e' }) => 1 })),
      idem.define(pnlWrite({ run: (_input: { tradeId: string; revision: number }) => 1 })),
      idem.define(ledgerWrite({ recovery: manual, run: (_input: { transactionId: string }) => 1 })),
      idem.define(tradeStateWrite({ recovery: manual, run: (_input: { tradeId: 't'; version: 1; to: 'open' }) => 1 })),
    ]
    for (const effect of effects) expect(effect.effectIdOf('key')).toMatch(/^[a-z2-7]{26}$/)
    redis.disconnect()
  })
})
