import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { gunzipSync, createGzip } from 'node:zlib'

import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import express from 'express'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { idempotencyExpress, idempotencyFetch } from '../src/http/index.ts'
import { instance } from './harness.ts'
import { listen, send } from './http-servers.ts'

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
})
afterAll(() => server[Symbol.asyncDispose]())

const options = { scope: () => 'a', recovery: { mode: 'manual' } } as const

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

describe('an answer and what looks at how far it is [claim 28]', () => {
  /** As express-session and older middleware do: their head goes out as long as Node has none. */
  const headFirst: express.RequestHandler = (_request, response, next) => {
    const inner = response as unknown as { readonly _header: unknown; _implicitHeader(): void }
    const write = response.write.bind(response)
    const end = response.end.bind(response)
    response.write = ((chunk: Buffer) => {
      if (!inner._header) inner._implicitHeader()
      return write(chunk)
    }) as typeof response.write
    response.end = ((chunk?: Buffer) => {
      if (!inner._header) inner._implicitHeader()
      return end(chunk)
    }) as typeof response.end
    next()
  }

  test('is not sent twice by middleware that sends the head as long as Node has none', async () => {
    await using here = instance(redis)
    const app = express()
    app.use(idempotencyExpress(here.idem, options), headFirst)
    app.post('/orders', (_request, response) => {
      response.status(201)
      Readable.from([Buffer.from('first, '), Buffer.from('second')]).pipe(response)
    })
    await using running = await listen(app)
    for (const replayed of [undefined, 'true']) {
      const got = await send(running.port, { key: 'k' })
      expect([got.status, got.text, got.headers['idempotency-replayed']]).toEqual([201, 'first, second', replayed])
    }
  })

  test('shows its end by `finished`, and none before', async () => {
    await using here = instance(redis)
    const guard = idempotencyExpress<IncomingMessage>(here.idem, { ...options, maxResultBytes: 3 })
    const found: boolean[] = []
    // eslint-disable-next-line typescript/no-deprecated
    const look = (response: ServerResponse): void => void found.push(response.finished)
    await using running = await listen((request, response) =>
      guard(request, response, () => {
        look(response)
        response.write('part')
        response.once('drain', () => {
          look(response)
          response.end('end')
          look(response)
        })
        look(response)
      }),
    )
    expect((await send(running.port, { key: 'k' })).text).toBe('partend')
    expect(found).toEqual([false, false, false, true])
    const ended: boolean[] = []
    const whole = idempotencyExpress<IncomingMessage>(here.idem, options)
    await using other = await listen((request, response) =>
      whole(request, response, () => {
        response.end('sent')
        // eslint-disable-next-line typescript/no-deprecated
        ended.push(response.finished)
      }),
    )
    expect((await send(other.port, { key: 'k2' })).text).toBe('sent')
    expect(ended).toEqual([true])
  })

  /** As compression does: who listens for `drain` is given to a stream of its own at the first byte. */
  const compress: express.RequestHandler = (_request, response, next) => {
    const on = response.on.bind(response)
    const write = response.write.bind(response)
    const end = response.end.bind(response)
    const waiting: (() => void)[] = []
    let stream: ReturnType<typeof createGzip> | undefined
    const started = (): ReturnType<typeof createGzip> => {
      if (stream) return stream
      const gzip = createGzip()
      stream = gzip
      for (const listener of waiting) gzip.on('drain', listener)
      response.setHeader('content-encoding', 'gzip')
      gzip.on('data', (chunk: Buffer) => write(chunk) || gzip.pause())
      gzip.on('end', () => end())
      on('drain', () => gzip.resume())
      return gzip
    }
    response.on = ((event: string, listener: () => void) => {
      if (event !== 'drain') return on(event, listener)
      if (stream) stream.on(event, listener)
      else waiting.push(listener)
      return response
    }) as typeof response.on
    response.write = ((chunk: Buffer) => started().write(chunk)) as typeof response.write
    response.end = ((chunk?: Buffer) => started().end(chunk)) as unknown as typeof response.end
    next()
  }

  test('goes on above maxResultBytes with compression in front, however little that is', async () => {
    await using here = instance(redis)
    for (const maxResultBytes of [0, 1000, 20_000, 100_000, 200_000]) {
      const app = express()
      app.use(compress, idempotencyExpress(here.idem, { ...options, maxResultBytes }))
      app.post('/orders', (_request, response) => {
        Readable.from(Array.from({ length: 300 }, () => Buffer.alloc(500, 'a'))).pipe(response)
      })
      await using running = await listen(app)
      const got = await send(running.port, { key: `k${maxResultBytes}` })
      expect(gunzipSync(got.body).length, String(maxResultBytes)).toBe(150_000)
    }
  })

  test('forgets who no longer listens for `drain`', async () => {
    await using here = instance(redis)
    const guard = idempotencyExpress<IncomingMessage>(here.idem, { ...options, maxResultBytes: 3 })
    const called: string[] = []
    await using running = await listen((request, response) =>
      guard(request, response, () => {
        const gone = (): void => void called.push('gone')
        response.on('drain', gone).off('drain', gone)
        response.once('drain', gone).removeListener('drain', gone)
        response.on('drain', () => called.push('on')).once('drain', () => called.push('once'))
        response.write('part')
        setTimeout(() => response.end(), 50)
      }),
    )
    expect((await send(running.port, { key: 'k' })).text).toBe('part')
    expect(called).toEqual(['on', 'once'])
  })

  test('has its head from a list as Node has it: names as they are written, none without a value', async () => {
    await using here = instance(redis)
    const guard = idempotencyExpress<IncomingMessage>(here.idem, options)
    const codes: unknown[] = []
    await using running = await listen((request, response) =>
      guard(request, response, () => {
        try {
          response.writeHead(201, ['X-Odd'])
        } catch (error) {
          codes.push((error as { code?: string }).code)
        }
        response.writeHead(201, ['X-Own', '1', 'x-own', '2'])
        response.end()
      }),
    )
    const { headers, rawHeaders } = await send(running.port, { key: 'k' })
    expect(headers['x-own']).toBe('1, 2')
    expect(rawHeaders).toContain('X-Own')
    expect(codes).toEqual(['ERR_INVALID_ARG_VALUE'])
  })

  test('that is `Response.error()` says nothing: it is given on, and in doubt', async () => {
    await using here = instance(redis)
    const guard = idempotencyFetch(here.idem, options)(() => Response.error())
    const request = new Request('http://localhost/orders', { method: 'POST', headers: { 'idempotency-key': 'k' } })
    expect((await guard(request)).type).toBe('error')
    expect((await here.idem.inspect('http', 'a:POST:/orders:k'))?.state).toBe('in-doubt')
  })
})
