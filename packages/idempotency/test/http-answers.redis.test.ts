import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import express from 'express'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { idempotencyExpress, idempotencyFetch } from '../src/http/index.ts'
import { instance } from './harness.ts'
import { send } from './http-servers.ts'

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
})
afterAll(() => server[Symbol.asyncDispose]())

const options = { scope: () => 'a', recovery: { mode: 'manual' } } as const

async function listen(listener: RequestListener): Promise<AsyncDisposable & { port: number }> {
  const http = createServer(listener)
  await new Promise<void>(resolve => http.listen(0, '127.0.0.1', resolve))
  return {
    port: (http.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections()
      await new Promise(resolve => http.close(resolve))
    },
  }
}

describe('answers and how they are kept [claim 28]', () => {
  test('a body up to maxResultBytes is kept whatever it is made of, one byte more is not', async () => {
    await using here = instance(redis)
    const app = express()
    app.use(idempotencyExpress(here.idem, { ...options, maxResultBytes: 65_536 }))
    const bodies: Record<string, (length: number) => Buffer> = {
      binary: length => Buffer.alloc(length, 0xff),
      quotes: length => Buffer.alloc(length, '"'),
      controls: length => Buffer.alloc(length, 1),
      text: length => Buffer.alloc(length, 'é'),
    }
    app.post('/orders', (request, response) => {
      response.end(bodies[request.query['of'] as string]?.(Number(request.query['length'])))
    })
    await using running = await listen(app)
    for (const of of Object.keys(bodies)) {
      for (const [length, status] of [
        [65_536, 200],
        [65_537, 409],
      ] as const) {
        const sent = { key: `${of}${length}`, path: `/orders?of=${of}&length=${length}` }
        const first = await send(running.port, sent)
        const again = await send(running.port, sent)
        expect([first.status, first.body.length, again.status], sent.key).toEqual([200, length, status])
        if (status === 200) expect(again.body.equals(first.body), sent.key).toBe(true)
      }
    }
  })

  test('what is kept of a short answer is text, for people to read', async () => {
    await using here = instance(redis)
    const app = express()
    app.use(idempotencyExpress(here.idem, options))
    app.post('/orders', (_request, response) => void response.json({ '"': '"""' }))
    await using running = await listen(app)
    await send(running.port, { key: 'k' })
    const view = await here.idem.inspect('http', 'a:POST:/orders:k')
    expect(view?.value).toMatchObject({ status: 200, body: JSON.stringify({ '"': '"""' }) })
    expect(view?.value).not.toHaveProperty('encoding')
  })

  test('headers of one message in a given answer are left out, and one that no header can carry is not kept', async () => {
    await using here = instance(redis)
    const app = express()
    app.use(idempotencyExpress(here.idem, options))
    app.post('/orders', (_request, response) => void response.status(500).end())
    await using running = await listen(app)
    const given: readonly (readonly [string, Record<string, string>, number])[] = [
      ['message', { 'Transfer-Encoding': 'chunked', 'content-length': '3', connection: 'x', 'x-kept': 'y' }, 200],
      ['value', { 'x-bad': 'a\r\nb: c' }, 409],
      ['name', { 'x bad': 'a' }, 409],
    ]
    for (const [key, headers, status] of given) {
      await send(running.port, { key })
      const value = { status: 200, headers, body: 'placed by hand' }
      await here.idem.resolve('http', `a:POST:/orders:${key}`, { outcome: 'ran', value, by: 'op', why: 'seen' })
      const got = await send(running.port, { key })
      expect(got.status, key).toBe(status)
      if (status !== 200) expect(JSON.parse(got.text).code, key).toBe('response-not-kept')
      else
        expect([got.text, got.headers['x-kept'], got.headers['content-length']]).toEqual(['placed by hand', 'y', '14'])
    }
    const guard = idempotencyFetch(here.idem, { ...options, effect: 'http' })(() => new Response('ran'))
    const request = new Request('http://localhost/orders', { method: 'POST', headers: { 'idempotency-key': 'value' } })
    expect((await guard(request)).status).toBe(409)
  })

  test('a path that makes a longer text than keys may be is a key of its own', async () => {
    await using here = instance(redis)
    const app = express()
    app.use(idempotencyExpress(here.idem, options))
    app.use((request, response) => void response.send(request.path.slice(-1)))
    await using running = await listen(app)
    const path = `/${':'.repeat(7000)}`
    const heads = [await send(running.port, { key: 'k', path }), await send(running.port, { key: 'k', path })]
    expect(heads.map(({ status, headers }) => [status, headers['idempotency-replayed']])).toEqual([
      [200, undefined],
      [200, 'true'],
    ])
    expect((await send(running.port, { key: 'k', path: `${path}x` })).text).toBe('x')
  })
})
