import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'

import type { Idempotency } from '../idempotency.ts'
import { setEffectContext } from './effect-context.ts'
import { decideAnswer, prepareReplay } from './fastify-answer.ts'
import type { ReplyLike } from './fastify-answer.ts'
import type { HttpOptions } from './options.ts'
import { problem, problemBody, problemHeaders } from './problem.ts'
import { hasBody, readRequest } from './read-request.ts'
import { unseenBody } from './request-payload.ts'
import type { RequestBody } from './request-payload.ts'
import { createTurnstile } from './turn.ts'
import type { Ruling, Turn, Turnstile } from './turn.ts'

/** What is read of a Fastify request. */
export interface FastifyRequestLike {
  readonly method: string
  readonly originalUrl: string
  readonly headers: IncomingHttpHeaders
  readonly body: unknown
  readonly raw: IncomingMessage
  readonly routeOptions: { readonly url: string | undefined }
}

interface RouteLike {
  handler: (this: unknown, ...args: never[]) => unknown
}

interface InstanceLike {
  addHook(name: string, hook: (...args: never[]) => unknown): unknown
}

/** To be given to `register`. It covers the routes of the instance it is registered on, and below. */
export type FastifyPlugin = (instance: object) => Promise<void>

/** A guarded request on its way through Fastify. */
interface Passage {
  readonly turn: Turn
  /** `open` until the handler answers; an answer is decided on once. */
  phase: 'open' | 'deciding' | 'decided'
}

interface Guard<R> {
  readonly turnstile: Turnstile<R>
  readonly passages: WeakMap<object, Passage>
}

/**
 * A Fastify plugin. It claims after validation and records before the answer leaves. Register authentication before it, or
 * a refusal is kept as the answer. `effectContextOf(request)` names the attempt.
 *
 * @throws `ERR_IDEMPOTENCY_OPTIONS` naming the field
 * @example
 * await app.register(idempotencyFastify(idem, { scope: request => request.user.id, recovery: { mode: 'manual' } }))
 */
export function idempotencyFastify<R extends FastifyRequestLike = FastifyRequestLike>(
  idem: Pick<Idempotency, 'define'>,
  options: HttpOptions<R>,
): FastifyPlugin {
  const guard: Guard<R> = { turnstile: createTurnstile(idem, options), passages: new WeakMap() }
  const plugin = async (instance: object): Promise<void> => {
    const app = instance as InstanceLike
    app.addHook('onRoute', (route: RouteLike) => watchHandler(guard, route))
    app.addHook('preHandler', async (request: R, reply: ReplyLike) => await beforeHandler(guard, request, reply))
    app.addHook(
      'onSend',
      async (request: R, reply: ReplyLike, payload: unknown) => await beforeSend(guard, request, reply, payload),
    )
    app.addHook('onResponse', async (request: R, reply: ReplyLike) => await afterResponse(guard, request, reply))
  }
  return Object.assign(plugin, {
    // The hooks are for the instance it is registered on, not for a context of its own.
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: '@safety/idempotency',
  })
}

async function beforeHandler<R extends FastifyRequestLike>(
  { turnstile, passages }: Guard<R>,
  request: R,
  reply: ReplyLike,
): Promise<unknown> {
  if (!turnstile.guards(request.method)) return undefined
  const header = request.headers['idempotency-key']
  // Node joins several into one text; the type does not know.
  const read = turnstile.keyOf(Array.isArray(header) ? header.join(', ') : header)
  if (read === undefined) return undefined
  const ruling: Ruling = 'problem' in read ? { kind: 'problem', ...read } : await enter(turnstile, request, read.key)
  switch (ruling.kind) {
    case 'problem':
      reply.statusCode = ruling.problem.status
      for (const [name, value] of problemHeaders(ruling.problem)) reply.header(name, value)
      return reply.send(problemBody(ruling.problem, turnstile.options.problemBase))
    case 'replay':
      return reply.send(prepareReplay(reply, ruling.answer))
    case 'run':
      break
  }
  setEffectContext(request, ruling.turn.ctx)
  passages.set(request, { turn: ruling.turn, phase: 'open' })
  return undefined
}

async function enter<R extends FastifyRequestLike>(turnstile: Turnstile<R>, request: R, key: string): Promise<Ruling> {
  const { method, originalUrl, headers, routeOptions } = request
  const body = await bodyOfRequest(request)
  if (body === undefined) return { kind: 'problem', problem: problem('body-too-large') }
  const incoming = {
    method,
    route: routeOptions.url ?? originalUrl.replace(/\?.*$/s, ''),
    url: originalUrl,
    contentType: headers['content-type'],
    body,
  }
  return await turnstile.enter(request, incoming, key)
}

async function bodyOfRequest({ body, headers, raw }: FastifyRequestLike): Promise<RequestBody | undefined> {
  if (body !== undefined) return { kind: 'parsed', value: body }
  // A parser left it to the handler. Over HTTP/2, a body without a type and a length meets no parser at all.
  if (hasBody(raw) && headers['content-type'] !== undefined) throw unseenBody()
  return await readRequest(raw)
}

async function beforeSend<R>(
  { turnstile, passages }: Guard<R>,
  request: R & object,
  reply: ReplyLike,
  payload: unknown,
): Promise<unknown> {
  const passage = passages.get(request)
  if (!passage || passage.phase === 'decided') return payload
  // A handler that calls `send` and returns nothing makes Fastify send once more; the first answer is on its way.
  if (passage.phase === 'deciding') return await Promise.withResolvers<never>().promise
  passage.phase = 'deciding'
  try {
    return await decideAnswer(passage.turn, reply, payload, turnstile.options.maxResultBytes)
  } finally {
    passage.phase = 'decided'
  }
}

/** An answer that went past `onSend`: hijacked, or written to `reply.raw`. */
async function afterResponse<R>({ passages }: Guard<R>, request: R & object, reply: ReplyLike): Promise<void> {
  const passage = passages.get(request)
  if (passage?.phase !== 'open') return
  passage.phase = 'decided'
  await passage.turn.answeredUnseen(reply.raw.statusCode)
}

/** Fastify does not send the empty answer of a handler whose client has left; it counts all the same. */
function watchHandler<R extends FastifyRequestLike>({ passages }: Guard<R>, route: RouteLike): void {
  const { handler } = route
  route.handler = function watched(this: unknown, ...args: never[]): unknown {
    const result: unknown = Reflect.apply(handler, this, args)
    const [request, reply] = args as unknown as [R, ReplyLike]
    const passage = passages.get(request)
    if (!passage || !isThenable(result)) return result
    return result.then(value => {
      const left = request.raw.aborted || request.raw.socket.destroyed
      if (value === undefined && left && !reply.sent && passage.phase === 'open') {
        passage.phase = 'decided'
        const { statusCode: status } = reply
        void passage.turn.answered({ status, body: Buffer.alloc(0), header: name => reply.getHeader(name) })
      }
      return value
    })
  }
}

function isThenable(value: unknown): value is Promise<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}
