import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { createFaultyProxy, createPaperExchange } from '../src/index.ts'
import type { FaultyProxy, PaperExchange } from '../src/index.ts'
import { createClient, send, until } from './paper-client.ts'
import type { Client, Json } from './paper-client.ts'
import { runPaper, startPaper } from './paper-process.ts'

interface Stage extends AsyncDisposable {
  exchange: PaperExchange
  proxy: FaultyProxy
  client: Client
}

async function setUp(): Promise<Stage> {
  const exchange = await createPaperExchange({ clock: 'manual', barMs: 86_400_000 })
  const proxy = await createFaultyProxy({ upstream: exchange.urls.rest })
  const nowMs = (): number => exchange.controls.clock().nowMs
  return {
    exchange,
    proxy,
    client: createClient({ rest: proxy.urls.rest, nowMs }, exchange.accounts[0] as never),
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]()
      await exchange[Symbol.asyncDispose]()
    },
  }
}

describe('proxy [claim 21]', () => {
  test('the upstream accepts, the client gets a reset, and the log holds the order id', async () => {
    await using stage = await setUp()
    const { proxy, exchange, client } = stage
    proxy.inject({ match: { method: 'POST', path: '/api/v3/order' }, phase: 'after', action: { type: 'reset' } })
    const seen = await client.buy({ newClientOrderId: 'through' })
    expect(seen).toMatchObject({ status: 0, failure: 'ECONNRESET' })
    const [order] = exchange.truth({ type: 'accepted' }).entries
    expect(order).toMatchObject({ clientOrderId: 'through' })
    const [logged] = proxy.truth({ type: 'accepted' }).entries
    expect(logged).toMatchObject({ clientOrderId: 'through', orderId: (order as { orderId?: number }).orderId })
    expect(proxy.truth({ type: 'answer' }).entries).toMatchObject([{ status: 200, sent: 'none' }])
    const text = JSON.stringify(proxy.truth())
    expect([text.includes(client.account.apiKey), text.includes(client.account.secret)]).toEqual([false, false])
  })

  test('requests pass byte for byte and answers come back as they are', async () => {
    const heard: unknown[] = []
    const server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', chunk => chunks.push(chunk))
      request.on('end', () => {
        const { method, url, headers } = request
        heard.push([
          method,
          url,
          headers.host,
          headers['x-mbx-apikey'],
          headers['x-odd'],
          Buffer.concat(chunks).toString('latin1'),
        ])
        response.writeHead(418, { 'x-mbx-used-weight-1m': '17', 'retry-after': '9', 'content-type': 'text/plain' })
        response.end('as it is')
      })
    }).listen(0, '127.0.0.1')
    await new Promise(resolve => server.once('listening', resolve))
    const origin = `127.0.0.1:${(server.address() as AddressInfo).port}`
    await using proxy = await createFaultyProxy({ upstream: `http://${origin}` })
    const seen = await send('POST', `${proxy.urls.rest}/api/v3/order?b=%7e+x&a=%7E&b=2`, {
      body: 'c=%20&signature=AbC',
      headers: { 'x-mbx-apikey': 'whatever', 'X-Odd': 'kept' },
    })
    expect(heard).toEqual([
      ['POST', '/api/v3/order?b=%7e+x&a=%7E&b=2', origin, 'whatever', 'kept', 'c=%20&signature=AbC'],
    ])
    expect(seen).toMatchObject({
      status: 418,
      text: 'as it is',
      headers: { 'x-mbx-used-weight-1m': '17', 'retry-after': '9', 'content-type': 'text/plain' },
    })
    server.close()
    server.closeAllConnections()
  })

  test('before: nothing is forwarded; delay forwards late, duplicate twice', async () => {
    await using stage = await setUp()
    const { proxy, exchange, client } = stage
    const accepted = (id: string): number =>
      exchange
        .truth({ type: 'accepted' })
        .entries.filter(entry => 'clientOrderId' in entry && entry.clientOrderId === id).length
    const fault = (id: string, action: object): unknown =>
      proxy.inject({ match: { clientOrderId: id }, phase: 'before', action })
    fault('hang', { type: 'hang', ms: 20 })
    fault('reset', { type: 'reset' })
    fault('close', { type: 'close' })
    fault('status', { type: 'status', status: 503 })
    fault('delay', { type: 'delay', ms: 20 })
    fault('duplicate', { type: 'duplicate' })
    const statuses: Record<string, number> = {}
    for (const id of ['hang', 'reset', 'close', 'status', 'delay', 'duplicate']) {
      statuses[id] = (await client.buy({ newClientOrderId: id })).status
    }
    expect(statuses).toEqual({ hang: 0, reset: 0, close: 0, status: 503, delay: 200, duplicate: 200 })
    await until(() => accepted('duplicate') === 2)
    expect(['hang', 'reset', 'close', 'status', 'delay'].map(accepted)).toEqual([0, 0, 0, 0, 1])
  })

  test('after: truncate, garbage and hide spoil what a real engine has answered; limit closes the gate', async () => {
    await using stage = await setUp()
    const { proxy, exchange, client } = stage
    const fault = (id: string, phase: string, action: object): unknown =>
      proxy.inject({ match: { clientOrderId: id }, phase, action })
    fault('cut', 'after', { type: 'truncate', bytes: 10 })
    fault('garbage', 'after', { type: 'garbage' })
    fault('hidden', 'after', { type: 'hide', ms: 86_400_000 })
    fault('limit', 'before', { type: 'limit', retryAfterS: 1000 })
    expect(await client.buy({ newClientOrderId: 'cut' })).toMatchObject({ status: 200, failure: 'cut' })
    expect(await client.buy({ newClientOrderId: 'garbage' })).toMatchObject({ status: 200, json: undefined })
    const hidden = await client.buy({ newClientOrderId: 'hidden' })
    const found = await client.signed('GET', 'order', { symbol: 'BTCUSDT', orderId: hidden.json.orderId })
    expect(found).toMatchObject({ status: 400, json: { code: -2013 } })
    const all = await client.signed('GET', 'allOrders', { symbol: 'BTCUSDT' })
    expect(all.json.map((row: Json) => row.clientOrderId)).toEqual(['cut', 'garbage'])
    expect(exchange.truth({ type: 'accepted' }).entries).toHaveLength(3)
    expect(await client.buy({ newClientOrderId: 'limit' })).toMatchObject({
      status: 429,
      headers: { 'retry-after': '1000' },
    })
    expect((await client.signed('GET', 'account')).status).toBe(429)
  })

  test('an upstream that is gone is a 502, not a silence', async () => {
    const exchange = await createPaperExchange({})
    await using proxy = await createFaultyProxy({ upstream: exchange.urls.rest })
    await exchange[Symbol.asyncDispose]()
    expect(await send('GET', `${proxy.urls.rest}/api/v3/time`)).toMatchObject({ status: 502, json: { code: -1001 } })
  })

  test.each([
    'https://api.binance.com',
    'https://api1.binance.com',
    'http://testnet.binance.vision',
    'https://testnet.binance.vision.evil.example',
    'https://user:pass@testnet.binance.vision',
    'https://testnet.binance.vision:444',
    'https://testnet.binance.vision/path',
    'http://192.168.0.1',
    'ftp://127.0.0.1',
    'nonsense',
  ])('%s is refused', async upstream => {
    await expect(createFaultyProxy({ upstream })).rejects.toMatchObject({ code: 'ERR_PAPER_OPTIONS' })
  })

  test.each(['https://testnet.binance.vision', 'https://demo-api.binance.com', 'http://localhost:1', 'http://[::1]:1'])(
    '%s is allowed',
    async upstream => {
      await using proxy = await createFaultyProxy({ upstream })
      expect(proxy.upstream).toBe(upstream)
    },
  )

  test('the command starts with a ready event, takes faults over its control plane and refuses the real exchange with 2', async () => {
    await using exchange = await createPaperExchange({})
    await using paper = await startPaper(['proxy', '--upstream', exchange.urls.rest, '--port', '0'])
    const { control, controlToken, rest } = paper.ready
    const body = JSON.stringify({
      match: { path: '/api/v3/time' },
      phase: 'after',
      action: { type: 'status', status: 500 },
    })
    expect((await send('POST', `${control}/faults`, { body })).status).toBe(401)
    expect(
      (await send('POST', `${control}/faults`, { body, headers: { 'x-paper-token': controlToken } })).json.ids,
    ).toHaveLength(1)
    expect((await send('GET', `${rest}/api/v3/time`)).status).toBe(500)
    expect((await send('GET', `${control}/truth?type=fault`)).json.entries).toHaveLength(1)
    expect(await paper.stop()).toBe(0)
    const refused = await runPaper(['proxy', '--upstream', 'https://api.binance.com'])
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('api.binance.com')])
  })
})
