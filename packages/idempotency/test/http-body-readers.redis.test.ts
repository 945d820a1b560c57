import { IncomingMessage, ServerResponse } from 'node:http'
import { connect, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import express from 'express'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { idempotencyExpress } from '../src/http/index.ts'
import { instance } from './harness.ts'
import type { Instance } from './harness.ts'
import { listen, send } from './http-servers.ts'

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

function guardOf(here: Instance, effect = 'http'): express.RequestHandler {
  return idempotencyExpress(here.idem, { ...options, effect })
}

/** An Express application with one route behind `layers`; its errors are their codes. */
function route(handler: express.RequestHandler, ...layers: express.RequestHandler[]): express.Express {
  const app = express()
  for (const layer of layers) app.use(layer)
  app.post('/orders', handler)
  const onError: express.ErrorRequestHandler = (error, _request, response, _next) => {
    response.status(500).send(String((error as { code?: string }).code))
  }
  app.use(onError)
  return app
}

const later: express.RequestHandler = async (_request, _response, next) => {
  await delay(50)
  next()
}

/** The answer to a request written as it is, whose connection closes after it. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text))
    let answer = ''
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')))
    socket.on('error', reject)
    socket.on('close', () => resolve(answer))
  })
}

describe('a body somebody in front listens to [claim 28]', () => {
  const bodies: Readonly<Record<string, readonly [rest: string, whole: string]>> = {
    'with a length': ['Content-Length: 5\r\n\r\nabcde', 'abcde'],
    'in chunks': ['Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n', 'abcde'],
    'in chunks, and is empty': ['Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n', ''],
    'not at all': ['\r\n', ''],
  }
  for (const [how, [rest, whole]] of Object.entries(bodies)) {
    test(`comes ${how}: the handler gets it whole, and so does the listener, once`, async () => {
      await using here = instance(redis)
      let counted = 0
      const count: express.RequestHandler = (request, _response, next) => {
        request.on('data', (chunk: Buffer) => (counted += chunk.length))
        next()
      }
      await using running = await listen(route(echo, count, guardOf(here)))
      const head = 'POST /orders HTTP/1.1\r\nHost: a\r\nConnection: close\r\nIdempotency-Key: k\r\n'
      for (const replayed of [false, true]) {
        counted = 0
        const answer = await raw(running.port, head + rest)
        expect(answer.endsWith(`\r\n\r\ngot ${whole}`), answer).toBe(true)
        expect([/idempotency-replayed: true/i.test(answer), counted]).toEqual([replayed, whole.length])
      }
    })
  }

  test('has come before the listener and the guard: both get it whole, and another one is told apart', async () => {
    await using here = instance(redis)
    let counted = 0
    const count: express.RequestHandler = (request, _response, next) => {
      request.on('data', (chunk: Buffer) => (counted += chunk.length))
      next()
    }
    await using running = await listen(route(echo, later, count, guardOf(here)))
    expect((await send(running.port, { key: 'k', body: 'abcde' })).text).toBe('got abcde')
    expect(counted).toBe(5)
    expect((await send(running.port, { key: 'k', body: 'other' })).status).toBe(422)
  })
})

describe('a body that was put back [claim 28]', () => {
  for (const layers of [[], [later]]) {
    const when = layers.length > 0 ? 'after an asynchronous step' : 'at once'
    test(`${when}: can be sent on by fetch`, async () => {
      await using here = instance(redis)
      await using upstream = await listen(echo)
      const forward: express.RequestHandler = async (request, response) => {
        const init = { method: 'POST', body: request as unknown as ReadableStream, duplex: 'half' as const }
        const got = await fetch(`http://127.0.0.1:${upstream.port}`, init)
        response.send(await got.text())
      }
      await using running = await listen(route(forward, ...layers, guardOf(here)))
      expect((await send(running.port, { key: 'k', body: 'abcde' })).text).toBe('got abcde')
    })

    test(`${when}: passes a second guard, and once it is read a third refuses it`, async () => {
      await using here = instance(redis)
      const guards = [...layers, guardOf(here), guardOf(here, 'second')]
      await using running = await listen(route(echo, ...guards))
      expect((await send(running.port, { key: 'k', body: 'abcde' })).text).toBe('got abcde')
      const read: express.RequestHandler = (request, _response, next) => {
        request.on('data', () => undefined)
        request.on('end', () => next())
      }
      await using late = await listen(route(echo, ...guards, read, guardOf(here, 'third')))
      expect((await send(late.port, { key: 'k2', body: 'abcde' })).text).toBe('ERR_IDEMPOTENCY_FINGERPRINT')
    })
  }

  test('is pushed as text by a request without a connection: it is compared and read all the same', async () => {
    await using here = instance(redis)
    const guard = idempotencyExpress<IncomingMessage>(here.idem, options)
    const seen: string[] = []
    for (const [text, encoding] of [
      ['é', 'utf8'],
      ['w6k=', 'base64'],
    ] as const) {
      const request = new IncomingMessage(new Socket())
      const headers = { 'idempotency-key': encoding, 'transfer-encoding': 'chunked' }
      Object.assign(request, { method: 'POST', url: '/orders', headers })
      let pushed = false
      request._read = () => {
        if (pushed) return
        pushed = true
        request.push(text, encoding)
        request.push(null)
      }
      const response = new ServerResponse(request)
      await new Promise<void>((resolve, reject) =>
        guard(request, response, error => (error === undefined ? resolve() : reject(error))),
      )
      for await (const chunk of request) seen.push(String(chunk))
      response.end('ran')
    }
    expect(seen).toEqual(['é', 'é'])
  })
})

describe('a form with files [claim 28]', () => {
  const type = 'multipart/form-data; boundary=B'
  const form = (file: string): string =>
    `--B\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n${file}\r\n--B--\r\n`
  const sent = (file: string) => ({ key: 'k', headers: { 'content-type': type }, body: form(file) })

  /** As multer does: fields without a prototype become the body, files go where they are told to. */
  const parser: express.RequestHandler = async (request, _response, next) => {
    const parts: Buffer[] = []
    for await (const chunk of request) parts.push(chunk as Buffer)
    request.body = Object.assign(Object.create(null) as object, { amount: '5' })
    Object.assign(request, { files: [{ buffer: Buffer.concat(parts) }] })
    next()
  }
  const handler: express.RequestHandler = (request, response) => {
    const [file] = (request as unknown as { files?: { buffer: Buffer }[] }).files ?? []
    response.send(file?.buffer.toString('utf8') ?? 'none')
  }

  test('that was taken apart in front cannot be compared, and is an error of the server: nothing runs', async () => {
    await using here = instance(redis)
    await using running = await listen(route(handler, parser, guardOf(here)))
    expect((await send(running.port, sent('one'))).text).toBe('ERR_IDEMPOTENCY_FINGERPRINT')
    expect(await here.idem.inspect('http', 'a:POST:/orders:k')).toBeUndefined()
  })

  test('that is taken apart behind, or was read as bytes in front, is compared with its files', async () => {
    for (const [index, layers] of [
      (here: Instance) => [guardOf(here), parser],
      (here: Instance) => [express.raw({ type: 'multipart/*' }), guardOf(here)],
    ].entries()) {
      await using here = instance(redis)
      await using running = await listen(route(handler, ...layers(here)))
      expect((await send(running.port, sent('one'))).text).toBe(index === 0 ? form('one') : 'none')
      const again = await send(running.port, sent('one'))
      expect([again.status, again.headers['idempotency-replayed']]).toEqual([200, 'true'])
      expect((await send(running.port, sent('two'))).status).toBe(422)
    }
  })
})
