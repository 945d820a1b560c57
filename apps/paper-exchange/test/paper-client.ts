import { createHmac } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import { WebSocket } from 'ws'
import type { Credentials, PaperExchange } from '../src/index.ts'

/** What `JSON.parse` gives: tests look into answers freely and let the comparison judge. */
export type Json = ReturnType<JSON['parse']>

/** What a client sees of one request: an answer, or how the connection ended. */
export interface Seen {
  status: number
  headers: IncomingHttpHeaders
  text: string
  /** The body as JSON, or `undefined`. */
  json: Json
  /** Set when the answer was not received in full: the error's code, or `cut`. */
  failure?: string
}

export interface RequestOptions {
  body?: string
  headers?: Record<string, string>
  signal?: AbortSignal
}

/** One request on a connection of its own; never rejects. */
export function send(method: string, url: string, options: RequestOptions = {}): Promise<Seen> {
  return new Promise(resolve => {
    const length = options.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(options.body)) }
    const headers = { connection: 'close', ...length, ...options.headers }
    const outgoing = httpRequest(url, { method, headers, agent: false, signal: options.signal }, incoming => {
      const chunks: Buffer[] = []
      const seen = (failure?: string): void => {
        const text = Buffer.concat(chunks).toString('utf8')
        const { statusCode = 0, headers: received } = incoming
        resolve({ status: statusCode, headers: received, text, json: parse(text), ...(failure ? { failure } : {}) })
      }
      incoming.on('data', chunk => chunks.push(chunk))
      incoming.on('end', () => seen())
      incoming.on('error', () => seen('cut'))
    })
    outgoing.on('error', error => {
      const failure = (error as { code?: string }).code ?? error.message
      resolve({ status: 0, headers: {}, text: '', json: undefined, failure })
    })
    outgoing.end(options.body)
  })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export function sign(secret: string, text: string): string {
  return createHmac('sha256', secret).update(text).digest('hex')
}

export type Params = Record<string, string | number>

export interface Client {
  readonly account: Credentials
  /** A signed call; `timestamp` defaults to server time. */
  signed(method: string, path: string, params?: Params, options?: RequestOptions): Promise<Seen>
  open(method: string, path: string, params?: Params): Promise<Seen>
  buy(params?: Params): Promise<Seen>
  sell(params?: Params): Promise<Seen>
}

/** Where a client trades; the exchange in this process or in another one. */
export interface Venue {
  rest: string
  nowMs(): number
}

export function venueOf(exchange: PaperExchange): Venue {
  return { rest: exchange.urls.rest, nowMs: () => exchange.controls.clock().nowMs }
}

export function createClient(venue: Venue, account: Credentials): Client {
  const signed: Client['signed'] = (method, path, params = {}, options = {}) => {
    const query = encode({ timestamp: venue.nowMs(), ...params })
    const signature = sign(account.secret, query)
    const headers = { 'x-mbx-apikey': account.apiKey, ...options.headers }
    return send(method, `${venue.rest}/api/v3/${path}?${query}&signature=${signature}`, { ...options, headers })
  }
  const market = (side: string, params: Params): Promise<Seen> =>
    signed('POST', 'order', { symbol: 'BTCUSDT', side, type: 'MARKET', quantity: '0.01', ...params })
  return {
    account,
    signed,
    open: (method, path, params = {}) => send(method, `${venue.rest}/api/v3/${path}?${encode(params)}`),
    buy: (params = {}) => market('BUY', params),
    sell: (params = {}) => market('SELL', params),
  }
}

export function clientOf(exchange: PaperExchange, name?: string): Client {
  const account = exchange.accounts.find(one => name === undefined || one.name === name)
  if (account === undefined) throw new Error(`no account ${name}`)
  return createClient(venueOf(exchange), account)
}

export function encode(params: Params): string {
  return Object.entries(params)
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`)
    .join('&')
}

/** A WebSocket that keeps everything it has been told. */
export interface Ear {
  readonly socket: WebSocket
  readonly messages: Json[]
  readonly pings: string[]
  /** Close code, once closed. */
  readonly closed: Promise<number>
  /** The first message, past or future, that fits. */
  first(fits: (message: Json) => boolean): Promise<Json>
  send(message: unknown): void
  [Symbol.asyncDispose](): Promise<void>
}

export async function listen(url: string, options: { autoPong?: boolean } = {}): Promise<Ear> {
  const socket = new WebSocket(url, options)
  const messages: Json[] = []
  const pings: string[] = []
  const waiting = new Set<() => void>()
  socket.on('message', data => {
    const text = (data as Buffer).toString('utf8')
    messages.push(parse(text) ?? text)
    for (const check of waiting) check()
  })
  socket.on('ping', data => pings.push(data.toString()))
  const closed = new Promise<number>(resolve => socket.on('close', code => resolve(code)))
  socket.on('error', () => {})
  await new Promise<void>((resolve, reject) => {
    socket.once('open', () => resolve())
    socket.once('error', reject)
  })
  return {
    socket,
    messages,
    pings,
    closed,
    first: fits =>
      new Promise(resolve => {
        const check = (): void => {
          const found = messages.find(message => fits(message))
          if (found === undefined) return
          waiting.delete(check)
          resolve(found)
        }
        waiting.add(check)
        check()
      }),
    send: message => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    [Symbol.asyncDispose]: async () => {
      socket.terminate()
      await closed
    },
  }
}

/** Subscribes a connection to an account's user stream. */
export async function subscribe(
  ear: Ear,
  account: Credentials,
  timestamp: number,
  change: Record<string, unknown> = {},
): Promise<Json> {
  const params: Params = { apiKey: account.apiKey, timestamp }
  const text = Object.keys(params)
    .sort()
    .map(name => `${name}=${params[name]}`)
    .join('&')
  const id = `s${ear.messages.length}-${timestamp}`
  const request = { ...params, signature: sign(account.secret, text), ...change }
  ear.send({ id, method: 'userDataStream.subscribe.signature', params: request })
  return ear.first(message => message.id === id)
}

/** Waits until `condition` holds; fails after `patienceMs`. */
export async function until(condition: () => boolean | Promise<boolean>, patienceMs = 10_000): Promise<void> {
  const deadline = Date.now() + patienceMs
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('the condition did not come true')
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

/** Lets what is on the wire arrive. */
export function settle(ms = 60): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
