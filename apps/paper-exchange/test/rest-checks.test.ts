import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPaperExchange } from '../src/index.ts'
import type { PaperExchange } from '../src/index.ts'
import { clientOf, createClient, encode, send, sign, venueOf } from './paper-client.ts'
import type { Client, Json, Params } from './paper-client.ts'

let exchange: PaperExchange
let client: Client

beforeAll(async () => {
  exchange = await createPaperExchange({ clock: 'manual', readLagMs: 0, orders10s: 1_000_000, weightLimit: 1_000_000 })
  client = clientOf(exchange)
})
afterAll(() => exchange[Symbol.asyncDispose]())

const LIMIT: Params = {
  symbol: 'BTCUSDT',
  side: 'BUY',
  type: 'LIMIT',
  timeInForce: 'GTC',
  quantity: '0.001',
  price: '30000',
}
const order = (change: Params = {}, without: string[] = []): Params =>
  Object.fromEntries(Object.entries({ ...LIMIT, ...change }).filter(([name]) => !without.includes(name)))

describe('the order of the checks [claim 3]', () => {
  test('a request wrong in every way is told its faults one by one, in the order of section 4', async () => {
    await using strict = await createPaperExchange({ clock: 'manual', weightLimit: 40, orders10s: 1 })
    const { account } = clientOf(strict)
    const trader = createClient(venueOf(strict), account)
    const now = (): number => strict.controls.clock().nowMs
    await trader.signed('GET', 'account')
    await trader.signed('GET', 'account')
    const seen: [number, number][] = []
    const wrong = async (key: string, params: Params, signature?: string, path = 'order'): Promise<void> => {
      const query = encode(params)
      const suffix = signature === undefined ? `&signature=${sign(account.secret, query)}` : signature
      const method = path === 'order' ? 'POST' : 'GET'
      const answer = await send(method, `${strict.urls.rest}/api/v3/${path}?${query}${suffix}`, {
        headers: { 'x-mbx-apikey': key },
      })
      seen.push([answer.status, answer.json.code])
    }
    const bad = { symbol: 'NOPEUSDT', side: 'BUY', type: 'LIMIT', timestamp: 1 }
    const stranger = account.apiKey.replace(/.$/, last => (last === 'A' ? 'B' : 'A'))
    // Weight, then the gate it closes.
    await wrong(account.apiKey, { bad: '' }, '', 'account')
    await wrong(account.apiKey, { bad: '' }, '')
    await strict.advance(60_000)
    // Key, parameters, time, signature.
    await wrong('short', { ...bad, quantity: 'x' }, '')
    await wrong(stranger, { ...bad, quantity: 'x' }, '')
    const complete = { ...LIMIT, symbol: 'NOPEUSDT' }
    await wrong(account.apiKey, { ...complete, quantity: 'x', timestamp: 1 }, '&signature=ff')
    await wrong(account.apiKey, { ...complete, timestamp: 1 }, '&signature=ff')
    await wrong(account.apiKey, { ...complete, timestamp: now() }, '&signature=ff')
    // Symbol, filters, state, budget, engine.
    strict.controls.setMarket({ status: 'HALT' })
    await wrong(account.apiKey, { ...complete, timestamp: now() })
    await wrong(account.apiKey, { ...LIMIT, price: '30000.001', timestamp: now() })
    await wrong(account.apiKey, { ...LIMIT, newClientOrderId: 'one', timestamp: now() })
    strict.controls.setMarket({ status: 'TRADING' })
    await wrong(account.apiKey, { ...LIMIT, newClientOrderId: 'one', timestamp: now() })
    await wrong(account.apiKey, { ...LIMIT, newClientOrderId: 'one', timestamp: now() })
    await strict.advance(10_000)
    await wrong(account.apiKey, { ...LIMIT, newClientOrderId: 'one', timestamp: now() })
    expect(seen).toEqual([
      [429, -1003],
      [429, -1003],
      [401, -2014],
      [401, -2015],
      [400, -1100],
      [400, -1021],
      [400, -1022],
      [400, -1121],
      [400, -1013],
      [400, -1013],
      [200, undefined],
      [429, -1015],
      [400, -2010],
    ])
  })

  const cases: [string, Params, number, string][] = [
    [
      'a missing parameter',
      order({}, ['price']),
      -1102,
      "Mandatory parameter 'price' was not sent, was empty/null, or malformed.",
    ],
    [
      'no symbol',
      order({}, ['symbol']),
      -1102,
      "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.",
    ],
    ['an empty parameter', order({ newClientOrderId: '' }), -1105, "Parameter 'newClientOrderId' was empty."],
    [
      'a client id with a space',
      order({ newClientOrderId: 'a b' }),
      -1100,
      "Illegal characters found in parameter 'newClientOrderId'; legal range is '^[a-zA-Z0-9-_]{1,36}$'.",
    ],
    [
      'a client id of 37 characters',
      order({ newClientOrderId: 'x'.repeat(37) }),
      -1100,
      "Illegal characters found in parameter 'newClientOrderId'; legal range is '^[a-zA-Z0-9-_]{1,36}$'.",
    ],
    [
      'an exponent',
      order({ quantity: '1e-3' }),
      -1100,
      "Illegal characters found in parameter 'quantity'; legal range is '^([0-9]{1,20})(\\.[0-9]{1,20})?$'.",
    ],
    [
      'an unknown parameter',
      order({ colour: 'red' }),
      -1104,
      "Not all sent parameters were read; read '8' parameter(s) but was sent '9'.",
    ],
    ['nine decimals', order({ quantity: '0.000000001' }), -1111, "Parameter 'quantity' has too much precision."],
    ['a wrong side', order({ side: 'HOLD' }), -1117, 'Invalid side.'],
    ['a wrong type', order({ type: 'MAYBE' }), -1116, 'Invalid orderType.'],
    ['a wrong time in force', order({ timeInForce: 'GTX' }), -1115, 'Invalid timeInForce.'],
    [
      'a market order with a price',
      order({ type: 'MARKET' }, ['timeInForce']),
      -1106,
      "Parameter 'price' sent when not required.",
    ],
    [
      'a market order of nothing',
      { symbol: 'BTCUSDT', side: 'BUY', type: 'MARKET' },
      -1102,
      "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!",
    ],
    [
      'a stop order',
      order({ type: 'STOP_LOSS_LIMIT', stopPrice: '1' }),
      -2010,
      'Stop loss limit orders are not supported for this symbol.',
    ],
    ['a window over a minute', order({ recvWindow: 60_001 }), -1131, "'recvWindow' must be less than 60000."],
    [
      'four decimals of a millisecond',
      order({ recvWindow: '5000.1234' }),
      -1100,
      "Illegal characters found in parameter 'recvWindow'; legal range is '^[0-9]{1,5}(\\.[0-9]{1,3})?$'.",
    ],
  ]
  test.each(cases)('%s is refused by its code and message', async (_name, params, code, msg) => {
    const { status, json } = await client.signed('POST', 'order/test', params)
    expect({ status, ...json }).toEqual({ status: 400, code, msg })
  })

  test('a name twice in one place is refused, in two places the query counts', async () => {
    const timestamp = exchange.controls.clock().nowMs
    const post = (query: string, body: string): Promise<{ json: Json }> => {
      const signature = sign(client.account.secret, `${query}${body}`)
      return send('POST', `${exchange.urls.rest}/api/v3/order?${query}&signature=${signature}`, {
        body,
        headers: { 'x-mbx-apikey': client.account.apiKey, 'content-type': 'application/x-www-form-urlencoded' },
      })
    }
    const twice = await post(`${encode({ ...LIMIT, timestamp })}&side=SELL`, '')
    expect(twice.json.code).toBe(-1101)
    const mixed = await post(encode({ ...LIMIT, timestamp }), 'side=SELL&price=99999')
    expect(mixed.json).toMatchObject({ side: 'BUY', price: '30000.00000000', status: 'NEW' })
  })

  test('the request may stand in the body alone', async () => {
    const body = encode({ ...LIMIT, timestamp: exchange.controls.clock().nowMs })
    const { json } = await send('POST', `${exchange.urls.rest}/api/v3/order`, {
      body: `${body}&signature=${sign(client.account.secret, body)}`,
      headers: { 'x-mbx-apikey': client.account.apiKey, 'content-type': 'application/x-www-form-urlencoded' },
    })
    expect(json).toMatchObject({ status: 'NEW' })
  })

  test('encoding happens before signing: a signature over the decoded text is refused', async () => {
    const decoded = `symbol=BTCUSDT&origClientOrderId=a_b-c&timestamp=${exchange.controls.clock().nowMs}`
    const encoded = decoded.replace('a_b-c', 'a%5Fb-c')
    const ask = (text: string): Promise<{ json: Json }> =>
      send('GET', `${exchange.urls.rest}/api/v3/order?${encoded}&signature=${sign(client.account.secret, text)}`, {
        headers: { 'x-mbx-apikey': client.account.apiKey },
      })
    expect((await ask(decoded)).json.code).toBe(-1022)
    expect((await ask(encoded)).json.code).toBe(-2013)
  })

  test('no key, a short key, an unknown key', async () => {
    const ask = (headers: Record<string, string>): Promise<{ status: number; json: Json }> =>
      send('GET', `${exchange.urls.rest}/api/v3/account?timestamp=1`, { headers })
    const seen = [await ask({}), await ask({ 'x-mbx-apikey': 'abc' }), await ask({ 'x-mbx-apikey': 'A'.repeat(64) })]
    expect(seen.map(({ status, json }) => [status, json])).toEqual([
      [401, { code: -2014, msg: 'API-key format invalid.' }],
      [401, { code: -2014, msg: 'API-key format invalid.' }],
      [401, { code: -2015, msg: 'Invalid API-key, IP, or permissions for action.' }],
    ])
  })
})

describe('time over a socket [claim 2]', () => {
  const at = async (ahead: number, recvWindow?: number | string): Promise<number | undefined> => {
    const timestamp = exchange.controls.clock().nowMs + ahead
    return (await client.signed('GET', 'account', { timestamp, ...(recvWindow === undefined ? {} : { recvWindow }) }))
      .json.code
  }

  test('999 ms ahead passes, 1000 ms does not; an age of the window passes, 1 ms more does not', async () => {
    expect([await at(999), await at(1000), await at(-5000), await at(-5001)]).toEqual([
      undefined,
      -1021,
      undefined,
      -1021,
    ])
    expect([await at(-60_000, 60_000), await at(0, 60_001), await at(-5000, '5000.5')]).toEqual([
      undefined,
      -1131,
      undefined,
    ])
    expect(
      (await client.signed('GET', 'account', { timestamp: `${exchange.controls.clock().nowMs}123` })).json.code,
    ).toBeUndefined()
  })

  test('a request held past its window is refused just before the engine, and costs one unfilled order', async () => {
    await using venue = await createPaperExchange({ clock: 'manual', barMs: 86_400_000 })
    venue.inject({ match: { clientOrderId: 'held' }, phase: 'before', action: { type: 'delay', ms: 3000 } })
    const trader = clientOf(venue)
    const answer = trader.signed('POST', 'order', { ...LIMIT, newClientOrderId: 'held', recvWindow: 2999 })
    while (venue.truth({ type: 'fault' }).entries.length === 0) await new Promise(resolve => setTimeout(resolve, 5))
    await venue.advance(3000)
    expect((await answer).json).toEqual({
      code: -1021,
      msg: 'Timestamp for this request is outside of the recvWindow.',
    })
    const count = await trader.signed('GET', 'rateLimit/order')
    expect(count.json.map((limit: Json) => limit.count)).toEqual([1, 1])
    expect(venue.truth({ type: 'accepted' }).entries).toEqual([])
    expect(venue.truth({ type: 'rejected' }).entries).toMatchObject([{ clientOrderId: 'held', code: -1021 }])
  })
})

describe('endpoints', () => {
  test('an unknown path is a 404 page, an ended listen key a 410', async () => {
    const nowhere = await client.open('GET', 'nothing')
    expect([nowhere.status, nowhere.headers['content-type']]).toEqual([404, 'text/html'])
    const ended = await client.open('POST', 'userDataStream')
    expect(ended.status).toBe(410)
  })

  test('an order id is compared with the client id it comes with', async () => {
    const placed = await client.signed('POST', 'order', { ...LIMIT, newClientOrderId: 'mine' })
    const ask = async (params: Params): Promise<Json> =>
      (await client.signed('GET', 'order', { symbol: 'BTCUSDT', ...params })).json
    expect(await ask({ orderId: placed.json.orderId, origClientOrderId: 'mine' })).toMatchObject({
      clientOrderId: 'mine',
    })
    expect(await ask({ orderId: placed.json.orderId, origClientOrderId: 'other' })).toEqual({
      code: -2039,
      msg: expect.any(String),
    })
    expect((await ask({})).code).toBe(-1102)
  })

  test('both ids of a cancelled order find it', async () => {
    await client.signed('POST', 'order', { ...LIMIT, newClientOrderId: 'first' })
    const cancelled = await client.signed('DELETE', 'order', {
      symbol: 'BTCUSDT',
      origClientOrderId: 'first',
      newClientOrderId: 'second',
    })
    expect(cancelled.json).toMatchObject({ status: 'CANCELED', origClientOrderId: 'first', clientOrderId: 'second' })
    for (const origClientOrderId of ['first', 'second']) {
      const found = await client.signed('GET', 'order', { symbol: 'BTCUSDT', origClientOrderId })
      expect(found.json).toMatchObject({ orderId: cancelled.json.orderId, status: 'CANCELED' })
    }
    const again = await client.signed('DELETE', 'order', { symbol: 'BTCUSDT', origClientOrderId: 'first' })
    expect(again.json).toEqual({ code: -2011, msg: 'Unknown order sent.' })
  })

  test('over 24 hours between the times is -1127, an undocumented combination -1128', async () => {
    const wide = await client.signed('GET', 'allOrders', { symbol: 'BTCUSDT', startTime: 0, endTime: 86_400_001 })
    expect(wide.json).toEqual({ code: -1127, msg: 'More than 24 hours between startTime and endTime.' })
    const odd = await client.signed('GET', 'myTrades', { symbol: 'BTCUSDT', fromId: 1, startTime: 1 })
    expect(odd.json.code).toBe(-1128)
  })
})
