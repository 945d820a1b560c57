import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPaperExchange } from '../src/index.ts'
import type { PaperExchange, TruthEntry } from '../src/index.ts'
import { clientOf, send, until } from './paper-client.ts'
import type { Client, Json, Seen } from './paper-client.ts'

let exchange: PaperExchange
let client: Client

beforeAll(async () => {
  exchange = await createPaperExchange({ clock: 'manual', barMs: 86_400_000, engineTimeoutMs: 1000, banAfter: 1000 })
  client = clientOf(exchange)
})
afterAll(() => exchange[Symbol.asyncDispose]())

const entriesOf = (id: string): TruthEntry[] => {
  const { entries } = exchange.truth({ limit: 1000 })
  return entries.filter(entry => 'clientOrderId' in entry && entry.clientOrderId === id)
}
const accepted = (id: string): number => entriesOf(id).filter(({ type }) => type === 'accepted').length
const answersTo = (id: string): TruthEntry[] => {
  const requests = new Set(entriesOf(id).flatMap(entry => (entry.type === 'request' ? [entry.seq] : [])))
  return exchange.truth().entries.filter(entry => entry.type === 'answer' && requests.has(entry.requestSeq))
}

let counter = 0

/** Sends one order into one fault; `waitMs` of server time pass once the fault has been met. */
async function meet(
  phase: 'before' | 'after',
  action: Record<string, unknown>,
  waitMs = 0,
): Promise<{ id: string; seen: Seen; orders: number; sent: unknown }> {
  const id = `o${++counter}`
  const fault = `${phase}-${String(action['type'])}-${counter}`
  exchange.inject({ id: fault, match: { clientOrderId: id, method: 'POST' }, phase, action })
  const answer = client.buy({ newClientOrderId: id, recvWindow: 60_000 })
  await until(() =>
    exchange.truth({ type: 'fault' }).entries.some(entry => 'faultId' in entry && entry.faultId === fault),
  )
  if (waitMs > 0) await exchange.advance(waitMs)
  const seen = await answer
  const [logged] = answersTo(id)
  expect(logged).toMatchObject({ faultId: fault })
  return { id, seen, orders: accepted(id), sent: (logged as { sent?: unknown }).sent }
}

describe('for every action and phase the log says whether an order exists, and the client sees the effect [claim 13]', () => {
  test.each([
    ['before', 0],
    ['after', 1],
  ] as const)('%s: hang gives no answer, then the socket ends', async (phase, orders) => {
    const met = await meet(phase, { type: 'hang', ms: 5000 }, 5000)
    expect(met).toMatchObject({ orders, sent: 'none', seen: { status: 0, failure: 'ECONNRESET' } })
  })

  test.each([
    ['before', 0],
    ['after', 1],
  ] as const)('%s: hang is silent until its time', async (phase, orders) => {
    const id = `quiet-${phase}`
    exchange.inject({ match: { clientOrderId: id }, phase, action: { type: 'hang', ms: 5000 } })
    let over = false
    const answer = client.buy({ newClientOrderId: id }).then(seen => ((over = true), seen))
    await until(() => entriesOf(id).some(({ type }) => type === 'fault'))
    await exchange.advance(4999)
    await new Promise(resolve => setTimeout(resolve, 50))
    expect([over, accepted(id)]).toEqual([false, orders])
    await exchange.advance(1)
    await answer
  })

  test.each([
    ['before', 0],
    ['after', 1],
  ] as const)('%s: reset and close end the connection without an answer', async (phase, orders) => {
    for (const type of ['reset', 'close']) {
      const met = await meet(phase, { type })
      expect(met).toMatchObject({ orders, sent: 'none', seen: { status: 0, failure: 'ECONNRESET' } })
    }
  })

  test('reset is a TCP reset, close is a proper end', async () => {
    const { connect } = await import('node:net')
    const endings: string[] = []
    for (const type of ['reset', 'close']) {
      exchange.inject({ match: { path: '/api/v3/ping' }, phase: 'before', action: { type }, times: 1 })
      const socket = connect(Number(new URL(exchange.urls.rest).port), '127.0.0.1')
      socket.write('GET /api/v3/ping HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n')
      endings.push(
        await new Promise(resolve => {
          socket.on('error', error => resolve((error as { code?: string }).code ?? ''))
          socket.on('end', () => resolve('end'))
          socket.resume()
        }),
      )
      socket.destroy()
    }
    expect(endings).toEqual(['ECONNRESET', 'end'])
  })

  test('before: delay enters later, even if the client has left', async () => {
    const id = 'left-early'
    exchange.inject({ match: { clientOrderId: id }, phase: 'before', action: { type: 'delay', ms: 900 } })
    const patience = new AbortController()
    const answer = client.signed(
      'POST',
      'order',
      { symbol: 'BTCUSDT', side: 'BUY', type: 'MARKET', quantity: '0.01', newClientOrderId: id },
      { signal: patience.signal },
    )
    await until(() => entriesOf(id).some(({ type }) => type === 'fault'))
    patience.abort()
    await answer
    await new Promise(resolve => setTimeout(resolve, 50))
    await exchange.advance(899)
    expect(accepted(id)).toBe(0)
    await exchange.advance(1)
    expect(accepted(id)).toBe(1)
    expect(answersTo(id)).toMatchObject([{ status: 200, sent: 'none' }])
  })

  test('after: delay has accepted long before it answers', async () => {
    const id = 'slow-answer'
    exchange.inject({ match: { clientOrderId: id }, phase: 'after', action: { type: 'delay', ms: 900 } })
    const answer = client.buy({ newClientOrderId: id })
    await until(() => accepted(id) === 1)
    expect(answersTo(id)).toEqual([])
    await exchange.advance(900)
    expect((await answer).json).toMatchObject({ clientOrderId: id, status: 'FILLED' })
  })

  test.each([
    ['before', 0],
    ['after', 1],
  ] as const)(
    '%s: a delay beyond the engine timeout is answered 503 -1007 and goes on inside',
    async (phase, first) => {
      const met = await meet(phase, { type: 'delay', ms: 3000 }, 1000)
      expect(met).toMatchObject({ orders: first, sent: 'full', seen: { status: 503, json: { code: -1007 } } })
      await exchange.advance(2000)
      expect(accepted(met.id)).toBe(1)
      expect(answersTo(met.id)).toHaveLength(1)
    },
  )

  test.each([
    ['before', 0],
    ['after', 1],
  ] as const)('%s: status replaces the answer, as JSON or as HTML', async (phase, orders) => {
    const plain = await meet(phase, { type: 'status', status: 503 })
    expect(plain).toMatchObject({ orders, sent: 'full', seen: { status: 503, json: { code: -1007 } } })
    const chosen = await meet(phase, { type: 'status', status: 400, code: -1008, msg: 'Busy.', retryAfterS: 7 })
    expect(chosen.seen).toMatchObject({
      status: 400,
      json: { code: -1008, msg: 'Busy.' },
      headers: { 'retry-after': '7' },
    })
    const page = await meet(phase, { type: 'status', status: 403, html: '<h1>No</h1>' })
    expect(page).toMatchObject({ orders, seen: { status: 403, text: '<h1>No</h1>' } })
  })

  test('after: truncate promises more than it sends, garbage is no JSON', async () => {
    const cut = await meet('after', { type: 'truncate', bytes: 30 })
    expect(cut).toMatchObject({ orders: 1, sent: 'cut', seen: { status: 200, failure: 'cut' } })
    expect(cut.seen.text).toHaveLength(30)
    expect(Number(cut.seen.headers['content-length'])).toBeGreaterThan(30)
    const nothing = await meet('after', { type: 'truncate', bytes: 0 })
    expect(nothing.seen).toMatchObject({ status: 200, text: '', failure: 'cut' })
    const garbage = await meet('after', { type: 'garbage' })
    expect(garbage).toMatchObject({ orders: 1, sent: 'full', seen: { status: 200, json: undefined } })
  })

  test('after: hide keeps one order out of reads until its time, and no other', async () => {
    const met = await meet('after', { type: 'hide', ms: 1200 })
    expect(met).toMatchObject({ orders: 1, seen: { status: 200 } })
    await client.buy({ newClientOrderId: 'shown' })
    const ask = async (id: string): Promise<unknown> => {
      const { json } = await client.signed('GET', 'order', { symbol: 'BTCUSDT', origClientOrderId: id })
      return json.code ?? json.status
    }
    expect([await ask(met.id), await ask('shown')]).toEqual([-2013, 'FILLED'])
    const all = await client.signed('GET', 'allOrders', { symbol: 'BTCUSDT' })
    expect(all.json.some((row: Json) => row.clientOrderId === met.id)).toBe(false)
    await exchange.advance(1199)
    expect(await ask(met.id)).toBe(-2013)
    await exchange.advance(1)
    expect(await ask(met.id)).toBe('FILLED')
  })

  test.each([
    [false, 429],
    [true, 418],
  ])('before: limit (ban %s) answers %s and really closes the gate', async (ban, status) => {
    const met = await meet('before', { type: 'limit', retryAfterS: 2, ban })
    expect(met).toMatchObject({ orders: 0, seen: { status, headers: { 'retry-after': '2' } } })
    expect((await client.signed('GET', 'account')).status).toBe(status)
    expect(exchange.controls.state('demo')).toMatchObject({
      value: { gateUntilMs: exchange.controls.clock().nowMs + 2000 },
    })
    await exchange.advance(2000)
    expect((await client.signed('GET', 'account')).status).toBe(200)
  })

  test('a fault meets unsigned calls too, and only as often as it may', async () => {
    exchange.inject({
      match: { path: '/api/v3/time' },
      phase: 'before',
      action: { type: 'status', status: 502 },
      times: 2,
    })
    const statuses = []
    for (let call = 0; call < 3; call++) statuses.push((await send('GET', `${exchange.urls.rest}/api/v3/time`)).status)
    expect(statuses).toEqual([502, 502, 200])
  })
})

describe('a request delivered twice [claim 15]', () => {
  test('is two market orders under one id', async () => {
    const met = await meet('before', { type: 'duplicate' })
    expect(met).toMatchObject({ orders: 2, sent: 'full', seen: { status: 200 } })
    const [first] = entriesOf(met.id).filter(({ type }) => type === 'accepted')
    expect(met.seen.json.orderId).toBe((first as { orderId?: number }).orderId)
    expect(exchange.audit({ account: 'demo' }).invariants.find(({ id }) => id === 'A1')).toMatchObject({ ok: false })
  })

  test('is one limit order and a logged refusal', async () => {
    exchange.inject({ match: { clientOrderId: 'twice' }, phase: 'before', action: { type: 'duplicate', times: 2 } })
    const seen = await client.signed('POST', 'order', {
      symbol: 'BTCUSDT',
      side: 'BUY',
      type: 'LIMIT',
      timeInForce: 'GTC',
      quantity: '0.001',
      price: '30000',
      newClientOrderId: 'twice',
    })
    expect(seen.json).toMatchObject({ status: 'NEW' })
    expect(entriesOf('twice').filter(({ type }) => type === 'rejected')).toMatchObject([
      { code: -2010, msg: 'Duplicate order sent.' },
    ])
    expect(accepted('twice')).toBe(1)
  })
})
