import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPaperExchange } from '../src/index.ts'
import type { PaperExchange } from '../src/index.ts'
import { clientOf, createClient, listen, send, subscribe, until, venueOf } from './paper-client.ts'
import type { Json, Seen } from './paper-client.ts'

let exchange: PaperExchange
beforeAll(async () => {
  exchange = await createPaperExchange({ clock: 'manual' })
})
afterAll(() => exchange[Symbol.asyncDispose]())

const control = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Seen> =>
  send(method, `${exchange.urls.control}/${path}`, {
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    headers: { 'x-paper-token': exchange.controlToken, ...headers },
  })

describe('control', () => {
  test.each([
    ['POST', 'faults'],
    ['DELETE', 'faults'],
    ['DELETE', 'faults/f1'],
    ['POST', 'clock'],
    ['POST', 'market'],
    ['POST', 'accounts'],
    ['POST', 'wipe'],
  ])('%s %s needs the token', async (method, path) => {
    const before = exchange.truth().entries.length
    for (const token of ['', 'wrong', `${exchange.controlToken}x`]) {
      expect((await control(method, path, {}, { 'x-paper-token': token })).status).toBe(401)
    }
    expect(exchange.truth().entries).toHaveLength(before)
  })

  test('a foreign Host header gets 403 whatever else it brings', async () => {
    for (const host of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example:80']) {
      expect((await control('GET', 'truth', undefined, { host })).status).toBe(403)
    }
    expect((await control('GET', 'truth', undefined, { host: 'localhost:1' })).status).toBe(200)
  })

  test.each([
    ['faults', { action: { type: 'explode' }, phase: 'after' }, 'action'],
    ['faults', 'no json', 'JSON'],
    ['clock', { advanceMs: -1 }, 'advanceMs'],
    ['clock', { mode: 'real', advanceMs: 1 }, 'advanceMs'],
    ['clock', { speed: 2 }, 'speed'],
    ['market', { symbol: 'BTCUSDT' }, 'exactly one'],
    ['market', { price: '1' }, 'symbol'],
    ['market', { symbol: 'NOPE', status: 'HALT' }, 'symbol'],
    ['accounts', { name: 'No Name' }, 'name'],
    ['accounts', { name: 'demo' }, 'demo'],
    ['accounts', { name: 'poor', balances: { USDT: '-5' } }, 'USDT'],
    ['wipe', { account: 'nobody' }, 'nobody'],
    ['wipe', {}, 'account'],
    ['audit', { account: 'nobody' }, 'nobody'],
    ['audit', { account: 'demo', ledger: { BTC: 1 } }, 'ledger.BTC'],
  ])('POST %s of %j is 400 and names what is wrong', async (path, body, name) => {
    const seen = await control('POST', path, body)
    expect([seen.status, seen.json.error.toLowerCase()]).toEqual([400, expect.stringContaining(name.toLowerCase())])
  })

  test('faults are added, listed with their hits, and removed', async () => {
    const one = { match: { path: '/api/v3/ping' }, phase: 'before', action: { type: 'status', status: 500 } }
    const { json } = await control('POST', 'faults', [one, { ...one, id: 'mine' }])
    expect(json).toEqual({ ids: [expect.any(String), 'mine'] })
    await send('GET', `${exchange.urls.rest}/api/v3/ping`)
    expect((await control('GET', 'faults')).json).toMatchObject([{ fired: 1 }, { id: 'mine', fired: 0 }])
    expect((await control('DELETE', `faults/${json.ids[0]}`)).json).toEqual({ removed: 1 })
    await send('GET', `${exchange.urls.rest}/api/v3/ping`)
    expect((await control('GET', 'faults')).json).toMatchObject([{ id: 'mine', fired: 1 }])
    expect((await control('DELETE', 'faults')).json).toEqual({ removed: 1 })
    expect((await send('GET', `${exchange.urls.rest}/api/v3/ping`)).status).toBe(200)
  })

  test('the clock moves, is skewed and changes its mode without a jump', async () => {
    const before = exchange.controls.clock().nowMs
    expect((await control('POST', 'clock', { advanceMs: 5000 })).json).toEqual({
      mode: 'manual',
      nowMs: before + 5000,
      skewMs: 0,
    })
    expect((await control('POST', 'clock', { skewMs: 700 })).json).toEqual({
      mode: 'manual',
      nowMs: before + 5700,
      skewMs: 700,
    })
    const { json } = await send('GET', `${exchange.urls.rest}/api/v3/time`)
    expect(json.serverTime).toBe(before + 5700)
    await control('POST', 'clock', { skewMs: 0 })
    expect(exchange.truth({ type: 'clock' }).entries.slice(-3)).toMatchObject([
      { advanceMs: 5000, skewMs: 0 },
      { advanceMs: 0, skewMs: 700 },
      { skewMs: 0 },
    ])
  })

  test('a real clock can be stopped, and a client ahead of it is told so', async () => {
    await using real = await createPaperExchange({})
    const client = clientOf(real)
    real.controls.setClock({ skewMs: -5000 })
    expect((await client.signed('GET', 'account', { timestamp: Date.now() })).json.code).toBe(-1021)
    expect((await client.signed('GET', 'account')).status).toBe(200)
    real.controls.setClock({ mode: 'manual', skewMs: 0 })
    const stopped = real.controls.clock().nowMs
    await new Promise(resolve => setTimeout(resolve, 30))
    expect(real.controls.clock().nowMs).toBe(stopped)
    await expect(real.advance(0.5)).rejects.toThrow()
    real.controls.setClock({ mode: 'real' })
    await until(() => real.controls.clock().nowMs > stopped)
    await expect(real.advance(1)).rejects.toThrow('not manual')
  })

  test('the market halts, jumps, stands still and closes bars on command [claim 8]', async () => {
    const client = clientOf(exchange)
    const status = async (): Promise<string> =>
      (await client.open('GET', 'exchangeInfo', { symbol: 'ETHUSDT' })).json.symbols[0].status
    await control('POST', 'market', { symbol: 'ETHUSDT', status: 'CANCEL_ONLY' })
    expect(await status()).toBe('CANCEL_ONLY')
    const refused = await client.buy({ symbol: 'ETHUSDT', quantity: '0.1' })
    expect(refused.json).toMatchObject({ code: -1013 })
    await control('POST', 'market', { symbol: 'ETHUSDT', status: 'TRADING' })
    expect((await client.buy({ symbol: 'ETHUSDT', quantity: '0.1' })).status).toBe(200)
    await control('POST', 'market', { symbol: 'BTCUSDT', price: '55555.55' })
    const { json: ticker } = await client.open('GET', 'ticker/bookTicker', { symbol: 'BTCUSDT' })
    expect([Number(ticker.bidPrice), Number(ticker.askPrice)].some(price => Math.abs(price - 55_555.55) < 0.02)).toBe(
      true,
    )
    const newest = async (): Promise<number> =>
      (await client.open('GET', 'klines', { symbol: 'BTCUSDT', interval: '1m', limit: 1 })).json[0][0]
    const before = await newest()
    await control('POST', 'market', { pause: true })
    await exchange.advance(600_000)
    expect(await newest()).toBe(before)
    await control('POST', 'market', { symbol: 'BTCUSDT', bars: 3 })
    expect(await newest()).toBe(before + 180_000)
    await control('POST', 'market', { pause: false })
    await exchange.advance(60_000)
    expect(await newest()).toBeGreaterThan(before + 180_000)
  })

  test('a market that starts paused plays its first bar in full once it is resumed', async () => {
    const barsOf = (venue: PaperExchange): number =>
      venue.truth({ type: 'market' }).entries.filter(entry => 'action' in entry && entry.action === 'bar').length
    await using manual = await createPaperExchange({ clock: 'manual', paused: true, symbols: ['BTCUSDT'] })
    await manual.advance(1_000_000)
    manual.controls.setMarket({ pause: false })
    await manual.advance(59_999)
    expect(barsOf(manual)).toBe(0)
    await manual.advance(1)
    expect(barsOf(manual)).toBe(1)
    await using real = await createPaperExchange({
      paused: true,
      symbols: ['BTCUSDT'],
      barMs: 240,
      lastBarMs: 1_700_000_040_000,
    })
    real.controls.setMarket({ pause: false })
    await until(() => barsOf(real) === 1)
    const [, resumed, bar] = real.truth({ type: 'market' }).entries
    expect(bar).toMatchObject({ action: 'bar', detail: expect.stringContaining('1700000100000') })
    expect(Number(bar?.atMs) - Number(resumed?.atMs)).toBeGreaterThanOrEqual(240)
  })

  test('a new account trades at once; a wiped one keeps its keys and starts afresh', async () => {
    const { json: account } = await control('POST', 'accounts', { name: 'late', balances: { USDT: '1000' } })
    const client = createClient(venueOf(exchange), account)
    await using ear = await listen(exchange.urls.wsApi)
    await subscribe(ear, account, exchange.controls.clock().nowMs)
    expect((await client.buy({ quantity: '0.001' })).status).toBe(200)
    await ear.first(message => message.event?.X === 'FILLED')
    expect((await control('POST', 'wipe', { account: 'late' })).json).toEqual({ account: 'late' })
    const state = await control('GET', 'state?account=late')
    expect(state.json).toMatchObject({
      balances: { USDT: { free: '1000.00000000', locked: '0.00000000' } },
      openOrders: [],
      usedWeight: expect.any(Number),
      orderCount: expect.any(Object),
      gateUntilMs: 0,
    })
    expect((await client.signed('GET', 'myTrades', { symbol: 'BTCUSDT' })).json).toEqual([])
    expect((await control('GET', 'state?account=nobody')).status).toBe(400)
  })

  test('the truth is read in pages, by account and by type', async () => {
    const first = (await control('GET', 'truth?limit=5')).json
    expect(first.entries.map((entry: Json) => entry.seq)).toEqual([1, 2, 3, 4, 5])
    expect(first.next).toBe(5)
    const second = (await control('GET', `truth?after=${first.next}&limit=2`)).json
    expect(second.entries.map((entry: Json) => entry.seq)).toEqual([6, 7])
    const fills = (await control('GET', 'truth?account=demo&type=fill')).json
    expect(new Set(fills.entries.map((entry: Json) => `${entry.account} ${entry.type}`))).toEqual(
      new Set(['demo fill']),
    )
    expect(fills.next).toBeNull()
    expect((await control('GET', 'truth?type=gossip')).status).toBe(400)
    expect((await control('GET', 'truth?limit=0')).status).toBe(400)
  })

  test('the audit judges a claim', async () => {
    const { json } = await control(
      'POST',
      'audit',
      { account: 'demo', intents: ['never-sent'], records: {} },
      { 'x-paper-token': '' },
    )
    expect(json).toMatchObject({ ok: false, totals: { lost: 1 } })
    expect((await control('POST', 'audit', { account: 'demo' })).json).toMatchObject({ ok: true })
  })

  test('the audit takes the claims of a long run, far above the size of any request', async () => {
    const intents = Array.from({ length: 20_000 }, (_, at) => `INTENT${at}`)
    const records = Object.fromEntries(intents.map(id => [id, { believes: 'unknown', reason: 'never sent' }]))
    const { json } = await control('POST', 'audit', { account: 'demo', intents, records })
    expect(json).toMatchObject({ totals: { inDoubt: 20_000, lost: 0 } })
  })

  test('no secret and no token stands in truth, state, faults or any answer [claim 20]', async () => {
    const client = clientOf(exchange)
    await client.signed('GET', 'account')
    const bad = await client.signed('POST', 'order', { symbol: 'BTCUSDT', side: 'X', type: 'Y' })
    const pages = [
      JSON.stringify(exchange.truth({ limit: 1000 })),
      (await control('GET', 'state?account=demo')).text,
      (await control('GET', 'faults')).text,
      (await control('GET', 'clock')).text,
      bad.text,
      JSON.stringify(exchange.audit({ account: 'demo' })),
    ]
    for (const { secret, apiKey } of exchange.accounts) {
      for (const page of pages) {
        for (const word of [secret, apiKey, exchange.controlToken]) expect(page.includes(word)).toBe(false)
      }
    }
  })
})
