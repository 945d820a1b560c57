import { createServer } from 'node:http'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import express from 'express'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { makeServerTls } from '../../redis-core/test/certificates.ts'
import { idempotencyExpress } from '../src/http/index.ts'
import { eventually, gate, instance } from './harness.ts'
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
function guarded(here: Instance, handler: Handler): RequestListener {
  const guard = idempotencyExpress<IncomingMessage>(here.idem, options)
  return (request, response) => guard(request, response, () => void handler(request, response))
}

const shown = ({ status, text, cut }: Got): unknown[] => [status, text, cut]
const state = async (here: Instance): Promise<string | undefined> =>
  (await here.idem.inspect('http', 'a:POST:/orders:k'))?.state

/** What a later request with the key is answered. */
async function retry(here: Instance, listener: RequestListener): Promise<unknown[]> {
  await eventually(async () => ['done', 'in-doubt'].includes((await state(here)) ?? ''))
  await using running = await listen(listener)
  return shown(await send(running.port, { key: 'k' }))
}

const POST = 'POST /orders HTTP/1.1\r\nHost: a\r\nIdempotency-Key: k\r\nContent-Length: 0\r\n\r\n'

/** Ways of a client to leave. */
const leaves: Readonly<Record<string, (socket: Socket) => void>> = {
  'closes its connection': socket => void socket.destroy(),
  'resets its connection': socket => void socket.resetAndDestroy(),
  'ends its side': socket => void socket.end(),
}

describe('a client that leaves during an answer [claim 28]', () => {
  for (const [how, leave] of Object.entries(leaves)) {
    for (const secure of [false, true]) {
      test(`${how} ${secure ? 'over HTTPS' : 'over HTTP'}: the handler goes on, and its answer is kept`, async () => {
        await using here = instance(redis)
        const begun = gate()
        const handler: Handler = async (request, response) => {
          response.writeHead(201)
          response.write('first, ')
          const gone = new Promise(resolve => request.socket.once('close', resolve))
          begun.open()
          await gone
          // What Node does about a closed connection goes on for a few turns.
          await new Promise(resolve => setTimeout(resolve, 20))
          response.end('second')
        }
        const listener = guarded(here, handler)
        const { certPem, keyPem } = await makeServerTls()
        const http = secure ? createHttpsServer({ cert: certPem, key: keyPem }) : createServer()
        await using running = await listen(listener, http)
        const tcp = connect(running.port, '127.0.0.1')
        const client = secure ? connectTls({ socket: tcp, rejectUnauthorized: false }) : tcp
        for (const each of new Set([tcp, client])) each.on('error', () => undefined)
        client.write(POST)
        await begun.promise
        leave(how === 'resets its connection' ? tcp : client)
        expect(await retry(here, listener)).toEqual([201, 'first, second', false])
      })
    }
  }
})

describe('a server that cuts an answer off by itself [claim 28]', () => {
  interface Cut {
    readonly atStart?: (http: Server) => void
    readonly inHandler?: Handler
    readonly later?: (http: Server) => void
  }
  const cuts: Readonly<Record<string, Cut>> = {
    'its shutdown': { later: http => http.closeAllConnections() },
    'its own timeout': { atStart: http => void http.setTimeout(50) },
    'a timeout the handler set on its response': { inHandler: (_request, response) => void response.setTimeout(50) },
    'a timeout the handler set on its connection': { inHandler: request => void request.socket.setTimeout(50) },
  }
  for (const [what, { atStart, inHandler, later }] of Object.entries(cuts)) {
    test(`by ${what}: the handler goes on, and its answer is kept`, async () => {
      await using here = instance(redis)
      const begun = gate()
      const listener = guarded(here, async (request, response) => {
        response.write('first, ')
        const gone = new Promise(resolve => request.socket.once('close', resolve))
        void inHandler?.(request, response)
        begun.open()
        await gone
        response.end('second')
      })
      await using running = await listen(listener)
      atStart?.(running.http)
      const first = send(running.port, { key: 'k' }).catch(() => undefined)
      await begun.promise
      later?.(running.http)
      await first
      expect(await retry(here, listener)).toEqual([200, 'first, second', false])
    })
  }

  for (const how of ['close', 'closeIdleConnections', 'closeAllConnections'] as const) {
    test(`by ${how} while an ended answer is recorded: it leaves all the same`, async () => {
      await using here = instance(redis)
      const ended = gate()
      await using running = await listen(
        guarded(here, async (_request, response) => {
          await redis.call('CLIENT', 'PAUSE', '200', 'WRITE')
          response.end('sent')
          ended.open()
        }),
      )
      const first = send(running.port, { key: 'k', headers: { connection: 'keep-alive' } })
      await ended.promise
      running.http[how]()
      expect(shown(await first)).toEqual([200, 'sent', false])
      expect(await state(here)).toBe('done')
    })
  }
})

describe('a handler that cuts its own answer off [claim 28]', () => {
  const cuts: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => void>> = {
    'its response': (_request, response) => void response.destroy(),
    'its connection': request => void request.socket.destroy(),
    'its connection, with an error': request => void request.socket.destroy(new Error('own')),
  }
  for (const [what, cut] of Object.entries(cuts)) {
    test(`by destroying ${what} after a part is in doubt at once`, async () => {
      await using here = instance(redis)
      const handler: Handler = async (request, response) => {
        response.write('part')
        await new Promise(resolve => setTimeout(resolve, 10))
        cut(request, response)
      }
      await using running = await listen(guarded(here, handler))
      await expect(send(running.port, { key: 'k' })).rejects.toThrow('socket hang up')
      await eventually(async () => (await state(here)) === 'in-doubt')
    })

    test(`by destroying ${what} after its end has given its answer`, async () => {
      await using here = instance(redis)
      const handler: Handler = (request, response) => {
        response.end('sent')
        cut(request, response)
      }
      await using running = await listen(guarded(here, handler))
      expect(shown(await send(running.port, { key: 'k' }))).toEqual([200, 'sent', false])
      expect(shown(await send(running.port, { key: 'k' }))).toEqual([200, 'sent', false])
    })
  }

  test('is found out in the default error handler of Express behind a body parser, a timer and a stream', async () => {
    await using here = instance(redis)
    const app = express()
    app.use(idempotencyExpress(here.idem, options), express.json())
    app.post('/orders', (_request, response, next) => {
      response.write('part')
      setTimeout(() => response.write('more', () => setImmediate(() => next(new Error('half way')))), 5)
    })
    app.set('env', 'test')
    await using running = await listen(app)
    await expect(send(running.port, { key: 'k', body: { a: 1 } })).rejects.toThrow('socket hang up')
    await eventually(async () => (await state(here)) === 'in-doubt')
  })
})
