import { describe, expect, expectTypeOf, test } from 'vitest'

import type { EffectOptions } from '../effect.ts'
import { ledgerWrite, orderPlacement, pnlWrite, positionUpdate, tradeStateWrite } from './index.ts'
import type { OrderIntent, OrderTerms } from './index.ts'

const manual = { mode: 'manual' } as const
const OPTIONS = expect.objectContaining({ code: 'ERR_IDEMPOTENCY_OPTIONS', option: 'recovery' })

interface Order extends OrderIntent, OrderTerms {
  readonly note: string
}
const order: Order = { strategy: 'pulse', intentId: 'i-7', symbol: 'BTCUSDT', side: 'BUY', quantity: '1.50', note: 'n' }

describe('the five presets', () => {
  test('each has its name, its key and its fingerprint', () => {
    const placement = orderPlacement({ recovery: manual, run: (input: Order) => ({ orderId: input.note }) })
    expect(placement.name).toBe('order_placement')
    expect(placement.key(order)).toBe('pulse:i-7')
    expect(placement.fingerprint && placement.fingerprint(order)).toEqual({
      symbol: 'BTCUSDT',
      side: 'BUY',
      quantity: '1.5',
    })
    expectTypeOf(placement).toEqualTypeOf<EffectOptions<Order, { orderId: string }>>()

    const position = positionUpdate({ recovery: manual, run: (_input: { positionId: string; eventId: string }) => 1 })
    expect(position.name).toBe('position_update')
    expect(position.key({ positionId: 'p', eventId: 'e' })).toBe('p:e')

    const pnl = pnlWrite({ run: (_input: { tradeId: string; revision: number }) => 1 })
    expect(pnl.name).toBe('pnl_write')
    expect(pnl.key({ tradeId: 't', revision: 3 })).toBe('t:3')

    const ledger = ledgerWrite({ recovery: manual, run: (_input: { transactionId: string }) => 1 })
    expect(ledger.name).toBe('ledger_write')
    expect(ledger.key({ transactionId: 'x' })).toBe('x')

    const state = tradeStateWrite({
      recovery: manual,
      run: (_input: { tradeId: string; version: number; to: string }) => 1,
    })
    expect(state.name).toBe('trade_state_write')
    expect(state.key({ tradeId: 't', version: 1, to: 'open' })).toBe('t:1:open')
  })

  test('only pnl_write has a default recovery, and it is repeat', () => {
    expect(pnlWrite({ run: (_input: { tradeId: string; revision: number }) => 1 }).recovery).toEqual({ mode: 'repeat' })
    expect(pnlWrite({ recovery: manual, run: (_input: { tradeId: string; revision: number }) => 1 }).recovery).toBe(
      manual,
    )
    // @ts-expect-error recovery is to be chosen
    expect(ledgerWrite({ run: (_input: { transactionId: string }) => 1 }).recovery).toBeUndefined()
  })

  test('order_placement throws on repeat', () => {
    // @ts-expect-error an order is never repeated
    expect(() => orderPlacement({ recovery: { mode: 'repeat' }, run: (_input: Order) => 1 })).toThrow(OPTIONS)
  })

  test('overrides hold, and an input without the parts needs a key of its own', () => {
    const placement = orderPlacement({
      recovery: manual,
      leaseMs: 5000,
      key: (input: { id: string }) => input.id,
      fingerprint: false,
      run: () => 'sent',
    })
    expect(placement).toMatchObject({ leaseMs: 5000, fingerprint: false })
    expect(placement.key({ id: 'a' })).toBe('a')
    // @ts-expect-error no key, and none to be had from the input
    const keyless = positionUpdate({ recovery: manual, run: (_input: { id: string }) => 1 })
    expect(() => keyless.key({ id: 'a' } as never)).toThrow(expect.objectContaining({ code: 'ERR_IDEMPOTENCY_KEY' }))
    // @ts-expect-error a misspelt setting
    ledgerWrite({ recovery: manual, leaseMS: 1, run: (_input: { transactionId: string }) => 1 })
  })

  test('an override that is undefined is none: name, key, fingerprint and recovery stay', () => {
    const placement = orderPlacement({ recovery: manual, fingerprint: undefined, run: (_input: Order) => 1 })
    expect(placement.fingerprint && placement.fingerprint(order)).toMatchObject({ quantity: '1.5' })
    const preset = { recovery: manual, run: (_input: Order) => 1, name: undefined, key: undefined }
    expect(orderPlacement(preset as never)).toMatchObject({ name: 'order_placement', key: expect.any(Function) })
    expect(pnlWrite({ recovery: undefined, run: (_input: { tradeId: string; revision: number }) => 1 })).toMatchObject({
      recovery: { mode: 'repeat' },
    })
  })
})
