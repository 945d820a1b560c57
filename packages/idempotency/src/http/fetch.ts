import type { Idempotency } from '../idempotency.ts'
import { bodyOf, replayHeaders } from './answer.ts'
import type { HttpAnswer } from './answer.ts'
import { setEffectContext } from './effect-context.ts'
import type { HttpOptions } from './options.ts'
import { problem, problemBody, problemHeaders } from './problem.ts'
import type { Problem } from './problem.ts'
import { MAX_BODY_BYTES, readUpTo } from './read-stream.ts'
import { createTurnstile } from './turn.ts'
import type { Turn, Turnstile } from './turn.ts'

/** A handler as `fetch`-style servers have it; whatever they pass beside the request is passed on. */
export type FetchHandler<A extends readonly unknown[] = []> = (
  request: Request,
  ...rest: A
) => Response | Promise<Response>

/**
 * Guards `fetch`-style handlers. The handler gets a request of the same content whose `signal` does not abort when the
 * client leaves; `effectContextOf(request)` names the attempt. A handler's throw is thrown on, and in doubt unless its
 * error says otherwise.
 *
 * @throws `ERR_IDEMPOTENCY_OPTIONS` naming the field
 * @example
 * const guarded = idempotencyFetch(idem, { scope: request => tenantOf(request), recovery: { mode: 'manual' } })
 * export default { fetch: guarded(async request => Response.json(await pay(await request.json()))) }
 */
export function idempotencyFetch(
  idem: Pick<Idempotency, 'define'>,
  options: HttpOptions<Request>,
): <A extends readonly unknown[]>(handler: FetchHandler<A>) => (request: Request, ...rest: A) => Promise<Response> {
  const turnstile = createTurnstile(idem, options)
  return handler =>
    async (request, ...rest) => {
      if (!turnstile.guards(request.method)) return await handler(request, ...rest)
      const read = turnstile.keyOf(request.headers.get('idempotency-key') ?? undefined)
      if (read === undefined) return await handler(request, ...rest)
      if ('problem' in read) return problemResponse(read.problem, turnstile)
      const body = await readUpTo(request.body, MAX_BODY_BYTES)
      if (body.rest) {
        await body.rest.cancel()
        return problemResponse(problem('body-too-large'), turnstile)
      }
      const { pathname, search } = new URL(request.url)
      const ruling = await turnstile.enter(
        request,
        {
          method: request.method,
          route: pathname,
          url: pathname + search,
          contentType: request.headers.get('content-type') ?? undefined,
          body: body.bytes.length === 0 ? { kind: 'none' } : { kind: 'bytes', bytes: body.bytes },
        },
        read.key,
      )
      switch (ruling.kind) {
        case 'problem':
          return problemResponse(ruling.problem, turnstile)
        case 'replay':
          return replayResponse(ruling.answer)
        case 'run':
          break
      }
      const again = copyOf(request, body.bytes)
      setEffectContext(again, ruling.turn.ctx)
      return await answer(turnstile, ruling.turn, () => handler(again, ...rest))
    }
}

/** The same request, to be read once more. */
function copyOf(request: Request, bytes: Buffer): Request {
  const { method, url, headers, redirect } = request
  return new Request(url, { method, headers, redirect, body: bytes.length === 0 ? null : new Uint8Array(bytes) })
}

async function answer(
  { options }: Turnstile<Request>,
  turn: Turn,
  run: () => Response | Promise<Response>,
): Promise<Response> {
  let response: Response
  try {
    response = await run()
  } catch (error) {
    const other = await turn.threw(error)
    if (other) return replayResponse(other)
    throw error
  }
  let body: Awaited<ReturnType<typeof readUpTo>>
  try {
    body = await readUpTo(response.body, options.maxResultBytes)
  } catch (error) {
    // The handler had returned: what broke its stream says nothing about the effect.
    const other = await turn.threw(new Error('the handler did not finish its answer', { cause: error }))
    if (other) return replayResponse(other)
    throw error
  }
  const { status, headers } = response
  const header = (name: string): string | string[] | undefined =>
    name === 'set-cookie' && headers.has(name) ? headers.getSetCookie() : (headers.get(name) ?? undefined)
  const other = await turn.answered({ status, body: body.bytes, header })
  if (other) {
    await body.rest?.cancel()
    return replayResponse(other)
  }
  // `Response.error()` cannot be made anew.
  if (status < 200) return response
  return responseWith(response, body.rest ? body.rest.whole() : response.body && new Uint8Array(body.bytes))
}

function responseWith(
  { status, statusText, headers }: Response,
  body: ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer> | null,
): Response {
  return new Response(body, { status, statusText, headers })
}

/** The statuses that have no body, not even an empty one. */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304])

function replayResponse(kept: HttpAnswer): Response {
  const headers = new Headers()
  for (const [name, value] of replayHeaders(kept)) {
    for (const each of typeof value === 'string' ? [value] : value) headers.append(name, each)
  }
  const body = WITHOUT_BODY.has(kept.status) ? null : new Uint8Array(bodyOf(kept))
  return new Response(body, { status: kept.status, headers })
}

function problemResponse(of: Problem, { options }: Turnstile<Request>): Response {
  const body = new Uint8Array(problemBody(of, options.problemBase))
  return new Response(body, { status: of.status, headers: problemHeaders(of) })
}
