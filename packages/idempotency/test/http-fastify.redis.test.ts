import type { AddressInfo } from 'node:net'

import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import fastify from 'fastify'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { idempotencyFastify } from '../src/http/index.ts'
import type { HttpOptions } from '../src/http/index.ts'
import { eventually, gate, instance } from './harness.ts'
import type { Instance } from './harness.ts'
import { send } from './http-servers.ts'

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
})
afterAll(() => server[Symbol.asyncDispose]())

interface Running extends AsyncDisposable {
  readonly port: number
  readonly here: Instance
}

async function serve(
  routes: (app: FastifyInstance) => void | Promise<void>,
  options: Partial<HttpOptions<FastifyRequest>> = {},
): Promise<Running> {
  const here = instance(redis)
  const app = fastify()
  await app.register(
    idempotencyFastify<FastifyRequest>(here.idem, {
      scope: request => `tenant ${String(request.headers['x-tenant'])}`,
      recovery: { mode: 'manual' },
      ...options,
    }),
  )
  await routes(app)
  await app.listen({ host: '127.0.0.1', port: 0 })
  return {
    here,
    port: (app.server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      app.server.closeAllConnections()
      await app.close()
      await here[Symbol.asyncDispose]()
    },
  }
}

describe('the Fastify plugin [claim 28]', () => {
  test('it covers routes of its instance and below, registered before or after, and not those beside', async () => {
    const runs = { before: 0, after: 0, below: 0, beside: 0 }
    await using running = await serve(async app => {
      app.post('/after', () => `${(runs.after += 1)}`)
      await app.register(async below => {
        below.post('/below', () => `${(runs.below += 1)}`)
      })
    }, {})
    for (const path of ['/after', '/below']) {
      expect((await send(running.port, { key: 'k', path })).text).toBe('1')
      expect((await send(running.port, { key: 'k', path })).text).toBe('1')
    }
    const here = instance(redis)
    const app = fastify()
    await app.register(async scoped => {
      scoped.post('/before', () => `${(runs.before += 1)}`)
      await scoped.register(idempotencyFastify(here.idem, { scope: () => 'all', recovery: { mode: 'manual' } }))
    })
    app.post('/beside', () => `${(runs.beside += 1)}`)
    for (let time = 0; time < 2; time += 1) {
      await app.inject({ method: 'POST', url: '/before', headers: { 'idempotency-key': 'k' } })
      await app.inject({ method: 'POST', url: '/beside', headers: { 'idempotency-key': 'k' } })
    }
    expect(runs).toEqual({ before: 1, after: 1, below: 1, beside: 2 })
    await app.close()
    await here[Symbol.asyncDispose]()
  })

  test('the key counts per route pattern, and a parameter that differs is a mismatch', async () => {
    await using running = await serve(app => {
      app.post('/orders/:id', request => (request.params as { id: string }).id)
    })
    expect((await send(running.port, { key: 'k', path: '/orders/1' })).text).toBe('1')
    expect((await send(running.port, { key: 'k', path: '/orders/1' })).text).toBe('1')
    expect((await send(running.port, { key: 'k', path: '/orders/2' })).status).toBe(422)
  })

  test('a handler that sends and returns nothing is answered with what it sent, and that is what is kept', async () => {
    await using running = await serve(app => {
      app.post('/async', async (_request, reply) => {
        void reply.code(201).send({ sent: true })
      })
      app.post('/callback', (_request, reply) => {
        setTimeout(() => void reply.code(201).send({ sent: true }), 5)
      })
    })
    for (const path of ['/async', '/callback']) {
      for (let time = 0; time < 2; time += 1) {
        const got = await send(running.port, { key: 'k', path })
        expect([got.status, got.text], path).toEqual([201, '{"sent":true}'])
      }
    }
  })

  test('an empty answer that nobody waits for any more is kept all the same', async () => {
    const entered = gate()
    const left = gate()
    let runs = 0
    await using running = await serve(app => {
      app.post('/orders', async (request, reply) => {
        runs += 1
        request.raw.socket.once('close', () => left.open())
        entered.open()
        await left.promise
        reply.code(204)
      })
    })
    const leave = new AbortController()
    const first = send(running.port, { key: 'k' }, leave.signal).catch((error: unknown) => error)
    await entered.promise
    leave.abort()
    await first
    await left.promise
    const again = await eventually(async () => {
      const got = await send(running.port, { key: 'k' })
      return got.status === 409 ? undefined : got
    })
    expect([again.status, again.headers['idempotency-replayed'], runs]).toEqual([204, 'true', 1])
  })

  test('a validation error before the handler is not kept: the corrected request runs', async () => {
    let runs = 0
    await using running = await serve(app => {
      app.post('/orders', { schema: { body: { type: 'object', required: ['id'] } } }, () => `run ${(runs += 1)}`)
    })
    expect((await send(running.port, { key: 'k', body: { other: 1 } })).status).toBe(400)
    expect((await send(running.port, { key: 'k', body: { id: 1 } })).text).toBe('run 1')
  })

  test('a thrown 4xx is an answer like any other, as its status says', async () => {
    let runs = 0
    await using running = await serve(app => {
      app.post('/orders', async () => {
        runs += 1
        throw Object.assign(new Error('no such symbol'), { statusCode: 404 })
      })
    })
    const first = await send(running.port, { key: 'k' })
    const again = await send(running.port, { key: 'k' })
    expect([first.status, again.status, again.text]).toEqual([404, 404, first.text])
    expect(runs).toBe(1)
  })

  test('an answer that went past Fastify counts as done, and replays say that it was not kept', async () => {
    let runs = 0
    await using running = await serve(app => {
      app.post('/orders', (_request, reply) => {
        runs += 1
        reply.hijack()
        reply.raw.end('raw')
      })
    })
    expect((await send(running.port, { key: 'k' })).text).toBe('raw')
    let again = await send(running.port, { key: 'k' })
    // The raw answer was on its way before it could be recorded.
    while (JSON.parse(again.text).code === 'busy') again = await send(running.port, { key: 'k' })
    expect([again.status, JSON.parse(again.text).code]).toEqual([409, 'response-not-kept'])
    expect(runs).toBe(1)
  })

  test('a Response with its own status and headers is kept as it is sent', async () => {
    await using running = await serve(app => {
      app.post('/orders', () => Response.json({ ok: true }, { status: 202, headers: { location: '/o/1' } }))
    })
    for (let time = 0; time < 2; time += 1) {
      const got = await send(running.port, { key: 'k' })
      expect([got.status, got.text, got.headers['location']]).toEqual([202, '{"ok":true}', '/o/1'])
    }
  })

  test('a body the handler reads itself cannot be compared: an error of the server, and nothing runs', async () => {
    let runs = 0
    await using running = await serve(app => {
      app.addContentTypeParser('multipart/form-data', (_request, _payload, done) => done(null))
      app.post('/orders', () => `run ${(runs += 1)}`)
    })
    const sent = { key: 'k', body: 'x', headers: { 'content-type': 'multipart/form-data' } }
    const got = await send(running.port, sent)
    expect([got.status, JSON.parse(got.text).code]).toEqual([500, 'ERR_IDEMPOTENCY_FINGERPRINT'])
    expect(runs).toBe(0)
  })

  test('a hook behind that fails after the answer was recorded ends in an error answer, not in silence', async () => {
    await using running = await serve(app => {
      app.addHook('onSend', async request => {
        if (request.headers['x-fail'] === '1') throw new Error('the hook failed')
      })
      app.post('/orders', () => 'placed')
    })
    const failed = await send(running.port, { key: 'k', headers: { 'x-fail': '1' } })
    expect(failed.status).toBe(500)
    const again = await send(running.port, { key: 'k' })
    expect([again.status, again.text]).toEqual([200, 'placed'])
  })

  test('an object with cookies to repeat repeats each of them', async () => {
    await using running = await serve(
      app => {
        app.post('/orders', (_request, reply) => reply.header('set-cookie', ['a=1', 'b=2']).send('ok'))
      },
      { headers: ['Set-Cookie'] },
    )
    await send(running.port, { key: 'k' })
    expect((await send(running.port, { key: 'k' })).headers['set-cookie']).toEqual(['a=1', 'b=2'])
  })

  test('bad options are refused at once, naming the field', async () => {
    await using here = instance(redis)
    const good = { scope: () => 'all', recovery: { mode: 'manual' } } as const
    const bad: [string, object][] = [
      ['scope', { scope: undefined }],
      ['recovery', { recovery: undefined }],
      ['methods', { methods: [] }],
      ['headers', { headers: ['content-length'] }],
      ['headers', { headers: ['a b'] }],
      ['verdict', { verdict: 'keep' }],
      ['maxResultBytes', { maxResultBytes: -1 }],
      ['leaseMs', { leaseMs: 1 }],
      ['name', { effect: 'Not a name' }],
      ['onBusy', { onBusy: 'wait' }],
      ['required', { required: 'yes' }],
    ]
    for (const [option, over] of bad) {
      expect(() => idempotencyFastify(here.idem, { ...good, ...over }), option).toThrow(
        expect.objectContaining({ code: 'ERR_IDEMPOTENCY_OPTIONS', option: expect.stringContaining(option) }),
      )
    }
  })
})
