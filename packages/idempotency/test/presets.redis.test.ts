import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { ledgerWrite, orderPlacement, pnlWrite, positionUpdate, tradeStateWrite } from '../src/trading/index.ts'
import { instance, rejection } from './harness.ts'

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
})
afterAll(() => server[Symbol.asyncDispose]())

const manual = { mode: 'manual' } as const
const terms = { symbol: 'BTCUSDT', side: 'BUY', quantity: '0.50' }

interface Order {
  readonly strategy: string
  readonly intentId: string
  readonly symbol: string
  readonly side: string
  readonly quantity: string
}

describe('the trading presets on Redis', () => {
  test('two equal orders with two intents are both placed, one intent once, and other terms are refused', async () => {
    await using here = instance(redis)
    const sent: string[] = []
    const place = here.idem.define(
      orderPlacement({
        recovery: manual,
        run: (order: Order, { effectId }) => {
          sent.push(order.intentId)
          return { clientOrderId: effectId }
        },
      }),
    )
    const first = await place({ strategy: 'pulse', intentId: 'today', ...terms })
    const other = await place({ strategy: 'pulse', intentId: 'tomorrow', ...terms })
    const again = await place({ strategy: 'pulse', intentId: 'today', ...terms, quantity: '0.5' })
    expect(again).toMatchObject({ status: 'replayed', value: first.value })
    expect(other.value).not.toEqual(first.value)
    expect(sent).toEqual(['today', 'tomorrow'])
    for (const changed of [{ quantity: '0.51' }, { side: 'SELL' }, { symbol: 'ETHUSDT' }]) {
      const error = await rejection(place({ strategy: 'pulse', intentId: 'today', ...terms, ...changed }))
      expect(error).toMatchObject({ code: 'ERR_IDEMPOTENCY_MISMATCH' })
    }
    expect(await here.idem.inspect('order_placement', 'pulse:today')).toMatchObject({ state: 'done', mode: 'manual' })
  })

  test('an order without an intent, or with a quantity that is a number, is an error and nothing is sent', async () => {
    await using here = instance(redis)
    let sent = 0
    const place = here.idem.define(orderPlacement({ recovery: manual, run: (_order: Order) => (sent += 1) }))
    const order = { strategy: 'pulse', intentId: 'i', ...terms }
    expect(await rejection(place({ ...order, intentId: '' }))).toMatchObject({ code: 'ERR_IDEMPOTENCY_KEY' })
    for (const quantity of [0.5, '5e-1', undefined]) {
      const error = await rejection(place({ ...order, quantity } as never))
      expect(error).toMatchObject({ code: 'ERR_IDEMPOTENCY_FINGERPRINT', outcome: 'not-run' })
      expect(error['message']).toMatch(/quantity/)
    }
    expect(sent).toBe(0)
  })

  test('the other four run once per key under their own names', async () => {
    await using here = instance(redis)
    const runs: string[] = []
    const { idem } = here
    const position = idem.define(
      positionUpdate({
        recovery: manual,
        run: (_input: { positionId: string; eventId: number }) => runs.push('position'),
      }),
    )
    const pnl = idem.define(pnlWrite({ run: (_input: { tradeId: string; revision: number }) => runs.push('pnl') }))
    const ledger = idem.define(
      ledgerWrite({ recovery: manual, run: (_input: { transactionId: string }) => runs.push('ledger') }),
    )
    const state = idem.define(
      tradeStateWrite({
        recovery: manual,
        run: (_input: { tradeId: string; version: number; to: string }) => runs.push('state'),
      }),
    )
    for (let time = 0; time < 2; time += 1) {
      await position({ positionId: 'p', eventId: 1 })
      await pnl({ tradeId: 't', revision: 1 })
      await ledger({ transactionId: 'x' })
      await state({ tradeId: 't', version: 1, to: 'open' })
    }
    expect(runs).toEqual(['position', 'pnl', 'ledger', 'state'])
    const kept: [string, string][] = [
      ['position_update', 'p:1'],
      ['pnl_write', 't:1'],
      ['ledger_write', 'x'],
      ['trade_state_write', 't:1:open'],
    ]
    for (const [effect, key] of kept) expect(await idem.inspect(effect, key), effect).toMatchObject({ state: 'done' })
    expect(await idem.inspect('pnl_write', 't:1')).toMatchObject({ mode: 'repeat' })
  })
})
