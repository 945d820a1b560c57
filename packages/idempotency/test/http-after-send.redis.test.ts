import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import express from 'express'
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { idempotencyExpress, idempotencyFastify } from '../src/http/index.ts'
import { eventually, instance } from './harness.ts'
import type { Instance } from './harness.ts'
import { listen, send } from './http-servers.ts'
import type { Got } from './http-servers.ts'

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
})
afterAll(() => server[Symbol.asyncDispose]())

const options = { scope: () => 'a', recovery: { mode: 'manual' } } as const

type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>

/** A plain handler, guarded. */
function guarded(here: Instance, handler: Handler, over: { maxResultBytes?: number } = {}): RequestListener {
  const guard = idempotencyExpress<IncomingMessage>(here.idem, { ...options, ...over })
  return (request, response) => guard(request, response, () => void handler(request, response))
}

/** An Express application with one route, before which `layers` stand. */
function route(handler: express.RequestHandler, ...layers: express.RequestHandler[]): express.Express {
  const app = express()
  for (const layer of layers) app.use(layer)
  app.post('/orders', handler)
  // Or Express prints what its default error handler meets.
  app.set('env', 'test')
  return app
}

const shown = ({ status, text, cut }: Got): unknown[] => [status, text, cut]
const state = async (here: Instance, key = 'k'): Promise<string | undefined> =>
  (await here.idem.inspect('http', `a:POST:/orders:${key}`))?.state

const sendAndThrow: express.RequestHandler = async (_request, response) => {
  response.status(201).json({ ok: 1 })
  await Promise.resolve()
  throw new Error('after the answer')
}

describe('a handler that goes on after its answer [claim 28]', () => {
  test('throws into an error handler, which meets sent headers as it would unguarded', async () => {
    await using here = instance(redis)
    const met: unknown[] = []
    const onError: express.ErrorRequestHandler = (_error, _request, response, next) => {
      met.push(response.headersSent)
      try {
        response.status(500).json({ error: 'a longer body than that of the answer' })
      } catch (error) {
        met.push((error as { code?: string }).code)
        next(error)
      }
    }
    for (const layers of [[], [idempotencyExpress(here.idem, options)]]) {
      const app = route(sendAndThrow, ...layers)
      app.use(onError)
      await using running = await listen(app)
      const first = await send(running.port, { key: 'k' })
      expect(shown(first)).toEqual([201, '{"ok":1}', false])
      expect(first.headers['content-length']).toBe('8')
      if (layers.length > 0) expect(shown(await send(running.port, { key: 'k' }))).toEqual([201, '{"ok":1}', false])
    }
    expect(met).toEqual([true, 'ERR_HTTP_HEADERS_SENT', true, 'ERR_HTTP_HEADERS_SENT'])
  })

  test('throws into the default error handler of Express: the answer leaves, then the connection closes', async () => {
    await using here = instance(redis)
    await using running = await listen(route(sendAndThrow, idempotencyExpress(here.idem, options)))
    expect(shown(await send(running.port, { key: 'k' }))).toEqual([201, '{"ok":1}', false])
    expect(await state(here)).toBe('done')
    expect(shown(await send(running.port, { key: 'k' }))).toEqual([201, '{"ok":1}', false])
  })

  test('destroys its response: the answer leaves before', async () => {
    await using here = instance(redis)
    await using running = await listen(guarded(here, (_request, response) => void response.end('sent').destroy()))
    expect(shown(await send(running.port, { key: 'k' }))).toEqual([200, 'sent', false])
    expect(shown(await send(running.port, { key: 'k' }))).toEqual([200, 'sent', false])
  })

  test('sets another status or headers: the status is ignored, the headers are refused', async () => {
    await using here = instance(redis)
    const codes: unknown[] = []
    const attempts: ((response: ServerResponse) => unknown)[] = [
      response => response.setHeader('x-late', '1'),
      response => response.setHeaders(new Map([['x-late', '1']])),
      response => response.appendHeader('x-late', '1'),
      response => response.removeHeader('x-early'),
      response => response.writeHead(500),
    ]
    const handler: Handler = (_request, response) => {
      response.statusCode = 201
      response.setHeader('x-early', '1')
      response.end('sent')
      response.statusCode = 500
      response.statusMessage = 'Late'
      for (const attempt of attempts) {
        try {
          attempt(response)
        } catch (error) {
          codes.push((error as { code?: string }).code)
        }
      }
    }
    await using running = await listen(guarded(here, handler))
    const first = await send(running.port, { key: 'k' })
    expect([...shown(first), first.headers['x-early'], first.headers['x-late']]).toEqual([
      201,
      'sent',
      false,
      '1',
      undefined,
    ])
    expect(codes).toEqual(attempts.map(() => 'ERR_HTTP_HEADERS_SENT'))
    expect(shown(await send(running.port, { key: 'k' }))).toEqual([201, 'sent', false])
  })

  test('writes more: that fails as Node has it, and neither the answer nor the record grows', async () => {
    await using here = instance(redis)
    const failed = Promise.withResolvers<unknown>()
    const met: unknown[] = []
    const handler: Handler = (_request, response) => {
      response.on('error', (error: Error & { code?: string }) => met.push(error.code))
      response.setHeader('content-length', '1')
      response.end('a')
      met.push(response.write('bcd', error => failed.resolve((error as { code?: string } | null)?.code)))
    }
    await using running = await listen(guarded(here, handler))
    expect(shown(await send(running.port, { key: 'k' }))).toEqual([200, 'a', false])
    expect(await failed.promise).toBe('ERR_STREAM_WRITE_AFTER_END')
    expect(met).toEqual([false, 'ERR_STREAM_WRITE_AFTER_END'])
    expect(shown(await send(running.port, { key: 'k' }))).toEqual([200, 'a', false])
  })

  test('sends a status line that Node refuses: it throws where the handler sees it', async () => {
    await using here = instance(redis)
    const codes: unknown[] = []
    const handler: Handler = (_request, response) => {
      response.statusCode = 99
      try {
        response.end('x')
      } catch (error) {
        codes.push((error as { code?: string }).code)
        response.statusCode = 200
        response.end('y')
      }
    }
    await using running = await listen(guarded(here, handler))
    expect(shown(await send(running.port, { key: 'k' }))).toEqual([200, 'y', false])
    expect(codes).toEqual(['ERR_HTTP_INVALID_STATUS_CODE'])
  })
})

describe('an answer that breaks off [claim 28]', () => {
  test('by an error after its first part is in doubt at once, not when its time is over', async () => {
    await using here = instance(redis)
    const handler: express.RequestHandler = async (_request, response) => {
      response.status(201).write('part')
      await Promise.resolve()
      throw new Error('half way')
    }
    await using running = await listen(route(handler, idempotencyExpress(here.idem, options)))
    await expect(send(running.port, { key: 'k' })).rejects.toThrow('socket hang up')
    await eventually(async () => (await state(here)) === 'in-doubt')
    expect(JSON.parse((await send(running.port, { key: 'k' })).text).code).toBe('in-doubt')
  })

  test('by an error after its client has left is in doubt too', async () => {
    await using here = instance(redis)
    const leave = new AbortController()
    const handler: express.RequestHandler = async (request, response) => {
      response.write('part')
      const gone = new Promise(resolve => request.socket.once('close', resolve))
      leave.abort()
      await gone
      throw new Error('half way')
    }
    await using running = await listen(route(handler, idempotencyExpress(here.idem, options)))
    await send(running.port, { key: 'k' }, leave.signal).catch(() => undefined)
    await eventually(async () => (await state(here)) === 'in-doubt')
  })

  test('by its client alone is no end: the handler goes on, and its answer is kept', async () => {
    await using here = instance(redis)
    const leave = new AbortController()
    const handler: Handler = async (request, response) => {
      response.write('first, ')
      const gone = new Promise(resolve => request.socket.once('close', resolve))
      leave.abort()
      await gone
      response.end('second')
    }
    await using running = await listen(guarded(here, handler))
    await send(running.port, { key: 'k' }, leave.signal).catch(() => undefined)
    await eventually(async () => (await state(here)) === 'done')
    expect(shown(await send(running.port, { key: 'k' }))).toEqual([200, 'first, second', false])
  })
})

describe('middleware around a guarded handler [claim 28]', () => {
  test('behind the guard may wrap the response: its headers and its bytes are what is sent and kept', async () => {
    await using here = instance(redis)
    // As on-headers and compression do: headers at the last moment, every byte changed.
    const wrap: express.RequestHandler = (_request, response, next) => {
      const writeHead = response.writeHead.bind(response) as (...args: unknown[]) => ServerResponse
      const write = response.write.bind(response)
      const end = response.end.bind(response)
      let fired = false
      response.writeHead = ((...args: unknown[]) => {
        if (!fired) response.setHeader('x-wrapped', '1')
        fired = true
        return writeHead(...args)
      }) as typeof response.writeHead
      response.write = ((chunk: Buffer) => write(String(chunk).toUpperCase())) as typeof response.write
      response.end = (() => end()) as typeof response.end
      next()
    }
    const handler: express.RequestHandler = async (_request, response) => {
      response.write('a'.repeat(600))
      if (!response.write('b'.repeat(600))) await new Promise(resolve => response.once('drain', resolve))
      response.write('c')
      response.end()
    }
    for (const maxResultBytes of [10_000, 1000]) {
      const key = `k${maxResultBytes}`
      const guard = idempotencyExpress(here.idem, { ...options, maxResultBytes, headers: ['x-wrapped'] })
      await using running = await listen(route(handler, guard, wrap))
      const first = await send(running.port, { key })
      expect([first.text, first.headers['x-wrapped']]).toEqual([`${'A'.repeat(600)}${'B'.repeat(600)}C`, '1'])
      const again = await send(running.port, { key })
      if (maxResultBytes < 1200) expect(again.status).toBe(409)
      else expect([again.text, again.headers['x-wrapped']]).toEqual([first.text, '1'])
    }
  })

  test('before the guard sets headers that a replay keeps, and those of another body it does not', async () => {
    await using here = instance(redis)
    const before: express.RequestHandler = (_request, response, next) => {
      response.set({ 'Content-Security-Policy': "default-src 'none'", 'Content-Language': 'de' })
      next()
    }
    const handler: express.RequestHandler = (_request, response) => void response.json({ ok: 1 })
    await using running = await listen(route(handler, before, idempotencyExpress(here.idem, options)))
    const heads = [await send(running.port, { key: 'k' }), await send(running.port, { key: 'k' })].map(
      ({ headers }) => [headers['content-security-policy'], headers['content-language']],
    )
    expect(heads).toEqual([
      ["default-src 'none'", 'de'],
      ["default-src 'none'", undefined],
    ])
  })
})

describe('a Fastify handler that goes on after its answer [claim 28]', () => {
  async function serve(app: FastifyInstance, here: Instance, withErrorHandler: boolean): Promise<number> {
    await app.register(idempotencyFastify(here.idem, { ...options, headers: ['x-own', 'set-cookie'] }))
    if (withErrorHandler) {
      app.setErrorHandler((_error, _request, reply) => {
        void reply.code(500).header('x-own', 'error').send({ error: 'a much longer body than the answer' })
      })
    }
    const answer = { 'x-own': 'answer', 'set-cookie': ['a=1', 'b=2'] }
    app.post('/async', async (_request, reply) => {
      void reply.code(201).headers(answer).send({ ok: 1 })
      await Promise.resolve()
      throw new Error('after the answer')
    })
    app.post('/sync', (_request, reply) => {
      void reply.code(201).headers(answer).send({ ok: 1 })
      throw new Error('after the answer')
    })
    app.post('/code', (_request, reply) => {
      void reply.code(201).headers(answer).send({ ok: 1 })
      void reply.code(500).header('x-late', '1').header('x-own', 'late')
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    return (app.server.address() as AddressInfo).port
  }

  for (const withErrorHandler of [false, true]) {
    test(`changes neither what is sent nor what is kept, with ${withErrorHandler ? 'an own' : 'the default'} error handler`, async () => {
      await using here = instance(redis)
      const app = fastify()
      const port = await serve(app, here, withErrorHandler)
      for (const path of ['/async', '/sync', '/code']) {
        for (const replayed of [undefined, 'true']) {
          const got = await send(port, { key: 'k', path })
          expect(shown(got), path).toEqual([201, '{"ok":1}', false])
          expect(got.headers, path).toMatchObject({
            'content-length': '8',
            'x-own': 'answer',
            'set-cookie': ['a=1', 'b=2'],
          })
          expect([got.headers['x-late'], got.headers['idempotency-replayed']], path).toEqual([undefined, replayed])
        }
      }
      app.server.closeAllConnections()
      await app.close()
    })
  }
})
