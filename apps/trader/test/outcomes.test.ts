import { spawn } from 'node:child_process'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { systemClock } from '@safety/redis-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { classify, type CallKind } from '../src/exchange/outcome.ts'
import { createRestClient, type RestAnswer } from '../src/exchange/rest-client.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

let handler: Handler
let base: string
const requests: string[] = []
const server = createServer((request, response) => {
  requests.push(`${request.method} ${request.url}`)
  handler(request, response)
})

beforeAll(async () => {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterAll(() => {
  server.closeAllConnections()
  server.close()
})

function send(restUrl = base, requestTimeoutMs = 2000): Promise<RestAnswer> {
  const rest = createRestClient({ restUrl, apiKey: 'PAPERkey', secret: 's', requestTimeoutMs, clock: systemClock })
  return rest.send({
    method: 'POST',
    path: '/api/v3/order',
    params: { symbol: 'BTCUSDT' },
    auth: 'signed',
    timestampMs: 1,
  })
}

function json(status: number, body: unknown, headers: Record<string, string> = {}): Handler {
  return (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify(body))
  }
}

async function outcomeOf(next: Handler, call: CallKind = 'order'): Promise<string> {
  handler = next
  requests.length = 0
  const answer = await send()
  expect(requests).toHaveLength(1)
  return classify(answer.facts, call).class
}

describe('each row of the table of outcomes, from a real socket [claim 2]', () => {
  test('nothing listens: NOT_SENT', async () => {
    const probe = createServer()
    await new Promise<void>(resolve => probe.listen(0, '127.0.0.1', resolve))
    const { port } = probe.address() as AddressInfo
    await new Promise(resolve => probe.close(resolve))
    expect(classify((await send(`http://127.0.0.1:${port}`)).facts, 'order')).toMatchObject({
      class: 'NOT_SENT',
      reason: 'ECONNREFUSED',
    })
  })

  test('the name does not resolve: NOT_SENT', async () => {
    const { facts } = await send('http://no-such-host.invalid', 20_000)
    expect(['ENOTFOUND', 'EAI_AGAIN']).toContain(facts.cause)
    expect(classify(facts, 'order').class).toBe('NOT_SENT')
  })

  test('TLS fails: NOT_SENT', async () => {
    handler = json(200, {})
    const { facts } = await send(base.replace('http:', 'https:'))
    expect(classify(facts, 'order').class).toBe('NOT_SENT')
  })

  test.runIf(process.platform === 'linux')('connecting times out: NOT_SENT', { timeout: 60_000 }, async () => {
    // A listener that never accepts and whose queue is full: the kernel drops further connections.
    const code = `const s = require('net').createServer(); s.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(s.address().port))`
    const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
    const fillers: Socket[] = []
    try {
      const port = Number(await new Promise(resolve => child.stdout.once('data', resolve)))
      child.kill('SIGSTOP')
      for (let count = 0; count < 8; count += 1) fillers.push(connect(port, '127.0.0.1').on('error', () => {}))
      await new Promise(resolve => setTimeout(resolve, 500))
      const { facts } = await send(`http://127.0.0.1:${port}`, 50_000)
      expect(facts.cause).toBe('UND_ERR_CONNECT_TIMEOUT')
      expect(classify(facts, 'order').class).toBe('NOT_SENT')
    } finally {
      for (const filler of fillers) filler.destroy()
      child.kill('SIGKILL')
    }
  })

  test('no answer in time: UNKNOWN, after exactly one request', async () => {
    handler = () => {}
    requests.length = 0
    const { facts } = await send(base, 150)
    expect(classify(facts, 'order')).toMatchObject({ class: 'UNKNOWN', reason: 'TIMEOUT' })
    expect(requests).toHaveLength(1)
  })

  test('the caller gives up: UNKNOWN', async () => {
    handler = () => {}
    const rest = createRestClient({
      restUrl: base,
      apiKey: 'k',
      secret: 's',
      requestTimeoutMs: 5000,
      clock: systemClock,
    })
    const { facts } = await rest.send({ method: 'GET', path: '/', auth: 'none' }, { signal: AbortSignal.timeout(100) })
    expect(classify(facts, 'order')).toMatchObject({ class: 'UNKNOWN', reason: 'ABORT' })
  })

  test.each<[string, Handler]>([
    ['the connection is reset', request => request.socket.resetAndDestroy()],
    ['the connection ends without an answer', request => request.socket.destroy()],
    [
      'the answer is cut',
      (_, response) => {
        response.writeHead(200, { 'content-length': '100' })
        response.write('{"orderId"')
        setTimeout(() => response.destroy(), 20)
      },
    ],
    ['500', json(500, { code: -1000, msg: 'An unknown error occurred' })],
    ['503 -1007', json(503, { code: -1007, msg: 'Timeout waiting for response from backend server.' })],
    ['503 -1008', json(503, { code: -1008, msg: 'Server is currently overloaded' })],
    ['503 with the text of a refusal', json(503, { code: -2010, msg: 'Account has insufficient balance' })],
    ['400 -1006', json(400, { code: -1006, msg: 'An unexpected response was received' })],
    ['400 -1001', json(400, { code: -1001, msg: 'Internal error' })],
    ['200 that is not JSON', (_, response) => response.end('<html>')],
    ['403 with HTML', (_, response) => response.writeHead(403).end('<html>blocked</html>')],
  ])('%s: UNKNOWN', async (_, next) => {
    expect(await outcomeOf(next)).toBe('UNKNOWN')
  })

  test('429 and -1003, -1015: REFUSED, with the time to wait', async () => {
    handler = json(429, { code: -1003, msg: 'Too many requests' }, { 'retry-after': '13' })
    expect(classify((await send()).facts, 'order')).toMatchObject({ class: 'REFUSED', retryAfterMs: 13_000 })
    expect(await outcomeOf(json(400, { code: -1015, msg: 'Too many new orders' }))).toBe('REFUSED')
    expect(await outcomeOf(json(400, { code: -1003, msg: 'Too many requests' }))).toBe('REFUSED')
  })

  test('418: BANNED, and someone hears of it', async () => {
    handler = json(418, { code: -1003, msg: 'Way too many requests' }, { 'retry-after': '120' })
    expect(classify((await send()).facts, 'order')).toMatchObject({
      class: 'BANNED',
      retryAfterMs: 120_000,
      alert: true,
    })
  })

  test.each<[string, Handler, CallKind, string]>([
    ['-1021', json(400, { code: -1021, msg: 'Timestamp outside of the recvWindow' }), 'order', 'CLOCK'],
    ['-1022', json(400, { code: -1022, msg: 'Signature' }), 'order', 'CONFIGURATION'],
    ['-2014', json(401, { code: -2014, msg: 'API-key format invalid.' }), 'order', 'CONFIGURATION'],
    [
      '-2015',
      json(401, { code: -2015, msg: 'Invalid API-key, IP, or permissions for action.' }),
      'order',
      'CONFIGURATION',
    ],
    ['-1013', json(400, { code: -1013, msg: 'Filter failure: LOT_SIZE' }), 'order', 'REJECTED'],
    ['-1102', json(400, { code: -1102, msg: 'Mandatory parameter' }), 'order', 'REJECTED'],
    ['"order 45030012" is no 503', json(400, { code: -1013, msg: 'order 45030012' }), 'order', 'REJECTED'],
    ['-2010 duplicate', json(400, { code: -2010, msg: 'Duplicate order sent.' }), 'order', 'ALREADY_OPEN'],
    ['-2010 other', json(400, { code: -2010, msg: 'Account has insufficient balance' }), 'order', 'REJECTED'],
    ['-2011', json(400, { code: -2011, msg: 'Unknown order sent.' }), 'cancel', 'CANCEL_UNKNOWN'],
    ['-2013', json(400, { code: -2013, msg: 'Order does not exist.' }), 'query', 'NOT_FOUND'],
    ['200', json(200, { orderId: 1 }), 'order', 'OK'],
  ])('%s', async (_, next, call, expected) => {
    expect(await outcomeOf(next, call)).toBe(expected)
  })

  test('the weight and a redirect are facts; a redirect is not followed', async () => {
    handler = json(200, {}, { 'x-mbx-used-weight-1m': '42' })
    expect((await send()).facts.usedWeight).toBe(42)
    handler = (_, response) => response.writeHead(307, { location: `${base}/elsewhere` }).end()
    requests.length = 0
    expect(classify((await send()).facts, 'order').class).toBe('UNKNOWN')
    expect(requests).toHaveLength(1)
  })
})
