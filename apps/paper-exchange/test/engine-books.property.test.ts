import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createHarness, must, type Harness } from './engine-harness.ts'

type Step =
  | {
      kind: 'order'
      account: string
      symbol: string
      side: 'BUY' | 'SELL'
      type: 'LIMIT' | 'LIMIT_MAKER' | 'MARKET'
      tif: 'GTC' | 'IOC' | 'FOK'
      offset: number
      lots: number
      worth: boolean
    }
  | { kind: 'cancel'; account: string; symbol: string }
  | { kind: 'cancelOne'; account: string; orderId: number }
  | { kind: 'advance'; ms: number }
  | { kind: 'price'; symbol: string; percent: number }
  | { kind: 'wipe'; account: string }

const account = fc.constantFrom('one', 'two')
const symbol = fc.constantFrom('BTCUSDT', 'ETHUSDT', 'BNBUSDT')
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('order' as const),
      account,
      symbol,
      side: fc.constantFrom('BUY', 'SELL'),
      type: fc.constantFrom('LIMIT', 'LIMIT', 'LIMIT_MAKER', 'MARKET'),
      tif: fc.constantFrom('GTC', 'GTC', 'IOC', 'FOK'),
      offset: fc.integer({ min: -60, max: 60 }),
      lots: fc.integer({ min: 1, max: 20_000 }),
      worth: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), account, symbol }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('cancelOne' as const),
      account,
      orderId: fc.integer({ min: 1, max: 30 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 2000 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('price' as const), symbol, percent: fc.integer({ min: 90, max: 110 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wipe' as const), account }) },
)

const LOT_DECIMALS: Record<string, number> = { BTCUSDT: 5, ETHUSDT: 4, BNBUSDT: 3 }

function play(harness: Harness, one: Step): void {
  const { engine, timeline } = harness
  switch (one.kind) {
    case 'order': {
      const bid = Number(harness.best(one.symbol).bid)
      const price = (bid * (1 + one.offset / 10_000)).toFixed(2)
      const quantity = (one.lots / 10 ** (LOT_DECIMALS[one.symbol] ?? 2)).toFixed(8)
      const amount = one.type === 'MARKET' && one.worth ? { quoteOrderQty: (one.lots / 3).toFixed(2) } : { quantity }
      const limit = one.type === 'MARKET' ? {} : { price }
      engine.submitOrder({
        account: one.account,
        symbol: one.symbol,
        side: one.side,
        type: one.type,
        ...(one.type === 'LIMIT' ? { timeInForce: one.tif } : {}),
        ...amount,
        ...limit,
      })
      return
    }
    case 'cancel':
      engine.cancelOpenOrders(one)
      return
    case 'cancelOne':
      for (const symbol of engine.symbols) engine.cancelOrder({ ...one, symbol })
      return
    case 'advance':
      timeline.advance(one.ms)
      return
    case 'price':
      must(engine.setPrice(one.symbol, ((Number(harness.best(one.symbol).bid) * one.percent) / 100).toFixed(2)))
      return
    case 'wipe':
      must(engine.wipe(one.account))
  }
}

describe('books [claim 19]', () => {
  test('random orders, cancels, ticks, jumps and wipes keep A7, and the books agree with the log', () => {
    let fills = 0
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), fc.integer({ min: 0, max: 3 }), (steps, lag) => {
        const harness = createHarness({ accounts: ['one', 'two'], barMs: 600, orders10s: 1000, readLagMs: lag * 700 })
        for (const one of steps) play(harness, one)
        for (const name of ['one', 'two']) {
          const report = harness.engine.audit({ account: name })
          expect(report.invariants.find(verdict => verdict.id === 'A7')).toMatchObject({ ok: true, evidence: [] })
          const { openOrders } = must(harness.engine.state(name))
          harness.timeline.advance(0)
          if (lag === 0) expect(must(harness.engine.openOrders({ account: name }))).toEqual(openOrders)
        }
        fills += harness.engine.truth.query({ type: 'fill', limit: 10_000 }).entries.length
      }),
      { numRuns: 100, seed: 7 },
    )
    expect(fills).toBeGreaterThan(200)
  })

  test('reads with a lag show exactly what the books were that long ago', () => {
    let compared = 0
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), steps => {
        const readLagMs = 500
        const lagged = createHarness({ accounts: ['one', 'two'], barMs: 600, orders10s: 1000, readLagMs })
        const past: { atMs: number; orders: unknown; balances: unknown }[] = []
        const snapshot = (): void => {
          const orders = lagged.engine.symbols.map(one => harnessAllOrders(fresh, one))
          past.push({
            atMs: fresh.timeline.steadyMs(),
            orders,
            balances: must(fresh.engine.account({ account: 'one' })).balances,
          })
        }
        const fresh = createHarness({ accounts: ['one', 'two'], barMs: 600, orders10s: 1000 })
        for (const one of steps.filter(({ kind }) => kind !== 'wipe')) {
          play(fresh, one)
          play(lagged, one)
          // Every step ends its millisecond, so that what was seen last in it is what it leaves.
          snapshot()
          fresh.timeline.advance(1)
          lagged.timeline.advance(1)
        }
        // The market goes on while we look: what is read is the past all the same.
        for (const { atMs, orders, balances } of past) {
          const wait = atMs + readLagMs - lagged.timeline.steadyMs()
          if (wait < 0) continue
          lagged.timeline.advance(wait)
          expect(lagged.engine.symbols.map(one => harnessAllOrders(lagged, one))).toEqual(orders)
          expect(must(lagged.engine.account({ account: 'one' })).balances).toEqual(balances)
          compared++
        }
      }),
      { numRuns: 20, seed: 11 },
    )
    expect(compared).toBeGreaterThan(20)
  })
})

function harnessAllOrders(harness: Harness, symbol: string): unknown {
  return must(harness.engine.allOrders({ account: 'one', symbol, limit: 1000 }))
}
