import { describe, expect, test } from 'vitest'
import { createPaperExchange } from '../src/index.ts'
import { clientOf, send } from './paper-client.ts'
import type { Client, Seen } from './paper-client.ts'

const resting = (client: Client, index: number): Promise<Seen> =>
  client.signed('POST', 'order', {
    symbol: 'BTCUSDT',
    side: 'BUY',
    type: 'LIMIT',
    timeInForce: 'GTC',
    quantity: '0.001',
    price: '30000',
    newClientOrderId: `r${index}`,
  })

describe('limits [claim 9]', () => {
  test('of 51 resting orders in 10 s the last gets 429 -1015, and the next window takes one again', async () => {
    await using exchange = await createPaperExchange({ clock: 'manual' })
    const client = clientOf(exchange)
    const counts: unknown[] = []
    for (let index = 0; index < 50; index++) {
      const { headers } = await resting(client, index)
      counts.push([headers['x-mbx-order-count-10s'], headers['x-mbx-order-count-1d']])
    }
    expect(counts).toEqual(Array.from({ length: 50 }, (_, index) => [String(index + 1), String(index + 1)]))
    const last = await resting(client, 50)
    expect([last.status, last.json.code, last.headers['retry-after']]).toEqual([
      429,
      -1015,
      expect.stringMatching(/^([1-9]|10)$/),
    ])
    await exchange.advance(Number(last.headers['retry-after']) * 1000)
    expect((await resting(client, 51)).status).toBe(200)
  })

  test('every answer carries the weight used so far, and a failed order costs one', async () => {
    await using exchange = await createPaperExchange({ clock: 'manual' })
    const client = clientOf(exchange)
    const key = { 'x-mbx-apikey': client.account.apiKey }
    const calls: [() => Promise<Seen>, number][] = [
      [() => send('GET', `${exchange.urls.rest}/api/v3/ping`, { headers: key }), 1],
      [() => send('GET', `${exchange.urls.rest}/api/v3/time`, { headers: key }), 1],
      [() => send('GET', `${exchange.urls.rest}/api/v3/exchangeInfo`, { headers: key }), 20],
      [() => send('GET', `${exchange.urls.rest}/api/v3/klines?symbol=BTCUSDT&interval=1m`, { headers: key }), 2],
      [() => send('GET', `${exchange.urls.rest}/api/v3/ticker/bookTicker`, { headers: key }), 4],
      [() => send('GET', `${exchange.urls.rest}/api/v3/ticker/bookTicker?symbol=BTCUSDT`, { headers: key }), 2],
      [() => send('GET', `${exchange.urls.rest}/api/v3/avgPrice?symbol=BTCUSDT`, { headers: key }), 2],
      [() => send('GET', `${exchange.urls.rest}/api/v3/depth?symbol=BTCUSDT`, { headers: key }), 5],
      [() => client.buy(), 0],
      [() => client.buy({ quantity: '1000000000' }), 1],
      [
        () => client.signed('POST', 'order/test', { symbol: 'BTCUSDT', side: 'BUY', type: 'MARKET', quantity: '0.01' }),
        1,
      ],
      [() => client.signed('GET', 'order', { symbol: 'BTCUSDT', orderId: 1 }), 4],
      [() => client.signed('GET', 'order', { symbol: 'BTCUSDT', orderId: 999 }), 4],
      [() => client.signed('DELETE', 'order', { symbol: 'BTCUSDT', orderId: 999 }), 1],
      [() => client.signed('DELETE', 'openOrders', { symbol: 'BTCUSDT' }), 1],
      [() => client.signed('GET', 'openOrders', { symbol: 'BTCUSDT' }), 6],
      [() => client.signed('GET', 'openOrders'), 80],
      [() => client.signed('GET', 'allOrders', { symbol: 'BTCUSDT' }), 20],
      [() => client.signed('GET', 'myTrades', { symbol: 'BTCUSDT' }), 20],
      [() => client.signed('GET', 'myTrades', { symbol: 'BTCUSDT', orderId: 1 }), 5],
      [() => client.signed('GET', 'account'), 20],
      [() => client.signed('GET', 'rateLimit/order'), 40],
    ]
    let used = 0
    for (const [call, weight] of calls) {
      const seen = await call()
      used += weight
      expect([seen.status < 500, seen.headers['x-mbx-used-weight-1m']]).toEqual([true, String(used)])
    }
    const state = exchange.controls.state('demo')
    expect(state).toMatchObject({ ok: true, value: { usedWeight: used } })
  })

  test('above the weight 429 until the minute ends, 418 after three strikes, and the second ban is twice the first', async () => {
    await using exchange = await createPaperExchange({ clock: 'manual', weightLimit: 100, banMs: 120_000 })
    const client = clientOf(exchange)
    const ask = async (): Promise<[number, number]> => {
      const { status, headers } = await client.signed('GET', 'openOrders')
      return [status, Number(headers['retry-after'] ?? 0)]
    }
    const provoke = async (): Promise<[number, number][]> => {
      const seen: [number, number][] = [await ask(), await ask()]
      // On the wire when the 429 was sent: no strike.
      await exchange.advance(250)
      seen.push(await ask())
      await exchange.advance(1)
      for (let strike = 0; strike < 4; strike++) seen.push(await ask())
      return seen
    }
    const first = await provoke()
    expect(first).toEqual([
      [200, 0],
      [429, 60],
      [429, 60],
      [429, 60],
      [429, 60],
      [429, 60],
      [418, 120],
    ])
    await exchange.advance(120_000)
    // 40.251 s of the minute are gone.
    const second = await provoke()
    expect(second.map(([status]) => status)).toEqual([200, 429, 429, 429, 429, 429, 418])
    expect(second.at(-1)?.[1]).toBe(240)
    const strikes = exchange
      .truth({ type: 'request' })
      .entries.filter(entry => 'duringRetryAfter' in entry && entry.duringRetryAfter)
    expect(strikes).toHaveLength(8)
  })

  test('sources are told apart by key, or with limit-by ip not at all', async () => {
    for (const [limitBy, expected] of [
      ['key', 200],
      ['ip', 429],
    ] as const) {
      await using exchange = await createPaperExchange({
        clock: 'manual',
        weightLimit: 100,
        limitBy,
        accounts: ['one', 'two'],
      })
      const one = clientOf(exchange, 'one')
      await one.signed('GET', 'openOrders')
      expect((await one.signed('GET', 'openOrders')).status).toBe(429)
      expect((await clientOf(exchange, 'two').signed('GET', 'account')).status).toBe(expected)
    }
  })
})
