import type { WebSocket } from 'ws'
import type { ExchangeCore } from '../exchange-core.ts'
import type { SentParameters } from '../http/parameters.ts'
import { rateLimits } from '../http/exchange-info.ts'
import type { Endpoint } from '../http/admission.ts'
import type { AnswerPort, Reply } from '../http/answering.ts'
import type { RequestFlow } from '../http/request-flow.ts'
import { socketSignedText } from '../http/signature.ts'
import { keepAlive } from './live-socket.ts'
import type { LiveSocket } from './live-socket.ts'
import type { UserStreamConnection, UserStreams } from './user-streams.ts'

/** The WebSocket API, `/ws-api/v3`. */
export interface SocketApi {
  accept(socket: WebSocket, ip: string): void
}

type RequestId = string | number | null

/** Creates the WebSocket API; its requests take the same checks as REST. */
export function createSocketApi(core: ExchangeCore, flow: RequestFlow, streams: UserStreams): SocketApi {
  return {
    accept: (webSocket, ip) => {
      const socket = keepAlive(core, webSocket, {
        onMessage: text => handle(text),
        onClose: () => stream.close(),
      })
      const stream = streams.connect(socket)
      const endpoints = createEndpoints(core, socket, stream)

      const handle = (text: string): void => {
        const request = parse(text)
        if (typeof request === 'string') {
          const error = { code: -1135, msg: request }
          return socket.send(JSON.stringify({ id: null, status: 400, error }))
        }
        const { id, method, params } = request
        const apiKey = params['apiKey']
        flow.handle(
          {
            channel: 'ws-api',
            method,
            path: '/ws-api/v3',
            endpoint: endpoints.get(method) ?? unknownMethod,
            ip,
            apiKey: typeof apiKey === 'string' ? apiKey : undefined,
            sent: endpoints.has(method) ? sentOf(params) : { values: new Map(), duplicated: false },
            signed: () => socketSignedText(params),
          },
          createSocketPort(core, socket, id),
        )
      }
    },
  }
}

const unknownMethod: Endpoint = {
  security: 'none',
  parameters: {},
  weight: () => 1,
  prepare: () => ({ status: 400, code: -1000, msg: 'Unknown method.' }),
}

function createEndpoints(
  core: ExchangeCore,
  socket: LiveSocket,
  stream: UserStreamConnection,
): ReadonlyMap<string, Endpoint> {
  const { timeline } = core.engine
  const open = (weight: number, body: () => unknown): Endpoint => ({
    security: 'none',
    parameters: {},
    weight: () => weight,
    prepare: () => ({ run: () => ({ body: body() }) }),
  })
  return new Map<string, Endpoint>([
    ['ping', open(1, () => ({}))],
    ['time', open(1, () => ({ serverTime: timeline.nowMs() }))],
    ['session.status', open(2, () => sessionStatus(core, socket, stream))],
    ['session.subscriptions', open(2, () => stream.subscriptions().map(subscriptionId => ({ subscriptionId })))],
    [
      'userDataStream.subscribe.signature',
      {
        security: 'signed',
        parameters: { apiKey: 'text!' },
        weight: () => 2,
        prepare: account => ({
          run: () => {
            const subscriptionId = stream.subscribe(account)
            if (subscriptionId !== undefined) return { body: { subscriptionId } }
            return { status: 400, code: -2035, msg: 'User Data Stream subscription already active.' }
          },
        }),
      },
    ],
    [
      'userDataStream.unsubscribe',
      {
        security: 'none',
        parameters: { subscriptionId: 'integer' },
        weight: () => 2,
        prepare: (_account, p) => ({
          run: () => {
            const wanted = p['subscriptionId'] === undefined ? undefined : Number(p['subscriptionId'])
            if (stream.unsubscribe(wanted)) return { body: {} }
            return { status: 400, code: -2036, msg: 'User Data Stream subscription not active.' }
          },
        }),
      },
    ],
  ])
}

function sessionStatus(core: ExchangeCore, socket: LiveSocket, stream: UserStreamConnection): object {
  return {
    apiKey: null,
    authorizedSince: null,
    connectedSince: socket.connectedAtMs,
    returnRateLimits: true,
    serverTime: core.engine.timeline.nowMs(),
    userDataStream: stream.subscriptions().length > 0,
  }
}

/** The answer to one request on a socket that carries others too. */
function createSocketPort(core: ExchangeCore, socket: LiveSocket, id: RequestId): AnswerPort {
  return {
    get gone() {
      return !socket.open
    },
    send: reply => socket.send(render(core, id, reply)),
    cut: (reply, bytes) => {
      const text = render(core, id, reply)
      socket.send(text.slice(0, Math.min(bytes, text.length - 1)))
    },
    reset: () => socket.reset(),
    end: () => socket.drop(),
  }
}

function render(core: ExchangeCore, id: RequestId, reply: Reply): string {
  if (reply.kind === 'text') return reply.text
  const [weight] = rateLimits(core)
  const tail = { rateLimits: [{ ...weight, count: reply.usedWeight }] }
  if (reply.kind === 'result') return JSON.stringify({ id, status: reply.status, result: reply.body, ...tail })
  const { code, msg, retryAfter, html } = reply.refusal
  if (html !== undefined) return html
  const data =
    retryAfter === undefined
      ? {}
      : { data: { serverTime: core.engine.timeline.nowMs(), retryAfter: retryAfter.untilMs } }
  return JSON.stringify({ id, status: reply.status, error: { code, msg, ...data }, ...tail })
}

/** A request, or what is wrong with it. */
function parse(text: string): { id: RequestId; method: string; params: Record<string, unknown> } | string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'Invalid JSON Request'
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'Invalid JSON Request'
  const { id = null, method, params = {} } = value as Record<string, unknown>
  const idIsLegal = id === null || Number.isSafeInteger(id) || (typeof id === 'string' && /^[\w-]{1,36}$/.test(id))
  if (!idIsLegal) return "JSON sent for parameter 'id' is not valid"
  if (typeof method !== 'string') return "JSON sent for parameter 'method' is not valid"
  if (typeof params !== 'object' || params === null || Array.isArray(params)) {
    return "JSON sent for parameter 'params' is not valid"
  }
  return { id: id as RequestId, method, params: params as Record<string, unknown> }
}

function sentOf(params: Readonly<Record<string, unknown>>): SentParameters {
  const values = new Map(
    Object.entries(params).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
  )
  return { values, duplicated: false }
}
