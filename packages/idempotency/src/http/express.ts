import type { IncomingMessage, ServerResponse } from 'node:http'

import type { Idempotency } from '../idempotency.ts'
import { isPlainObject } from '../json.ts'
import { setEffectContext } from './effect-context.ts'
import { runHandler } from './handler-context.ts'
import { holdResponse, sendAnswer } from './held-response.ts'
import type { HttpOptions } from './options.ts'
import { problem, problemBody, problemHeaders } from './problem.ts'
import type { Problem } from './problem.ts'
import { hasBody, isUnread, readRequest } from './read-request.ts'
import { stopFlow } from './request-flow.ts'
import { unseenFiles } from './request-payload.ts'
import type { RequestBody } from './request-payload.ts'
import { createTurnstile } from './turn.ts'
import type { Turn, Turnstile } from './turn.ts'

/** What is read of a request; Express requests have more, plain Node requests less. */
export interface ConnectRequest extends IncomingMessage {
  originalUrl?: string
  baseUrl?: string
  body?: unknown
  route?: unknown
}

export type ConnectMiddleware<R> = (request: R, response: ServerResponse, next: (error?: unknown) => void) => void

/**
 * Guards what stands behind it in an Express or Connect application, or before one route of it. Put authentication
 * before it, or a refusal is kept as the answer; body parsers may stand before or behind. `effectContextOf(req)` names the
 * attempt.
 *
 * @throws `ERR_IDEMPOTENCY_OPTIONS` naming the field
 * @example
 * app.use(idempotencyExpress(idem, { scope: req => req.user.id, recovery: { mode: 'manual' } }))
 */
export function idempotencyExpress<R extends IncomingMessage = ConnectRequest>(
  idem: Pick<Idempotency, 'define'>,
  options: HttpOptions<R>,
): ConnectMiddleware<R> {
  const turnstile = createTurnstile(idem, options)
  return (request, response, next) => {
    if (!turnstile.guards(request.method ?? '')) return next()
    const header = request.headers['idempotency-key']
    // Node joins several into one text; the type does not know.
    const read = turnstile.keyOf(Array.isArray(header) ? header.join(', ') : header)
    if (read === undefined) return next()
    if ('problem' in read) return sendProblem(response, read.problem, turnstile)
    const flow = stopFlow(request)
    void enter(turnstile, request, response, read.key, next).catch(next).finally(flow)
  }
}

async function enter<R extends IncomingMessage>(
  turnstile: Turnstile<R>,
  request: R,
  response: ServerResponse,
  key: string,
  next: (error?: unknown) => void,
): Promise<void> {
  const seen = request as ConnectRequest
  const body = isParsed(seen) ? parsedBody(seen) : await readRequest(request)
  if (body === undefined) {
    // What is still to come must not stand before the connection's next request.
    request.resume()
    return sendProblem(response, problem('body-too-large'), turnstile)
  }
  const url = seen.originalUrl ?? seen.url ?? '/'
  const ruling = await turnstile.enter(
    request,
    {
      method: request.method ?? '',
      route: routeOf(seen, url),
      url,
      contentType: request.headers['content-type'],
      body,
    },
    key,
  )
  switch (ruling.kind) {
    case 'problem':
      return sendProblem(response, ruling.problem, turnstile)
    case 'replay':
      return sendAnswer(response, ruling.answer)
    case 'run':
      break
  }
  setEffectContext(request, ruling.turn.ctx)
  hold(turnstile, request, response, ruling.turn)
  runHandler(response, next)
}

/** body-parser 1, of Express 4, sets an empty object for a body of a type it leaves alone. */
function isParsed(request: ConnectRequest): boolean {
  const { body } = request
  if (body === undefined) return false
  const isEmpty = typeof body === 'object' && body !== null && isPlainObject(body) && Object.keys(body).length === 0
  return !(isEmpty && hasBody(request) && isUnread(request))
}

/** Parsers of forms with files, such as multer, put those wherever they are told to. */
function parsedBody({ body, headers }: ConnectRequest): RequestBody {
  const isWhole = typeof body === 'string' || body instanceof Uint8Array
  if (!isWhole && /^multipart\//i.test(headers['content-type'] ?? '')) throw unseenFiles()
  return { kind: 'parsed', value: body }
}

function hold<R>({ options }: Turnstile<R>, request: IncomingMessage, response: ServerResponse, turn: Turn): void {
  holdResponse(response, {
    socket: request.httpVersionMajor < 2 ? request.socket : undefined,
    limit: options.maxResultBytes,
    onAnswer: answer => turn.answered(answer),
    // Whatever made the handler give up, it had begun: its own code says nothing about the effect.
    onDestroyed: cause => void turn.threw(new Error('the handler destroyed its response', { cause })),
  })
}

/** Before a route its pattern, else the path. */
function routeOf({ route, baseUrl = '' }: ConnectRequest, url: string): string {
  const path = patternText((route as { path?: unknown } | undefined)?.path)
  return path === undefined ? url.replace(/\?.*$/s, '') : baseUrl + path
}

function patternText(path: unknown): string | undefined {
  if (typeof path === 'string') return path
  if (path instanceof RegExp) return path.source
  return Array.isArray(path) ? path.map(patternText).join(',') : undefined
}

function sendProblem<R>(response: ServerResponse, of: Problem, { options }: Turnstile<R>): void {
  response.statusCode = of.status
  for (const [name, value] of problemHeaders(of)) response.setHeader(name, value)
  response.end(problemBody(of, options.problemBase))
}
