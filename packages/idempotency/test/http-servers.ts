import { createServer, request as httpRequest } from 'node:http'
import type { IncomingHttpHeaders, RequestListener, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

import express from 'express'
import fastify from 'fastify'

import { effectContextOf, idempotencyExpress, idempotencyFastify, idempotencyFetch } from '../src/http/index.ts'
import type { HttpOptions } from '../src/http/index.ts'
import type { EffectContext, Idempotency } from '../src/index.ts'

/** What a handler of any framework is asked to answer. */
export interface Answer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer | Readable | object | undefined
}

export interface Handled {
  readonly body: unknown
  readonly ctx: EffectContext | undefined
}

export type Handler = (handled: Handled) => Answer | Promise<Answer>

/** The same options for every framework; the tenant is a header here. */
export type Options = Omit<HttpOptions<never>, 'scope'>

export interface TestServer extends AsyncDisposable {
  readonly port: number
}

export interface Framework {
  readonly name: string
  start(idem: Idempotency, options: Options, handler: Handler): Promise<TestServer>
}

const PATHS = ['/orders', '/orders/:id']

const tenantOf = (headers: IncomingHttpHeaders): string => String(headers['x-tenant'] ?? 'a')

const onFastify: Framework = {
  name: 'fastify',
  async start(idem, options, handler) {
    const app = fastify()
    app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) =>
      done(null, body),
    )
    await app.register(idempotencyFastify(idem, { ...options, scope: request => tenantOf(request.headers) }))
    for (const url of PATHS) {
      app.route({
        method: ['GET', 'POST', 'PATCH', 'PUT'],
        url,
        handler: async (request, reply) => {
          const {
            status = 200,
            headers = {},
            body,
          } = await handler({
            body: request.body,
            ctx: effectContextOf(request),
          })
          return reply.code(status).headers(headers).send(body)
        },
      })
    }
    await app.listen({ host: '127.0.0.1', port: 0 })
    return testServer(app.server, () => app.close())
  },
}

function onExpress(name: string, parserFirst: boolean): Framework {
  return {
    name,
    async start(idem, options, handler) {
      const app = express()
      const parsers = [express.json(), express.raw(), express.text()]
      const guard = idempotencyExpress(idem, { ...options, scope: request => tenantOf(request.headers) })
      if (parserFirst) app.use(...parsers, guard)
      else app.use(guard, ...parsers)
      const answer = async (request: express.Request, response: express.Response): Promise<void> => {
        const handled = { body: request.body as unknown, ctx: effectContextOf(request) }
        const { status = 200, headers = {}, body } = await handler(handled)
        response.status(status).set(headers)
        if (body instanceof Readable) await pipeline(body, response)
        else if (body === undefined) response.end()
        else response.send(body)
      }
      app.all(['/orders', '/orders/:id'], (request, response, next) => void answer(request, response).catch(next))
      app.use((error: Error & { status?: number }, _request: unknown, response: express.Response, _next: unknown) => {
        if (response.headersSent) response.destroy()
        else response.status(error.status ?? 500).send(error.message)
      })
      return await listen(app)
    },
  }
}

/** `fetch`-style handlers on Node's server. */
const onFetch: Framework = {
  name: 'fetch',
  async start(idem, options, handler) {
    const guard = idempotencyFetch(idem, {
      ...options,
      scope: request => request.headers.get('x-tenant') ?? 'a',
    })
    const serve = guard(async request => {
      const json = request.headers.get('content-type') === 'application/json'
      const given = json ? await request.json() : await request.text()
      const { status = 200, headers = {}, body } = await handler({ body: given, ctx: effectContextOf(request) })
      const payload =
        body instanceof Readable
          ? (Readable.toWeb(body) as ReadableStream<Uint8Array>)
          : body === undefined || typeof body === 'string' || body instanceof Uint8Array
            ? (body as string | Uint8Array<ArrayBuffer> | undefined)
            : JSON.stringify(body)
      return new Response(payload ?? null, { status, headers })
    })
    const server = createServer((incoming, response) => {
      const headers = new Headers(Object.entries(incoming.headers) as [string, string][])
      const hasBody = incoming.method !== 'GET'
      const request = new Request(`http://localhost${incoming.url}`, {
        method: incoming.method ?? 'GET',
        headers,
        ...(hasBody ? { body: Readable.toWeb(incoming) as ReadableStream, duplex: 'half' } : {}),
      })
      serve(request).then(
        async answer => {
          response.writeHead(answer.status, [...answer.headers].flat())
          if (answer.body) await pipeline(Readable.fromWeb(answer.body as never), response).catch(() => undefined)
          else response.end()
        },
        (error: Error) => response.writeHead(500).end(error.message),
      )
    })
    return await listen(undefined, server)
  },
}

export const frameworks: readonly Framework[] = [
  onFastify,
  onExpress('express, parsers before', true),
  onExpress('express, parsers behind', false),
  onFetch,
]

/** A server of plain Node on a free port of loopback; disposal ends its connections as well. */
export async function listen(
  listener: RequestListener | undefined,
  http: Server = createServer(),
): Promise<TestServer & { readonly http: Server }> {
  if (listener) http.on('request', listener)
  await new Promise<void>(resolve => http.listen(0, '127.0.0.1', resolve))
  return { http, ...testServer(http, () => new Promise(resolve => http.close(resolve))) }
}

function testServer(server: Server, close: () => PromiseLike<unknown>): TestServer {
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await close()
    },
  }
}

export interface Sent {
  readonly method?: string
  readonly path?: string
  /** A list sends the header that often. */
  readonly key?: string | readonly string[]
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer | object
}

export interface Got {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Names as they came, and values. */
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
  readonly text: string
  /** The answer ended before it was whole. */
  readonly cut: boolean
}

/** One request on a connection of its own. `signal` closes it. */
export function send(port: number, sent: Sent, signal?: AbortSignal): Promise<Got> {
  const { method = 'POST', path = '/orders', key, body } = sent
  const payload = body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
  const type = typeof body === 'object' && !Buffer.isBuffer(body) ? { 'content-type': 'application/json' } : {}
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      host: '127.0.0.1',
      port,
      method,
      path,
      agent: false,
      ...(signal ? { signal } : {}),
      headers: {
        ...type,
        ...(key === undefined ? {} : { 'idempotency-key': key as string }),
        ...(payload === undefined ? {} : { 'content-length': String(Buffer.byteLength(payload)) }),
        ...sent.headers,
      },
    })
    outgoing.on('error', reject)
    outgoing.on('response', incoming => {
      const chunks: Buffer[] = []
      let cut = false
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('error', () => (cut = true))
      incoming.on('close', () => {
        const whole = Buffer.concat(chunks)
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          rawHeaders: incoming.rawHeaders,
          body: whole,
          text: whole.toString('utf8'),
          cut: cut || !incoming.complete,
        })
      })
    })
    outgoing.end(payload)
  })
}
