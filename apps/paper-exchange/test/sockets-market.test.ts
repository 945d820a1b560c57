import { describe, expect, test } from 'vitest'
import { createPaperExchange } from '../src/index.ts'
import type { PaperExchange } from '../src/index.ts'
import { clientOf, listen, send, settle, until } from './paper-client.ts'
import type { Ear, Json } from './paper-client.ts'

const closedBars = (ear: Ear): Json[] =>
  ear.messages.map(message => message.data ?? message).filter(message => message.e === 'kline' && message.k.x)

const asRow = ({ k }: Json): unknown[] => [k.t, k.o, k.h, k.l, k.c, k.v, k.T, k.q, k.n, k.V, k.Q, k.B]

const single = (exchange: PaperExchange, names: string): string =>
  exchange.urls.streams.replace('/stream', `/ws/${names}`)

describe('market streams', () => {
  test('closed bars of REST and both stream forms are equal, and low <= open <= high [claim 12]', async () => {
    await using exchange = await createPaperExchange({ clock: 'manual', barMs: 60_000 })
    await using plain = await listen(single(exchange, 'btcusdt@kline_1m/btcusdt@trade'))
    await using combined = await listen(`${exchange.urls.streams}?streams=btcusdt@kline_1m/ethusdt@kline_1m`)
    await exchange.advance(20 * 60_000)
    await until(() => closedBars(plain).length >= 20 && closedBars(combined).length >= 40)
    const { json } = await clientOf(exchange).open('GET', 'klines', { symbol: 'BTCUSDT', interval: '1m', limit: 21 })
    const closed = json.slice(0, -1)
    const fromPlain = closedBars(plain).map(bar => asRow(bar))
    const fromCombined = closedBars(combined)
      .filter(bar => bar.s === 'BTCUSDT')
      .map(bar => asRow(bar))
    expect(fromPlain).toEqual(closed)
    expect(fromCombined).toEqual(closed)
    for (const [, open, high, low, close] of json) {
      expect(Number(low)).toBeLessThanOrEqual(Math.min(Number(open), Number(close)))
      expect(Number(high)).toBeGreaterThanOrEqual(Math.max(Number(open), Number(close)))
    }
    expect(combined.messages.every(message => message.stream.endsWith('@kline_1m'))).toBe(true)
    const trades = plain.messages.filter(message => message.e === 'trade')
    expect(trades.map(trade => trade.t)).toEqual(trades.map((_, index) => trades[0].t + index))
  })

  test('a running bar comes every two seconds', async () => {
    await using exchange = await createPaperExchange({ clock: 'manual', barMs: 60_000 })
    await using ear = await listen(single(exchange, 'btcusdt@kline_1m'))
    await exchange.advance(10_000)
    await until(() => ear.messages.length >= 5)
    await settle()
    expect(ear.messages.map(({ k, E }) => [k.x, E])).toEqual(
      [1, 2, 3, 4, 5].map(step => [false, 1_700_000_100_000 + 2000 * step]),
    )
  })

  test('subscriptions change on an open connection and are listed', async () => {
    await using exchange = await createPaperExchange({ clock: 'manual', barMs: 60_000 })
    await using ear = await listen(exchange.urls.streams)
    const ask = async (id: number, method: string, params?: string[]): Promise<Json> => {
      ear.send({ id, method, ...(params === undefined ? {} : { params }) })
      return ear.first(message => message.id === id)
    }
    expect(await ask(1, 'SUBSCRIBE', ['btcusdt@bookTicker', 'ethusdt@trade'])).toEqual({ result: null, id: 1 })
    expect(await ask(2, 'UNSUBSCRIBE', ['ethusdt@trade'])).toEqual({ result: null, id: 2 })
    expect(await ask(3, 'LIST_SUBSCRIPTIONS')).toEqual({ result: ['btcusdt@bookTicker'], id: 3 })
    expect(await ask(4, 'SHOUT')).toMatchObject({ error: { code: 2 }, id: 4 })
    await exchange.advance(5000)
    await ear.first(message => message.stream === 'btcusdt@bookTicker')
    ear.send('not json')
    expect(await ear.first(message => message.error?.code === 3)).toMatchObject({ id: null })
    expect(ear.messages.some(message => message.stream === 'ethusdt@trade')).toBe(false)
  })

  test('an event fault meets the market stream too', async () => {
    await using exchange = await createPaperExchange({ clock: 'manual', barMs: 60_000 })
    await using ear = await listen(single(exchange, 'btcusdt@kline_1m'))
    exchange.inject({
      match: { channel: 'market-stream', event: 'kline', nth: 1 },
      phase: 'event',
      action: { type: 'repeat' },
    })
    await exchange.advance(4000)
    await until(() => ear.messages.length >= 3)
    expect(ear.messages.map(({ E }) => E - 1_700_000_100_000)).toEqual([2000, 2000, 4000])
  })

  test('an unknown door is refused, and the book is the one REST shows', async () => {
    await using exchange = await createPaperExchange({ clock: 'manual', barMs: 60_000 })
    await expect(listen(exchange.urls.streams.replace('/stream', '/nothing'))).rejects.toThrow('404')
    await using ear = await listen(single(exchange, 'btcusdt@bookTicker'))
    await exchange.advance(5000)
    await until(() => ear.messages.length > 0)
    await settle()
    const { json } = await send('GET', `${exchange.urls.rest}/api/v3/ticker/bookTicker?symbol=BTCUSDT`)
    const { b, B, a, A } = ear.messages.at(-1)
    expect({ symbol: 'BTCUSDT', bidPrice: b, bidQty: B, askPrice: a, askQty: A }).toEqual(json)
  })
})
