import { Readable } from 'node:stream'

import { connectRedis, whenReady } from '@safety/redis-core'
import { startFaultProxy, startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { eventually, gate, instance, sleep } from './harness.ts'
import { frameworks, send } from './http-servers.ts'
import type { Got } from './http-servers.ts'

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
})
afterAll(() => server[Symbol.asyncDispose]())

const manual = { recovery: { mode: 'manual' } } as const

function problemIn(got: Got): { type: string; title: string; status: number; detail: string; code: string } {
  expect(got.headers['content-type']).toBe('application/problem+json')
  const problem = JSON.parse(got.text)
  expect(problem.status).toBe(got.status)
  return problem
}

describe.each(frameworks)('$name [claim 28]', framework => {
  test('a replay repeats status, body and the listed headers, marks itself, and runs nothing', async () => {
    await using here = instance(redis)
    let runs = 0
    await using app = await framework.start(here.idem, { ...manual, headers: ['X-Request-Cost'] }, ({ body }) => {
      runs += 1
      return {
        status: 201,
        headers: {
          location: '/orders/7',
          etag: '"v1"',
          link: '</o>; rel="self"',
          'x-request-cost': '3',
          'x-other': '1',
        },
        body: { run: runs, given: body },
      }
    })
    const sent = { key: 'k-1', body: { symbol: 'BTCUSDT', quantity: 1 } }
    const first = await send(app.port, sent)
    const second = await send(app.port, sent)
    expect(first.status).toBe(201)
    expect(JSON.parse(first.text)).toEqual({ run: 1, given: sent.body })
    expect(first.headers['idempotency-replayed']).toBeUndefined()
    expect(first.headers['x-other']).toBe('1')
    expect(second.status).toBe(201)
    expect(second.body.equals(first.body)).toBe(true)
    expect(second.headers['idempotency-replayed']).toBe('true')
    for (const name of ['content-type', 'location', 'etag', 'link', 'x-request-cost']) {
      expect(second.headers[name], name).toBe(first.headers[name])
    }
    expect(second.headers['x-other']).toBeUndefined()
    expect(runs).toBe(1)
  })

  test('the record is written before the answer leaves', async () => {
    await using proxy = await startFaultProxy(server)
    const client = connectRedis(proxy.url, { commandTimeoutMs: 30_000 })
    await whenReady(client)
    await using here = instance(client, { storeTimeoutMs: 30_000, storeBudgetMs: 60_000 })
    await using app = await framework.start(here.idem, manual, () => ({ body: 'done' }))
    const finish = proxy.hold({ script: 'idempotency.finish' })
    const order: string[] = []
    const answer = send(app.port, { key: 'k-1' }).then(got => {
      order.push('answered')
      return got
    })
    await eventually(() => finish.fired === 1)
    await sleep(50)
    order.push('recorded')
    proxy.release()
    expect((await answer).text).toBe('done')
    expect(order).toEqual(['recorded', 'answered'])
    const view = await here.idem.inspect('http', 'a:POST:/orders:k-1')
    expect(view).toMatchObject({ state: 'done', value: { status: 200, body: 'done' } })
    client.disconnect()
  })

  test('a missing key is 400 missing-key, a malformed one or two are 400 malformed-key, and nothing runs', async () => {
    await using here = instance(redis)
    let runs = 0
    await using app = await framework.start(here.idem, manual, () => {
      runs += 1
      return {}
    })
    const missing = await send(app.port, { body: { a: 1 } })
    expect(missing.status).toBe(400)
    expect(problemIn(missing)).toMatchObject({ code: 'missing-key', type: 'urn:safety:idempotency:missing-key' })
    const malformed = [
      '',
      '"',
      '""',
      '" "',
      '"a',
      'a b',
      'a,b',
      'ü',
      '"a\\x"',
      '"a" "b"',
      "'a'",
      'a;b',
      'x'.repeat(256),
    ]
    for (const key of [...malformed, ['a', 'b'], ['"a"', '"b"'], ['a', 'a']]) {
      const got = await send(app.port, { key: typeof key === 'string' ? Buffer.from(key).toString('latin1') : key })
      expect(got.status, String(key)).toBe(400)
      expect(problemIn(got).code, String(key)).toBe('malformed-key')
    }
    expect(runs).toBe(0)
  })

  test('a bare key and the same key quoted are one key', async () => {
    await using here = instance(redis)
    let runs = 0
    await using app = await framework.start(here.idem, manual, () => ({ body: `run ${(runs += 1)}` }))
    for (const key of ['8e03978e-40d5', '"8e03978e-40d5"', ' "8e03978e-40d5" ', '"8e03978e-40d5";v=1']) {
      expect((await send(app.port, { key })).text, key).toBe('run 1')
    }
    expect((await send(app.port, { key: '"a \\"quoted\\" key"' })).text).toBe('run 2')
    expect(runs).toBe(2)
  })

  test('another body, URL or method under the key is 422 mismatch or another intent, never a replay', async () => {
    await using here = instance(redis)
    let runs = 0
    await using app = await framework.start(here.idem, { ...manual, problemBase: 'https://errors.test/' }, () => ({
      body: `run ${(runs += 1)}`,
    }))
    await send(app.port, { key: 'k', body: { a: 1, b: 2 } })
    expect(
      (
        await send(app.port, {
          key: 'k',
          body: '{ "b": 2, "a": 1.0 }',
          headers: { 'content-type': 'application/json' },
        })
      ).text,
    ).toBe('run 1')
    const other = await send(app.port, { key: 'k', body: { a: 1, b: 3 } })
    expect(other.status).toBe(422)
    expect(problemIn(other)).toMatchObject({ code: 'mismatch', type: 'https://errors.test/mismatch' })
    expect((await send(app.port, { key: 'k', path: '/orders?dry=1', body: { a: 1, b: 2 } })).status).toBe(422)
    expect((await send(app.port, { key: 'k', body: undefined } as never)).status).toBe(422)
    expect((await send(app.port, { key: 'k', method: 'PATCH', body: { a: 1, b: 2 } })).text).toBe('run 2')
    expect((await send(app.port, { key: 'k', headers: { 'x-tenant': 'b' }, body: { a: 9 } })).text).toBe('run 3')
  })

  test('bodies that are no JSON are compared byte by byte', async () => {
    await using here = instance(redis)
    let runs = 0
    await using app = await framework.start(here.idem, manual, () => ({ body: `run ${(runs += 1)}` }))
    const bytes = (...values: number[]): object => ({
      key: 'b',
      body: Buffer.from(values),
      headers: { 'content-type': 'application/octet-stream' },
    })
    expect((await send(app.port, bytes(0, 255, 1))).text).toBe('run 1')
    expect((await send(app.port, bytes(0, 255, 1))).text).toBe('run 1')
    expect((await send(app.port, bytes(0, 255, 2))).status).toBe(422)
    const text = { key: 't', body: 'one two', headers: { 'content-type': 'text/plain' } }
    expect((await send(app.port, text)).text).toBe('run 2')
    expect((await send(app.port, text)).text).toBe('run 2')
    expect((await send(app.port, { ...text, body: 'one  two' })).status).toBe(422)
  })

  test('a twin of a running request is 409 busy with Retry-After, and the first answer is replayed later', async () => {
    await using here = instance(redis)
    await using there = instance(redis, { namespace: here.namespace })
    const entered = gate()
    const open = gate()
    let runs = 0
    const handler = async (): Promise<{ body: string }> => {
      runs += 1
      entered.open()
      await open.promise
      return { body: 'slow' }
    }
    await using app = await framework.start(here.idem, manual, handler)
    await using other = await framework.start(there.idem, manual, handler)
    const first = send(app.port, { key: 'k' })
    await entered.promise
    for (const port of [app.port, other.port]) {
      const twin = await send(port, { key: 'k' })
      expect(twin.status).toBe(409)
      expect(problemIn(twin).code).toBe('busy')
      expect(Number(twin.headers['retry-after'])).toBeGreaterThanOrEqual(1)
    }
    open.open()
    expect((await first).text).toBe('slow')
    expect((await send(other.port, { key: 'k' })).text).toBe('slow')
    expect(runs).toBe(1)
  })

  test('2xx, 3xx and 4xx are kept, 408, 425 and 429 run again, 5xx is in doubt', async () => {
    await using here = instance(redis)
    let runs = 0
    await using app = await framework.start(here.idem, manual, ({ body }) => ({
      status: (body as { status: number }).status,
      body: `run ${(runs += 1)}`,
    }))
    for (const status of [200, 202, 303, 400, 404, 422]) {
      const sent = { key: `k${status}`, body: { status } }
      const first = await send(app.port, sent)
      expect(first.status).toBe(status)
      const again = await send(app.port, sent)
      expect([again.status, again.text], String(status)).toEqual([status, first.text])
      expect(again.headers['idempotency-replayed']).toBe('true')
    }
    for (const status of [408, 425, 429]) {
      const sent = { key: `k${status}`, body: { status } }
      const first = await send(app.port, sent)
      const again = await send(app.port, sent)
      expect([first.status, again.status]).toEqual([status, status])
      expect(again.text, String(status)).not.toBe(first.text)
      expect(again.headers['idempotency-replayed']).toBeUndefined()
    }
    const before = runs
    for (const status of [500, 502, 503]) {
      const sent = { key: `k${status}`, body: { status } }
      const first = await send(app.port, sent)
      expect([first.status, first.text]).toEqual([status, `run ${runs}`])
      const again = await send(app.port, sent)
      expect(again.status).toBe(409)
      expect(problemIn(again).code).toBe('in-doubt')
    }
    expect(runs).toBe(before + 3)
  })

  test('a handler that throws gives its own error to the first caller and 409 in-doubt to the next', async () => {
    await using here = instance(redis)
    let runs = 0
    await using app = await framework.start(here.idem, manual, async () => {
      runs += 1
      throw new Error('the venue hung up')
    })
    const first = await send(app.port, { key: 'k' })
    expect(first.status).toBe(500)
    expect(first.text).toContain('the venue hung up')
    const again = await send(app.port, { key: 'k' })
    expect(again.status).toBe(409)
    expect(problemIn(again).code).toBe('in-doubt')
    expect(runs).toBe(1)
    expect(await here.idem.inspect('http', 'a:POST:/orders:k')).toMatchObject({ state: 'in-doubt', reason: 'unclear' })
  })

  test('in mode reconcile a lookup answers for the first attempt, and an operator can', async () => {
    await using here = instance(redis)
    await using app = await framework.start(
      here.idem,
      {
        recovery: {
          mode: 'reconcile',
          settleMs: 0,
          lookup: async ({ memo }) => {
            expect(memo).toMatchObject({ scope: 'a', method: 'POST' })
            const { key } = memo as { key: string }
            if (key === 'found')
              return { outcome: 'ran', value: { status: 201, headers: { location: '/o/1' }, body: 'found' } }
            return key === 'absent' ? { outcome: 'not-run' } : { outcome: 'unknown' }
          },
        },
      },
      () => ({ status: 502, body: 'bad gateway' }),
    )
    const found = await send(app.port, { key: 'found' })
    expect([found.status, found.text, found.headers['location']]).toEqual([201, 'found', '/o/1'])
    expect(found.headers['idempotency-replayed']).toBe('true')
    expect((await send(app.port, { key: 'found' })).text).toBe('found')
    // Known not to have run: the caller gets its own answer and may send again.
    for (let time = 0; time < 2; time += 1) {
      const absent = await send(app.port, { key: 'absent' })
      expect([absent.status, absent.text]).toEqual([502, 'bad gateway'])
      expect(await here.idem.inspect('http', 'a:POST:/orders:absent')).toMatchObject({ state: 'not-run' })
    }
    expect((await send(app.port, { key: 'other' })).status).toBe(502)
    expect((await send(app.port, { key: 'other' })).status).toBe(409)
    await here.idem.resolve('http', 'a:POST:/orders:other', {
      outcome: 'ran',
      value: { status: 200, body: 'by hand' },
      by: 'ops',
      why: 'seen in the ledger',
    })
    expect((await send(app.port, { key: 'other' })).text).toBe('by hand')
  })

  test('an answer nobody can read back, or a final failure, is 409 and runs nothing', async () => {
    await using here = instance(redis)
    let runs = 0
    await using app = await framework.start(here.idem, manual, () => ({ body: `run ${(runs += 1)}` }))
    await here.idem.confirm('http', 'a:POST:/orders:odd', { outcome: 'ran', value: { orderId: 7 }, evidenceId: 'e1' })
    await here.idem.confirm('http', 'a:POST:/orders:failed', {
      outcome: 'failed',
      error: { name: 'Refused', message: 'no margin' },
      evidenceId: 'e2',
    })
    expect(problemIn(await send(app.port, { key: 'odd' })).code).toBe('response-not-kept')
    expect(problemIn(await send(app.port, { key: 'failed' })).code).toBe('failed')
    expect(runs).toBe(0)
  })

  test('an empty body is a body: 204 and an empty 200 are replayed as they are', async () => {
    await using here = instance(redis)
    let runs = 0
    await using app = await framework.start(here.idem, manual, ({ body }) => {
      runs += 1
      return { status: (body as { status: number }).status }
    })
    for (const status of [204, 200]) {
      const sent = { key: `k${status}`, body: { status } }
      const first = await send(app.port, sent)
      const again = await send(app.port, sent)
      expect([first.status, first.text, again.status, again.text]).toEqual([status, '', status, ''])
      expect(again.headers['idempotency-replayed']).toBe('true')
    }
    expect(runs).toBe(2)
  })

  test('a stream and bytes that are no UTF-8 are kept and replayed whole', async () => {
    await using here = instance(redis)
    let runs = 0
    const bytes = Buffer.from([0, 159, 146, 150, 255])
    await using app = await framework.start(here.idem, manual, ({ body }) => {
      runs += 1
      const stream = (body as { stream: boolean }).stream
      const headers = { 'content-type': stream ? 'text/csv' : 'application/octet-stream' }
      return { headers, body: stream ? Readable.from(['a,b\n', Buffer.from('1,2\n')], { objectMode: false }) : bytes }
    })
    for (const stream of [true, false]) {
      const sent = { key: `k${stream}`, body: { stream } }
      const first = await send(app.port, sent)
      const again = await send(app.port, sent)
      expect(first.body).toEqual(stream ? Buffer.from('a,b\n1,2\n') : bytes)
      expect(again.body).toEqual(first.body)
      expect(again.headers['content-type']).toBe(first.headers['content-type'])
    }
    expect(runs).toBe(2)
  })

  test('a body above maxResultBytes passes through whole, and replays are 409 response-not-kept', async () => {
    await using here = instance(redis)
    let runs = 0
    await using app = await framework.start(here.idem, { ...manual, maxResultBytes: 1000 }, ({ body }) => {
      runs += 1
      const parts = Array.from({ length: 300 }, (_, index) => String(index % 10).repeat(1000))
      return {
        body: (body as { stream: boolean }).stream ? Readable.from(parts, { objectMode: false }) : parts.join(''),
      }
    })
    for (const stream of [true, false]) {
      const sent = { key: `k${stream}`, body: { stream } }
      const first = await send(app.port, sent)
      expect([first.status, first.body.length, first.cut]).toEqual([200, 300_000, false])
      expect(first.text.slice(-1000)).toBe('9'.repeat(1000))
      const again = await send(app.port, sent)
      expect(again.status).toBe(409)
      expect(problemIn(again).code).toBe('response-not-kept')
    }
    expect(runs).toBe(2)
  })

  test('a stream that breaks is in doubt', async () => {
    await using here = instance(redis)
    let runs = 0
    await using app = await framework.start(here.idem, manual, () => {
      runs += 1
      async function* broken(): AsyncGenerator<Buffer> {
        yield Buffer.from('begin')
        await sleep(5)
        throw Object.assign(new Error('the source broke'), { code: 'ECONNREFUSED' })
      }
      return { body: Readable.from(broken(), { objectMode: false }) }
    })
    const first = await send(app.port, { key: 'k' }).catch((error: unknown) => error)
    expect(first).not.toMatchObject({ status: 200 })
    const again = await eventually(async () => {
      const got = await send(app.port, { key: 'k' })
      return problemIn(got).code === 'in-doubt' && got
    })
    expect(again.status).toBe(409)
    expect(runs).toBe(1)
  })

  test('a client that leaves does not stop the handler: the next request gets its answer', async () => {
    await using here = instance(redis)
    const entered = gate()
    const open = gate()
    let runs = 0
    await using app = await framework.start(here.idem, manual, async ({ ctx }) => {
      runs += 1
      entered.open()
      await open.promise
      expect(ctx?.signal.aborted).toBe(false)
      return { status: 201, body: Readable.from([Buffer.from('kept '), Buffer.from('anyway')], { objectMode: false }) }
    })
    const leave = new AbortController()
    const first = send(app.port, { key: 'k' }, leave.signal).catch((error: unknown) => error)
    await entered.promise
    leave.abort()
    await first
    await sleep(20)
    open.open()
    const again = await eventually(async () => {
      const got = await send(app.port, { key: 'k' })
      return got.status !== 409 ? got : undefined
    })
    expect([again.status, again.text, again.headers['idempotency-replayed']]).toEqual([201, 'kept anyway', 'true'])
    expect(runs).toBe(1)
  })

  test('a client that leaves before an empty answer is remembered too', async () => {
    await using here = instance(redis)
    const entered = gate()
    const open = gate()
    let runs = 0
    await using app = await framework.start(here.idem, manual, async () => {
      runs += 1
      entered.open()
      await open.promise
      return { status: 204 }
    })
    const leave = new AbortController()
    const first = send(app.port, { key: 'k' }, leave.signal).catch((error: unknown) => error)
    await entered.promise
    leave.abort()
    await first
    await sleep(20)
    open.open()
    const again = await eventually(async () => {
      const got = await send(app.port, { key: 'k' })
      return got.status !== 409 ? got : undefined
    })
    expect(again.status).toBe(204)
    expect(runs).toBe(1)
  })

  test('with the store away it is 503 store with Retry-After, and nothing runs', async () => {
    const own = await startRedis()
    await using here = instance(own.client(), { storeTimeoutMs: 100, storeBudgetMs: 200 })
    let runs = 0
    await using app = await framework.start(here.idem, manual, () => ({ body: `run ${(runs += 1)}` }))
    await own.stop()
    const got = await send(app.port, { key: 'k' })
    expect(got.status).toBe(503)
    expect(problemIn(got).code).toBe('store')
    expect(Number(got.headers['retry-after'])).toBeGreaterThanOrEqual(1)
    expect(runs).toBe(0)
    await own[Symbol.asyncDispose]()
  })

  test('a store that goes away while the handler runs does not cost the caller its answer', async () => {
    const own = await startRedis()
    const client = own.client()
    await whenReady(client)
    await using here = instance(client, { storeTimeoutMs: 100, storeBudgetMs: 200, recordRetryMs: 0 })
    await using app = await framework.start(here.idem, manual, async () => {
      await own.stop()
      return { status: 201, body: 'placed' }
    })
    const got = await send(app.port, { key: 'k' })
    expect([got.status, got.text]).toEqual([201, 'placed'])
    expect(await eventually(() => here.of('record-delayed').length || undefined)).toBe(1)
    await own[Symbol.asyncDispose]()
  })

  test('other methods run unguarded, and so do requests without a key where it is not required', async () => {
    await using here = instance(redis)
    let runs = 0
    await using app = await framework.start(here.idem, { ...manual, required: false, methods: ['PUT'] }, ({ ctx }) => {
      runs += 1
      return { body: ctx ? 'guarded' : 'free' }
    })
    for (let time = 0; time < 2; time += 1) {
      expect((await send(app.port, { method: 'GET', key: 'k' })).text).toBe('free')
      expect((await send(app.port, { method: 'POST', key: 'k' })).text).toBe('free')
      expect((await send(app.port, { method: 'PUT' })).text).toBe('free')
      expect((await send(app.port, { method: 'PUT', key: 'k' })).text).toBe('guarded')
    }
    expect(runs).toBe(7)
  })

  test('the handler gets the effect id that names its attempt', async () => {
    await using here = instance(redis)
    await using app = await framework.start(here.idem, { ...manual, effect: 'orders' }, ({ ctx }) => ({
      body: { effectId: ctx?.effectId, attempt: ctx?.attempt },
    }))
    const got = await send(app.port, { key: 'k', path: '/orders' })
    const view = await here.idem.inspect('orders', 'a:POST:/orders:k')
    expect(JSON.parse(got.text)).toEqual({ effectId: view?.effectId, attempt: 1 })
  })

  test('a handler slower than its timeout gives its late answer, and that is what is kept', async () => {
    await using here = instance(redis)
    let aborted: boolean | undefined
    await using app = await framework.start(
      here.idem,
      { ...manual, effectTimeoutMs: 50, leaseMs: 60_000 },
      async ({ ctx }) => {
        await sleep(1500)
        aborted = ctx?.signal.aborted
        return { status: 201, body: 'late' }
      },
    )
    const first = send(app.port, { key: 'k' })
    expect((await first).text).toBe('late')
    expect(aborted).toBe(true)
    const again = await eventually(async () => {
      const got = await send(app.port, { key: 'k' })
      return got.status !== 409 ? got : undefined
    })
    expect([again.status, again.text]).toEqual([201, 'late'])
  })

  test('a body above 1 MiB that nobody parsed is 413, a scope without text an error of the server; nothing runs', async () => {
    await using here = instance(redis)
    let runs = 0
    await using app = await framework.start(here.idem, manual, () => ({ body: `run ${(runs += 1)}` }))
    const large = { key: 'k', body: Buffer.alloc(1_100_000), headers: { 'content-type': 'application/octet-stream' } }
    expect((await send(app.port, large)).status).toBe(413)
    expect((await send(app.port, { key: 'k', headers: { 'x-tenant': ' ' } })).status).toBe(500)
    expect(runs).toBe(0)
  })
})
