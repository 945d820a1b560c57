import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'

import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import express from 'express'
import type { Request as ExpressRequest } from 'express'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { idempotencyExpress } from '../src/http/index.ts'
import type { HttpOptions } from '../src/http/index.ts'
import { instance } from './harness.ts'
import { listen, send } from './http-servers.ts'

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
})
afterAll(() => server[Symbol.asyncDispose]())

const options: HttpOptions<ExpressRequest> = {
  scope: request => request.get('x-tenant') ?? 'a',
  recovery: { mode: 'manual' },
}

/** Plain Node behind the middleware, as Connect calls it. */
function connect(
  guard: (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void,
  handler: (request: IncomingMessage, response: ServerResponse) => void | Promise<void>,
): RequestListener {
  return (request, response) =>
    guard(request, response, error => {
      if (error !== undefined) response.writeHead(500).end('passed on')
      else void handler(request, response)
    })
}

describe('the Express and Connect middleware [claim 28]', () => {
  test('before a route its pattern is part of the key, on a router with the prefix it is mounted on', async () => {
    await using here = instance(redis)
    const app = express()
    const router = express.Router()
    const runs: string[] = []
    router.post('/orders/:id', idempotencyExpress(here.idem, options), (request, response) => {
      runs.push(request.originalUrl)
      response.send(request.params['id'])
    })
    app.use('/v1', router)
    app.use('/v2', router)
    await using running = await listen(app)
    expect((await send(running.port, { key: 'k', path: '/v1/orders/1' })).text).toBe('1')
    expect((await send(running.port, { key: 'k', path: '/v1/orders/1' })).text).toBe('1')
    expect((await send(running.port, { key: 'k', path: '/v1/orders/2' })).status).toBe(422)
    expect((await send(running.port, { key: 'k', path: '/v2/orders/2' })).text).toBe('2')
    expect(runs).toEqual(['/v1/orders/1', '/v2/orders/2'])
    expect(await here.idem.inspect('http', 'a:POST:/v1/orders/%3Aid:k')).toMatchObject({ state: 'done' })
  })

  test('a body nobody parsed is compared and still reaches a plain handler whole', async () => {
    await using here = instance(redis)
    const guard = idempotencyExpress(here.idem, { scope: () => 'a', recovery: { mode: 'manual' } })
    const read: string[] = []
    await using running = await listen(
      connect(guard, async (request, response) => {
        let text = ''
        for await (const chunk of request) text += String(chunk)
        read.push(text)
        response.end(`${text.length}`)
      }),
    )
    const large = 'x'.repeat(300_000)
    for (const body of ['small', large, '']) {
      const sent = { key: `k${body.length}`, body, headers: { 'content-type': 'text/plain' } }
      expect((await send(running.port, sent)).text).toBe(String(body.length))
      expect((await send(running.port, sent)).text).toBe(String(body.length))
    }
    expect((await send(running.port, { key: 'k5', body: 'other' })).status).toBe(422)
    expect(read).toEqual(['small', large, ''])
  })

  test('a body someone consumed before without keeping it is an error of the server, and nothing runs', async () => {
    await using here = instance(redis)
    const app = express()
    let runs = 0
    app.use((request, _response, next) => {
      request.resume().on('end', next)
    })
    app.use(idempotencyExpress(here.idem, options))
    app.post('/orders', (_request, response) => void response.send(`run ${(runs += 1)}`))
    app.use((error: { code?: string }, _request: unknown, response: express.Response, _next: unknown) => {
      response.status(500).send(error.code)
    })
    await using running = await listen(app)
    const got = await send(running.port, { key: 'k', body: 'x', headers: { 'content-type': 'text/plain' } })
    expect([got.status, got.text]).toEqual([500, 'ERR_IDEMPOTENCY_FINGERPRINT'])
    expect(runs).toBe(0)
  })

  test('writeHead in each of its forms, write with callbacks and a trailing end are kept as they would be sent', async () => {
    await using here = instance(redis)
    const guard = idempotencyExpress(here.idem, {
      scope: () => 'a',
      recovery: { mode: 'manual' },
      headers: ['set-cookie', 'x-a'],
    })
    const forms: Record<string, (response: ServerResponse) => void> = {
      object: response => response.writeHead(201, 'Made', { 'X-A': '1', 'Set-Cookie': ['a=1', 'b=2'] }),
      flat: response => response.writeHead(201, ['X-A', '1', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']),
      pairs: response =>
        response.writeHead(201, [
          ['X-A', '1'],
          ['Set-Cookie', 'a=1'],
          ['Set-Cookie', 'b=2'],
        ] as never),
    }
    const seen: unknown[] = []
    const refused: unknown[] = []
    await using running = await listen(
      connect(guard, async (request, response) => {
        forms[(request.url ?? '').slice(1)]?.(response)
        seen.push(response.headersSent, response.writableEnded)
        response.on('error', (error: Error & { code?: string }) => refused.push(error.code))
        await new Promise(resolve => response.write('61', 'hex', resolve))
        response.write(new Uint8Array([98]))
        response.end('c', () => seen.push('finished'))
        seen.push(response.writableEnded)
        response.end()
        response.end('too late')
      }),
    )
    for (const path of Object.keys(forms)) {
      for (let time = 0; time < 2; time += 1) {
        const got = await send(running.port, { key: 'k', path: `/${path}` })
        expect([got.status, got.text, got.headers['x-a'], got.headers['set-cookie']], path).toEqual([
          201,
          'abc',
          '1',
          ['a=1', 'b=2'],
        ])
      }
    }
    expect(seen).toEqual(Object.keys(forms).flatMap(() => [true, false, true, 'finished']))
    expect(refused).toEqual(Object.keys(forms).map(() => 'ERR_STREAM_WRITE_AFTER_END'))
  })

  test('above maxResultBytes writing waits for the record, then for the client, and goes on', async () => {
    await using here = instance(redis)
    const guard = idempotencyExpress(here.idem, { scope: () => 'a', recovery: { mode: 'manual' }, maxResultBytes: 10 })
    const refused: boolean[] = []
    let stateAtDrain: string | undefined
    await using running = await listen(
      connect(guard, async (_request, response) => {
        refused.push(!response.write('x'.repeat(8)), !response.write('x'.repeat(8)))
        await new Promise(resolve => response.once('drain', resolve))
        stateAtDrain = (await here.idem.inspect('http', 'a:POST:/orders:k'))?.state
        for (let part = 0; part < 50; part += 1) {
          if (!response.write('y'.repeat(100_000))) await new Promise(resolve => response.once('drain', resolve))
        }
        response.end()
      }),
    )
    const got = await send(running.port, { key: 'k' })
    expect([got.status, got.body.length, got.cut]).toEqual([200, 16 + 5_000_000, false])
    expect(refused).toEqual([false, true])
    expect(stateAtDrain).toBe('done')
    expect((await send(running.port, { key: 'k' })).status).toBe(409)
  })

  test('a handler passes its error on, and a synchronous throw is one too', async () => {
    await using here = instance(redis)
    const app = express()
    app.use(idempotencyExpress(here.idem, options))
    app.post('/next', (_request, _response, next) => next(new Error('passed on')))
    app.post('/throw', () => {
      throw new Error('thrown')
    })
    app.use((error: Error, _request: unknown, response: express.Response, _next: unknown) => {
      response.status(500).send(error.message)
    })
    await using running = await listen(app)
    for (const [path, text] of [
      ['/next', 'passed on'],
      ['/throw', 'thrown'],
    ] as const) {
      expect((await send(running.port, { key: 'k', path })).text).toBe(text)
      expect(JSON.parse((await send(running.port, { key: 'k', path })).text).code).toBe('in-doubt')
    }
  })

  test('a plain handler that throws at once is in doubt as well', async () => {
    await using here = instance(redis)
    const guard = idempotencyExpress(here.idem, { scope: () => 'a', recovery: { mode: 'manual' } })
    await using running = await listen((request, response) =>
      guard(request, response, error => {
        if (error !== undefined) return void response.writeHead(500).end('caught')
        throw new Error('at once')
      }),
    )
    const first = await send(running.port, { key: 'k' })
    expect([first.status, first.text]).toEqual([500, 'caught'])
    expect(JSON.parse((await send(running.port, { key: 'k' })).text).code).toBe('in-doubt')
  })

  test('a client that leaves is not news to the handler before it has answered', async () => {
    await using here = instance(redis)
    const guard = idempotencyExpress(here.idem, { scope: () => 'a', recovery: { mode: 'manual' } })
    const order: string[] = []
    const entered = Promise.withResolvers<void>()
    const socketClosed = Promise.withResolvers<void>()
    const closed = Promise.withResolvers<void>()
    await using running = await listen(
      connect(guard, async (request, response) => {
        request.socket.once('close', () => socketClosed.resolve())
        response.once('close', () => {
          order.push('close')
          closed.resolve()
        })
        entered.resolve()
        await socketClosed.promise
        order.push(`destroyed ${response.destroyed}`)
        response.end('anyway')
        order.push('answered')
      }),
    )
    const leave = new AbortController()
    const first = send(running.port, { key: 'k' }, leave.signal).catch((error: unknown) => error)
    await entered.promise
    leave.abort()
    await first
    await closed.promise
    expect(order).toEqual(['destroyed false', 'answered', 'close'])
    expect((await send(running.port, { key: 'k' })).text).toBe('anyway')
  })
})
