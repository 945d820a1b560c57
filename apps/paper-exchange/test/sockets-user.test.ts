import { describe, expect, test } from 'vitest'
import { createPaperExchange } from '../src/index.ts'
import type { PaperExchange } from '../src/index.ts'
import { clientOf, listen, settle, subscribe, until } from './paper-client.ts'
import type { Ear, Json } from './paper-client.ts'

const now = (exchange: PaperExchange): number => exchange.controls.clock().nowMs
const events = (ear: Ear): Json[] => ear.messages.filter(message => message.event !== undefined)
const isFilled = (message: Json): boolean => message.event?.X === 'FILLED'

const DAY_MS = 86_400_000

describe('user stream [claim 11]', () => {
  test('two connections get every event, another account none', async () => {
    await using exchange = await createPaperExchange({ clock: 'manual', accounts: ['one', 'two'] })
    const one = clientOf(exchange, 'one')
    await using left = await listen(exchange.urls.wsApi)
    await using right = await listen(exchange.urls.wsApi)
    await using other = await listen(exchange.urls.wsApi)
    await subscribe(left, one.account, now(exchange))
    await subscribe(right, one.account, now(exchange))
    await subscribe(other, clientOf(exchange, 'two').account, now(exchange))
    await one.buy({ newClientOrderId: 'a' })
    await one.signed('POST', 'order', {
      symbol: 'BTCUSDT',
      side: 'BUY',
      type: 'LIMIT',
      timeInForce: 'GTC',
      quantity: '0.001',
      price: '30000',
      newClientOrderId: 'b',
    })
    await one.signed('DELETE', 'order', { symbol: 'BTCUSDT', origClientOrderId: 'b', newClientOrderId: 'b-c' })
    const isCancel = (message: Json): boolean => message.event?.x === 'CANCELED'
    const cancel = await left.first(isCancel)
    await right.first(isCancel)
    await until(() => events(left).length === events(right).length)
    await settle()
    expect(events(left)).toEqual(events(right))
    expect(events(left).map(({ event }) => event.x ?? event.e)).toEqual([
      'NEW',
      'TRADE',
      'outboundAccountPosition',
      'NEW',
      'outboundAccountPosition',
      'CANCELED',
      'outboundAccountPosition',
    ])
    expect([cancel.event.c, cancel.event.C]).toEqual(['b-c', 'b'])
    expect(events(other)).toEqual([])
  })

  test('a wrong signature, an unknown key and a late request subscribe to nothing', async () => {
    await using exchange = await createPaperExchange({ clock: 'manual' })
    const { account } = clientOf(exchange)
    await using ear = await listen(exchange.urls.wsApi)
    const answers = [
      await subscribe(ear, account, now(exchange), { signature: 'f'.repeat(64) }),
      await subscribe(ear, account, now(exchange) + 1, { apiKey: 'A'.repeat(64) }),
      await subscribe(ear, account, now(exchange) - 5001),
    ]
    expect(answers.map(({ status, error }) => [status, error.code])).toEqual([
      [400, -1022],
      [401, -2015],
      [400, -1021],
    ])
    await clientOf(exchange).buy()
    await settle()
    expect(events(ear)).toEqual([])
  })

  test('an ended subscription says so and carries nothing more', async () => {
    await using exchange = await createPaperExchange({ clock: 'manual' })
    const client = clientOf(exchange)
    await using ear = await listen(exchange.urls.wsApi)
    const { result } = await subscribe(ear, client.account, now(exchange))
    expect((await subscribe(ear, client.account, now(exchange))).error.code).toBe(-2035)
    ear.send({ id: 9, method: 'userDataStream.unsubscribe', params: { subscriptionId: result.subscriptionId } })
    expect(await ear.first(message => message.id === 9)).toMatchObject({ status: 200, result: {} })
    await client.buy()
    await settle()
    expect(events(ear).map(({ event }) => event.e)).toEqual(['eventStreamTerminated'])
  })

  test('ping, time and session.status answer with their weight', async () => {
    await using exchange = await createPaperExchange({ clock: 'manual' })
    await using ear = await listen(exchange.urls.wsApi)
    const ask = async (id: number, method: string): Promise<Json> => {
      ear.send({ id, method })
      return ear.first(message => message.id === id)
    }
    const answers = [await ask(1, 'ping'), await ask(2, 'time'), await ask(3, 'session.status'), await ask(4, 'dance')]
    expect(answers.map(answer => [answer.status, answer.rateLimits[0].count])).toEqual([
      // The connection itself cost 2.
      [200, 3],
      [200, 4],
      [200, 6],
      [400, 7],
    ])
    expect(answers[1].result).toEqual({ serverTime: now(exchange) })
    expect(answers[2].result).toMatchObject({ apiKey: null, userDataStream: false })
  })

  test('a closed gate is told on the socket with the moment it opens', async () => {
    await using exchange = await createPaperExchange({ clock: 'manual', weightLimit: 3 })
    await using ear = await listen(exchange.urls.wsApi)
    ear.send({ id: 1, method: 'session.status' })
    const answer = await ear.first(message => message.id === 1)
    expect(answer).toMatchObject({ status: 429, error: { code: -1003, data: { retryAfter: now(exchange) + 60_000 } } })
    await expect(listen(exchange.urls.wsApi)).rejects.toThrow('429')
  })

  test('a ping comes every 20 s; without a pong the connection ends 60 s after the first', async () => {
    await using exchange = await createPaperExchange({ clock: 'manual', barMs: DAY_MS })
    await using polite = await listen(exchange.urls.wsApi)
    await using mute = await listen(exchange.urls.wsApi, { autoPong: false })
    for (let step = 1; step <= 3; step++) {
      await exchange.advance(20_000)
      await until(() => polite.pings.length === step && mute.pings.length === step)
    }
    await settle()
    expect([polite.socket.readyState, mute.socket.readyState]).toEqual([1, 1])
    await exchange.advance(20_000)
    expect(await mute.closed).toBe(1006)
    expect(polite.socket.readyState).toBe(1)
  })

  test('connections end after 24 hours, however far the clock jumps at once', async () => {
    await using exchange = await createPaperExchange({ clock: 'manual', barMs: DAY_MS })
    await using ear = await listen(exchange.urls.wsApi)
    await exchange.advance(DAY_MS - 1)
    await settle()
    expect(ear.socket.readyState).toBe(1)
    await exchange.advance(1)
    expect(await ear.closed).toBe(1001)
  })

  test('five messages a second pass, the sixth ends the connection', async () => {
    await using exchange = await createPaperExchange({ clock: 'manual', barMs: DAY_MS })
    await using ear = await listen(exchange.urls.wsApi)
    for (let id = 1; id <= 5; id++) ear.send({ id, method: 'ping' })
    await ear.first(message => message.id === 5)
    await exchange.advance(1000)
    for (let id = 6; id <= 10; id++) ear.send({ id, method: 'ping' })
    await ear.first(message => message.id === 10)
    ear.send({ id: 11, method: 'ping' })
    expect(await ear.closed).toBe(1008)
  })

  test('serverShutdown announces an early end, and the end of the exchange too', async () => {
    await using exchange = await createPaperExchange({ clock: 'manual', barMs: DAY_MS })
    const client = clientOf(exchange)
    await using ear = await listen(exchange.urls.wsApi)
    await subscribe(ear, client.account, now(exchange))
    exchange.inject({ match: { channel: 'user-stream' }, phase: 'stream', action: { type: 'shutdown' } })
    expect(await ear.first(message => message.event?.e === 'serverShutdown')).toEqual({
      event: { e: 'serverShutdown', E: now(exchange) },
    })
    // Until the end events still come.
    await client.buy({ newClientOrderId: 'late' })
    await ear.first(isFilled)
    await exchange.advance(1000)
    expect(await ear.closed).toBe(1001)
    await using last = await listen(exchange.urls.wsApi)
    await subscribe(last, client.account, now(exchange))
    const stopped = exchange[Symbol.asyncDispose]()
    await last.first(message => message.event?.e === 'serverShutdown')
    expect(await last.closed).toBe(1001)
    await stopped
  })
})

describe('faults of WebSocket requests [claim 13]', () => {
  test('reset, close, status, garbage and truncate meet a subscription as they meet a REST call', async () => {
    await using exchange = await createPaperExchange({ clock: 'manual' })
    const { account } = clientOf(exchange)
    const before = async (action: object): Promise<Ear> => {
      exchange.inject({ match: { channel: 'ws-api' }, phase: 'after', action, times: 1 })
      const ear = await listen(exchange.urls.wsApi)
      void subscribe(ear, account, now(exchange))
      return ear
    }
    for (const type of ['reset', 'close']) {
      await using ear = await before({ type })
      expect([await ear.closed, ear.messages]).toEqual([1006, []])
      exchange.controls.removeFaults(undefined)
    }
    await using refused = await before({ type: 'status', status: 503 })
    expect(await refused.first(() => true)).toMatchObject({ status: 503, error: { code: -1007 } })
    exchange.controls.removeFaults(undefined)
    await using garbage = await before({ type: 'garbage' })
    expect(typeof (await garbage.first(() => true))).toBe('string')
    exchange.controls.removeFaults(undefined)
    await using cut = await before({ type: 'truncate', bytes: 12 })
    expect(await cut.first(() => true)).toHaveLength(12)
    // Whatever the answer met: phase `after` means that the subscription exists.
    await clientOf(exchange).buy()
    await Promise.all([refused, garbage, cut].map(ear => ear.first(isFilled)))
  })
})

describe('faults of streams and events [claim 13]', () => {
  const setUp = async (): Promise<{ exchange: PaperExchange; ear: Ear } & AsyncDisposable> => {
    const exchange = await createPaperExchange({ clock: 'manual', barMs: DAY_MS })
    const ear = await listen(exchange.urls.wsApi)
    await subscribe(ear, clientOf(exchange).account, now(exchange))
    return {
      exchange,
      ear,
      [Symbol.asyncDispose]: async () => {
        await ear[Symbol.asyncDispose]()
        await exchange[Symbol.asyncDispose]()
      },
    }
  }
  const trades = (ear: Ear): string[] => events(ear).flatMap(({ event }) => (event.x === 'TRADE' ? [event.c] : []))
  const fault = (action: object, more: object = {}): object => ({
    match: { channel: 'user-stream', event: 'executionReport', ...more },
    phase: 'event',
    action,
  })

  test('repeat sends an event twice', async () => {
    await using set = await setUp()
    set.exchange.inject({ ...fault({ type: 'repeat' }, { nth: 2 }) })
    await clientOf(set.exchange).buy({ newClientOrderId: 'x' })
    await until(() => trades(set.ear).length === 2)
    const [first, second] = events(set.ear).filter(({ event }) => event.x === 'TRADE')
    expect(first).toEqual(second)
  })

  test('reorder swaps an event with the next one, and sends it alone when none follows', async () => {
    await using set = await setUp()
    set.exchange.inject({ ...fault({ type: 'reorder' }, { nth: 1 }) })
    await clientOf(set.exchange).buy({ newClientOrderId: 'x' })
    await set.ear.first(message => message.event?.x === 'NEW')
    expect(events(set.ear).map(({ event }) => event.x ?? event.e)).toEqual(['TRADE', 'NEW', 'outboundAccountPosition'])
    set.exchange.inject({
      match: { event: 'outboundAccountPosition', nth: 1 },
      phase: 'event',
      action: { type: 'reorder' },
    })
    await clientOf(set.exchange).buy({ newClientOrderId: 'y' })
    await settle()
    expect(events(set.ear)).toHaveLength(5)
    await set.exchange.advance(1000)
    await until(() => events(set.ear).length === 6)
  })

  test('lag holds an event back and lets the later ones pass', async () => {
    await using set = await setUp()
    set.exchange.inject({ ...fault({ type: 'lag', ms: 500 }, { clientOrderId: 'x' }) })
    await clientOf(set.exchange).buy({ newClientOrderId: 'x' })
    await clientOf(set.exchange).buy({ newClientOrderId: 'y' })
    await until(() => trades(set.ear).length === 1)
    await set.exchange.advance(499)
    await settle()
    expect(trades(set.ear)).toEqual(['y'])
    await set.exchange.advance(1)
    await until(() => trades(set.ear).length === 2)
    expect(trades(set.ear)).toEqual(['y', 'x'])
  })

  test('drop ends the socket at once, silence keeps it open without events', async () => {
    await using set = await setUp()
    set.exchange.inject({
      match: { channel: 'user-stream' },
      phase: 'stream',
      action: { type: 'silence', ms: 3000 },
      times: 1,
    })
    await clientOf(set.exchange).buy({ newClientOrderId: 'lost' })
    await set.exchange.advance(3000)
    await clientOf(set.exchange).buy({ newClientOrderId: 'told' })
    await until(() => trades(set.ear).length === 1)
    expect(trades(set.ear)).toEqual(['told'])
    set.exchange.inject({ match: { account: 'demo' }, phase: 'stream', action: { type: 'drop' } })
    expect(await set.ear.closed).toBe(1006)
    expect(set.exchange.truth({ type: 'fault' }).entries).toMatchObject([{ action: 'silence' }, { action: 'drop' }])
    // Without a number of times a stream fault acts once: the next connection stays.
    await using next = await listen(set.exchange.urls.wsApi)
    await subscribe(next, clientOf(set.exchange).account, now(set.exchange))
    await clientOf(set.exchange).buy({ newClientOrderId: 'after' })
    await next.first(isFilled)
  })

  test('a stream fault before its time waits for it, and without a socket for the first one', async () => {
    await using exchange = await createPaperExchange({ clock: 'manual', barMs: DAY_MS })
    exchange.inject({
      match: { channel: 'user-stream', fromMs: 5000 },
      phase: 'stream',
      action: { type: 'drop' },
      times: 1,
    })
    await using early = await listen(exchange.urls.wsApi)
    await subscribe(early, clientOf(exchange).account, now(exchange))
    await exchange.advance(4999)
    await settle()
    expect(early.socket.readyState).toBe(1)
    await early[Symbol.asyncDispose]()
    await settle()
    await exchange.advance(1)
    await using late = await listen(exchange.urls.wsApi)
    void subscribe(late, clientOf(exchange).account, now(exchange))
    expect(await late.closed).toBe(1006)
  })
})
