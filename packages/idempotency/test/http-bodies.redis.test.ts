import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { connect as connectHttp2, constants, createServer as createHttp2Server } from 'node:http2'
import type { ClientHttp2Stream } from 'node:http2'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'

import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import express from 'express'
import fastify from 'fastify'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { idempotencyExpress, idempotencyFastify } from '../src/http/index.ts'
import { instance } from './harness.ts'
import type { Instance } from './harness.ts'
import { listen, send } from './http-servers.ts'
import type { Sent } from './http-servers.ts'

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
})
afterAll(() => server[Symbol.asyncDispose]())

const options = { scope: () => 'a', recovery: { mode: 'manual' } } as const

/** Answers with the body it read by events, as plain handlers do. */
function echo(request: IncomingMessage, response: ServerResponse): void {
  let text = ''
  request.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')))
  request.on('end', () => response.end(`got ${text}`))
}

function guardedEcho(here: Instance): RequestListener {
  const guard = idempotencyExpress<IncomingMessage>(here.idem, options)
  return (request, response) =>
    guard(request, response, error => {
      if (error === undefined) echo(request, response)
      else response.writeHead(500).end((error as Error).message)
    })
}

/** What a server says to bytes written as they are, until it closes. */
function raw(port: number, parts: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
    const next = (index: number): void => {
      const part = parts[index]
      if (part === undefined) return
      socket.write(part)
      setTimeout(() => next(index + 1), 30)
    }
    next(0)
  })
}

const CHUNKED =
  'POST /orders HTTP/1.1\r\nHost: a\r\nConnection: close\r\nIdempotency-Key: k\r\nTransfer-Encoding: chunked\r\n\r\n'

async function replies(port: number, ...requests: readonly Sent[]): Promise<unknown[]> {
  const found: unknown[] = []
  for (const request of requests) {
    const { status, headers } = await send(port, request)
    found.push(headers['idempotency-replayed'] === 'true' ? `${status} replayed` : status)
  }
  return found
}

describe('the body of a request that no parser took [claim 28]', () => {
  test('is compared behind a parser that sets an empty object for types it leaves alone, as in Express 4', async () => {
    await using here = instance(redis)
    const app = express()
    app.use(
      (request, _response, next) => {
        // body-parser 1
        request.body ??= {}
        if (request.is('json')) express.json()(request, _response, next)
        else next()
      },
      idempotencyExpress(here.idem, options),
    )
    app.post('/orders', (request, response) =>
      request.is('json') ? void response.json(request.body) : echo(request, response),
    )
    await using running = await listen(app)
    for (const type of ['text/plain', 'application/xml', 'application/x-www-form-urlencoded']) {
      const sent = { key: type, headers: { 'content-type': type } }
      const found = await replies(
        running.port,
        { ...sent, body: 'amount=1' },
        { ...sent, body: 'amount=1' },
        { ...sent, body: 'amount=999' },
      )
      expect(found, type).toEqual([200, '200 replayed', 422])
      expect((await send(running.port, { ...sent, body: 'amount=1' })).text).toBe('got amount=1')
    }
    const empty = { key: 'empty', body: {} }
    expect(await replies(running.port, empty, { key: 'empty', body: { a: 1 } }, empty)).toEqual([
      200,
      422,
      '200 replayed',
    ])
    expect(await replies(running.port, { key: 'none' }, { key: 'none' })).toEqual([200, '200 replayed'])
  })

  /** Reaches the guard this long after the request has begun. */
  const delays = [undefined, 0, 45, 150]

  function delayedEcho(here: Instance): RequestListener {
    const guarded = guardedEcho(here)
    return (request, response) => {
      const delayMs = delays[Number(request.headers['x-at'])]
      if (delayMs === undefined) guarded(request, response)
      else setTimeout(() => guarded(request, response), delayMs)
    }
  }

  test('comes in parts, before or after the guard is reached: the handler gets it whole', async () => {
    await using here = instance(redis)
    await using running = await listen(delayedEcho(here))
    for (const at of delays.keys()) {
      const head = CHUNKED.replace('Key: k', `Key: k${at}\r\nX-At: ${at}`)
      const text = await raw(running.port, [head, '3\r\nabc\r\n', '2\r\nde\r\n', '0\r\n\r\n'])
      expect(text, String(at)).toMatch(/\r\n\r\ngot abcde$/)
    }
  })

  test('is empty and chunked: the handler still hears its end', async () => {
    await using here = instance(redis)
    await using running = await listen(delayedEcho(here))
    for (const at of delays.keys()) {
      const head = CHUNKED.replace('Key: k', `Key: k${at}\r\nX-At: ${at}`)
      for (const parts of [[`${head}0\r\n\r\n`], [head, '0\r\n\r\n']]) {
        expect(await raw(running.port, parts), String(at)).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*\r\n\r\ngot $/)
      }
    }
  })

  test('is too large: it is refused, and the connection serves the next request', async () => {
    await using here = instance(redis)
    await using running = await listen(guardedEcho(here))
    const head = CHUNKED.replace('Connection: close\r\n', '')
    const part = 'x'.repeat(1_000_000)
    const large = [head, ...[1, 2, 3].map(() => `${part.length.toString(16)}\r\n${part}\r\n`), '0\r\n\r\n']
    const text = await raw(running.port, [...large, CHUNKED, '1\r\na\r\n0\r\n\r\n'])
    expect(text).toMatch(/^HTTP\/1.1 413 [^]*HTTP\/1.1 200 OK\r\n[^]*\r\n\r\ngot a$/)
  })

  test('passes two guards, each of which compares it', async () => {
    await using here = instance(redis)
    const guarded = guardedEcho(here)
    const outer = idempotencyExpress<IncomingMessage>(here.idem, { ...options, effect: 'outer' })
    await using running = await listen((request, response) =>
      outer(request, response, () => guarded(request, response)),
    )
    const sent = { key: 'k', body: 'x' }
    expect((await send(running.port, sent)).text).toBe('got x')
    expect(await replies(running.port, sent, { key: 'k', body: 'y' })).toEqual(['200 replayed', 422])
  })

  test('belongs to a client that has left before the guard is reached: next gets an error, nothing is claimed', async () => {
    await using here = instance(redis)
    const passed = Promise.withResolvers<unknown>()
    const guard = idempotencyExpress<IncomingMessage>(here.idem, options)
    await using running = await listen((request, response) => {
      request.on('error', () => undefined)
      request.once('close', () => setTimeout(() => guard(request, response, passed.resolve), 10))
      leave.abort()
    })
    const leave = new AbortController()
    const sent = { key: 'k', body: 'x', headers: { 'content-length': '100' } }
    await send(running.port, sent, leave.signal).catch(() => undefined)
    expect(await passed.promise).toBeInstanceOf(Error)
    expect(await here.idem.inspect('http', 'a:POST:/orders:k')).toBeUndefined()
  })
})

describe('bodies over HTTP/2 [claim 28]', () => {
  interface Stream {
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string
    /** The headers are the end of the message. */
    readonly endStream?: boolean
  }

  async function post(port: number, { headers, body, endStream = false }: Stream): Promise<[number, string]> {
    const client = connectHttp2(`http://127.0.0.1:${port}`)
    try {
      const stream = client.request({ ':method': 'POST', ':path': '/orders', ...headers }, { endStream })
      let status = 0
      stream.on('response', head => (status = Number(head[':status'])))
      if (!endStream) stream.end(body)
      let text = ''
      for await (const chunk of stream) text += String(chunk)
      return [status, text]
    } finally {
      client.destroy()
    }
  }

  test('are compared without a length, and reach a plain handler whole', async () => {
    await using here = instance(redis)
    const http = createHttp2Server(guardedEcho(here) as never)
    await new Promise<void>(resolve => http.listen(0, '127.0.0.1', resolve))
    const { port } = http.address() as AddressInfo
    for (const length of [undefined, '8']) {
      const headers = { 'idempotency-key': `k${length}`, ...(length ? { 'content-length': length } : {}) }
      expect(await post(port, { headers, body: 'amount=1' })).toEqual([200, 'got amount=1'])
      expect(await post(port, { headers, body: 'amount=1' })).toEqual([200, 'got amount=1'])
      expect((await post(port, { headers, body: 'amount=2' }))[0]).toBe(422)
    }
    for (const endStream of [true, false]) {
      const headers = { 'idempotency-key': `none ${endStream}`.replace(' ', '') }
      expect(await post(port, { headers, endStream })).toEqual([200, 'got '])
    }
    await new Promise(resolve => http.close(resolve))
  })

  /** Ways of a client to break its message off. */
  const breaks: Readonly<Record<string, (stream: ClientHttp2Stream) => void>> = {
    'resets its stream': stream => stream.close(constants.NGHTTP2_CANCEL),
    'drops its stream': stream => void stream.destroy(),
    'closes its connection': stream => stream.session?.destroy(),
  }
  for (const [how, leave] of Object.entries(breaks)) {
    test(`are not whole when their client ${how}: next gets an error, nothing is claimed, the retry runs`, async () => {
      await using here = instance(redis)
      const guard = idempotencyExpress<IncomingMessage>(here.idem, options)
      for (const delayMs of [undefined, 60]) {
        const passed = Promise.withResolvers<unknown>()
        const http = createHttp2Server((request, response) => {
          const pass = (): void =>
            guard(request as never, response as never, error => {
              passed.resolve(error)
              if (error === undefined) echo(request as never, response as never)
            })
          if (delayMs === undefined || request.headers['x-whole']) pass()
          else setTimeout(pass, delayMs)
        })
        await new Promise<void>(resolve => http.listen(0, '127.0.0.1', resolve))
        const { port } = http.address() as AddressInfo
        const client = connectHttp2(`http://127.0.0.1:${port}`)
        const headers = { 'idempotency-key': `k${delayMs}`, 'content-length': '10' }
        const stream = client.request({ ':method': 'POST', ':path': '/orders', ...headers })
        stream.on('error', () => undefined)
        stream.write('amount=1')
        setTimeout(() => leave(stream), 30)
        expect(String(await passed.promise)).toContain('the client left before its request was whole')
        expect(await here.idem.inspect('http', `a:POST:/orders:k${delayMs}`)).toBeUndefined()
        const whole = { headers: { ...headers, 'x-whole': '1' }, body: 'amount=100' }
        expect(await post(port, whole)).toEqual([200, 'got amount=100'])
        client.destroy()
        await new Promise(resolve => http.close(resolve))
      }
    })
  }

  test('without type and length are compared by the Fastify plugin too, whose parsers leave them alone', async () => {
    await using here = instance(redis)
    const app = fastify({ http2: true })
    await app.register(idempotencyFastify(here.idem, options) as never)
    app.post('/orders', () => 'placed')
    await app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = app.server.address() as AddressInfo
    const headers = { 'idempotency-key': 'k' }
    expect((await post(port, { headers, body: 'amount=1' }))[0]).toBe(200)
    expect((await post(port, { headers, body: 'amount=1' }))[0]).toBe(200)
    expect((await post(port, { headers, body: 'amount=2' }))[0]).toBe(422)
    expect((await post(port, { headers: { 'idempotency-key': 'none' } }))[0]).toBe(200)
    await app.close()
  })
})

describe('JSON without a canonical form [claim 28]', () => {
  const deep = (text: string): string => '['.repeat(30_000) + text + ']'.repeat(30_000)
  const pairs: readonly (readonly [string, string])[] = [
    ['{"a":1e999}', '{"a":-1e999}'],
    ['{"a":1e999,"b":"\\ud800"}', '{"a":null,"b":"\\ud800"}'],
    [deep('1'), deep('2')],
    ['{"é":1,"e\u0301":2}', '{"é":2,"e\u0301":1}'],
  ]
  for (const parsed of [true, false]) {
    test(`is compared all the same, ${parsed ? 'parsed before' : 'not parsed'}`, async () => {
      await using here = instance(redis)
      const guard = idempotencyExpress(here.idem, options)
      const app = express()
      if (parsed) app.use(express.json(), guard)
      else app.use(guard)
      app.post('/orders', (_request, response) => void response.send('placed'))
      await using running = await listen(app)
      for (const [index, [body, other]] of pairs.entries()) {
        const sent = { key: `k${index}`, headers: { 'content-type': 'application/json' } }
        const found = await replies(running.port, { ...sent, body }, { ...sent, body }, { ...sent, body: other })
        expect(found, body.slice(0, 40)).toEqual([200, '200 replayed', 422])
      }
    })
  }
})
