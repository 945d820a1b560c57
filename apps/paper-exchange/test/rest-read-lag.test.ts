import { expect, test } from 'vitest'
import { createPaperExchange } from '../src/index.ts'
import { clientOf, listen, subscribe } from './paper-client.ts'
import type { Client, Json } from './paper-client.ts'

const reads = async (client: Client): Promise<Record<string, unknown>> => {
  const symbol = 'BTCUSDT'
  const [order, open, all, trades, account] = [
    await client.signed('GET', 'order', { symbol, origClientOrderId: 'lagged' }),
    await client.signed('GET', 'openOrders', { symbol }),
    await client.signed('GET', 'allOrders', { symbol }),
    await client.signed('GET', 'myTrades', { symbol }),
    await client.signed('GET', 'account'),
  ]
  const usdt = account.json.balances.find((row: Json) => row.asset === 'USDT')
  return {
    order: order.json.status ?? order.json.code,
    open: open.json.length,
    all: all.json.length,
    trades: trades.json.length,
    locked: Number(usdt.locked) > 0,
  }
}

test('read lag hides a new order from all five reads and from no stream [claim 10]', async () => {
  await using exchange = await createPaperExchange({ clock: 'manual', readLagMs: 1500, barMs: 86_400_000 })
  const client = clientOf(exchange)
  await using ear = await listen(exchange.urls.wsApi)
  await subscribe(ear, client.account, exchange.controls.clock().nowMs)
  // Above the best ask: part of it fills at once, the rest stays in the book.
  const { json: book } = await client.open('GET', 'depth', { symbol: 'BTCUSDT' })
  const placed = await client.signed('POST', 'order', {
    symbol: 'BTCUSDT',
    side: 'BUY',
    type: 'LIMIT',
    timeInForce: 'GTC',
    quantity: '1.5',
    price: book.asks[0][0],
    newClientOrderId: 'lagged',
  })
  expect(placed.json.status).toBe('PARTIALLY_FILLED')
  await ear.first(message => message.event?.X === 'PARTIALLY_FILLED')
  const hidden = { order: -2013, open: 0, all: 0, trades: 0, locked: false }
  expect(await reads(client)).toEqual(hidden)
  await exchange.advance(1499)
  expect(await reads(client)).toEqual(hidden)
  await exchange.advance(1)
  expect(await reads(client)).toEqual({ order: 'PARTIALLY_FILLED', open: 1, all: 1, trades: 1, locked: true })
})
