import { connectRedis } from '@safety/redis-core'
import { startRedis, type RedisServer } from '@safety/redis-core/testing'
import { Big } from 'big.js'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Fill } from '../src/ledger/fill.ts'
import { driftOf } from '../src/ledger/ledger.ts'
import { fromUnits, sumUnits, toUnits } from '../src/ledger/units.ts'
import { readBook } from '../src/orders/book.ts'
import { intentId, type Intent } from '../src/orders/intent.ts'
import { createJournal, type Journal } from '../src/orders/journal.ts'
import { stateOfOrder } from '../src/orders/state.ts'
import { bookKeys } from '../src/redis/keys.ts'

let server: RedisServer
let redis: ReturnType<RedisServer['client']>

beforeAll(async () => {
  server = await startRedis()
  redis = connectRedis(server.url) as typeof redis
})
afterAll(async () => {
  redis?.disconnect()
  await server?.[Symbol.asyncDispose]()
})

const pair = { baseAsset: 'BTC', quoteAsset: 'USDT' }
let run = 0

/** One thing that is heard of an order: its status, or one of its fills. */
type News =
  | { kind: 'status'; order: number; status: string; executed: string }
  | { kind: 'fill'; order: number; fill: Fill }

interface Order {
  intent: Intent
  orderId: string
  fills: Fill[]
}

function orderOf(
  index: number,
  parts: { lots: number[]; cents: number; sell: boolean; feeInBase: boolean; cancelled: boolean },
): Order & { end: string } {
  const name = { strategy: 'pulse', symbol: 'BTCUSDT', barOpenMs: 60_000 * index, leg: 'entry', seq: 0 } as const
  const price = new Big(parts.cents).div(100).toFixed(2)
  const side = parts.sell ? 'SELL' : 'BUY'
  const fills = parts.lots.map((lot, at): Fill => {
    const quantity = new Big(lot).div(1e5).toFixed(8)
    const received = parts.feeInBase ? quantity : new Big(quantity).times(price).toFixed()
    return {
      symbol: 'BTCUSDT',
      tradeId: `${index}0${at}`,
      orderId: String(1000 + index),
      side,
      quantity,
      price,
      commission: new Big(received).times('0.001').round(8, Big.roundDown).toFixed(8),
      commissionAsset: parts.feeInBase ? 'BTC' : 'USDT',
      timeMs: 1_800_000_000_000 + at,
    }
  })
  const quantity = fills.reduce((sum, fill) => sum.plus(fill.quantity), new Big(parts.cancelled ? 1 : 0)).toFixed(8)
  const intent = { ...name, id: intentId(name), side, type: 'LIMIT', quantity, price, validUntilMs: 0 } as const
  return { intent, orderId: String(1000 + index), fills, end: parts.cancelled ? 'CANCELED' : 'FILLED' }
}

/** Everything the exchange ever says about an order, in its own order. */
function newsOf(order: Order & { end: string }, index: number): News[] {
  const news: News[] = [{ kind: 'status', order: index, status: 'NEW', executed: '0' }]
  let executed = new Big(0)
  for (const fill of order.fills) {
    executed = executed.plus(fill.quantity)
    news.push(
      { kind: 'status', order: index, status: 'PARTIALLY_FILLED', executed: executed.toFixed(8) },
      { kind: 'fill', order: index, fill },
    )
  }
  news.push({ kind: 'status', order: index, status: order.end, executed: executed.toFixed(8) })
  return news
}

/** What the exchange's balances do, computed without the code under test. */
function changes(orders: readonly Order[]): Record<string, string> {
  const sums: Record<string, Big> = { BTC: new Big(0), USDT: new Big(0) }
  for (const fill of orders.flatMap(order => order.fills)) {
    const sign = fill.side === 'BUY' ? 1 : -1
    const worth = new Big(fill.quantity).times(fill.price).round(8, Big.roundDown)
    sums['BTC'] = sums['BTC']!.plus(new Big(fill.quantity).times(sign))
    sums['USDT'] = sums['USDT']!.minus(worth.times(sign))
    sums[fill.commissionAsset] = sums[fill.commissionAsset]!.minus(fill.commission)
  }
  return Object.fromEntries(Object.entries(sums).map(([asset, sum]) => [asset, sum.toFixed(8)]))
}

async function tell(journal: Journal, orders: readonly Order[], news: News): Promise<void> {
  const { intent, orderId } = orders[news.order]!
  if (news.kind === 'fill') {
    await journal.applyFill(news.fill, pair, intent.id)
    return
  }
  const { id, symbol } = intent
  await journal.settle({
    id,
    symbol,
    to: stateOfOrder(news.status),
    by: 'test',
    orderId,
    executedQuantity: news.executed,
  })
}

const orderParts = fc.record({
  lots: fc.array(fc.integer({ min: 1, max: 10 ** 7 }), { minLength: 1, maxLength: 4 }),
  cents: fc.integer({ min: 1, max: 10 ** 8 }),
  sell: fc.boolean(),
  feeInBase: fc.boolean(),
  cancelled: fc.boolean(),
})

describe('the ledger [claim 11]', () => {
  test('any order and repetition of answers, events and trades gives one ledger and one end, and no drift', async () => {
    const cases = fc.array(orderParts, { minLength: 1, maxLength: 4 }).chain(parts => {
      const orders = parts.map((part, index) => orderOf(index, part))
      const all = orders.flatMap(newsOf)
      const shuffled = fc.shuffledSubarray(all, { minLength: all.length })
      return fc.tuple(fc.constant(orders), shuffled, fc.subarray(all))
    })
    await fc.assert(
      fc.asyncProperty(cases, async ([orders, first, again]) => {
        run += 1
        const book = `p${run}`
        const journal = createJournal(redis, bookKeys(book))
        await journal.setBaseline({ BTC: toUnits('2'), USDT: toUnits('100000') }, 1)
        for (const { intent } of orders) await journal.propose(intent, { missed: false })
        for (const news of [...first, ...again]) await tell(journal, orders, news)

        const expected = changes(orders)
        const { ledger, records } = await readBook(redis, book)
        expect({ BTC: '0.00000000', USDT: '0.00000000', ...ledger }).toEqual(expected)
        const balances = Object.fromEntries(
          Object.entries(expected).map(([asset, change]) => [
            asset,
            sumUnits(toUnits(change), toUnits(asset === 'BTC' ? '2' : '100000')),
          ]),
        )
        const { amounts } = await journal.ledger()
        expect(driftOf(balances, (await journal.baseline())!.amounts, amounts)).toEqual({})
        for (const order of orders) {
          const entry = await journal.read(order.intent.id)
          expect(entry?.state).toBe(order.end)
          expect(entry?.filled).toBe(entry?.executed)
          expect(records[order.intent.id]?.believes).toBe('ordered')
        }
        expect(await journal.open()).toEqual([])
      }),
      { numRuns: 40 },
    )
  })

  test('an order stays open until each of its fills is in the ledger, even when it has ended', async () => {
    const order = orderOf(1, { lots: [5, 7], cents: 100_00, sell: false, feeInBase: true, cancelled: false })
    const journal = createJournal(redis, bookKeys('waits'))
    await journal.propose(order.intent, { missed: false })
    const [created, , firstFill, , secondFill, filled] = newsOf(order, 0)
    for (const news of [created!, filled!, firstFill!]) await tell(journal, [order], news)
    expect(await journal.open()).toEqual([order.intent.id])
    await tell(journal, [order], secondFill!)
    expect(await journal.open()).toEqual([])
    expect(await redis.pttl(bookKeys('waits').intent(order.intent.id))).toBeGreaterThan(0)
  })

  test('a fill from before the baseline is in the balances already and is not counted again', async () => {
    const order = orderOf(2, { lots: [5], cents: 100_00, sell: false, feeInBase: false, cancelled: false })
    const journal = createJournal(redis, bookKeys('before'))
    await journal.setBaseline({ BTC: '0' }, order.fills[0]!.timeMs)
    expect(await journal.applyFill(order.fills[0]!, pair, order.intent.id)).toBe('before-baseline')
    expect(
      await journal.applyFill({ ...order.fills[0]!, timeMs: order.fills[0]!.timeMs + 1 }, pair, order.intent.id),
    ).toBe('applied')
    expect((await journal.ledger()).amounts).toMatchObject({ BTC: '5000' })
  })

  test('amounts of any size are exact', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), units => {
        expect(toUnits(fromUnits(String(units)))).toBe(String(units))
      }),
    )
  })
})
