import type { Clock } from '@safety/redis-core'
import type { CallFacts } from './outcome.ts'
import { encodeParams, signedQuery, type Params } from './sign.ts'

export interface RestCall {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** From the root, such as `/api/v3/order`. */
  readonly path: string
  readonly params?: Params
  /** `signed` needs `timestampMs`; `key` sends the key alone. */
  readonly auth: 'none' | 'key' | 'signed'
  /** Server time in epoch milliseconds that the call is signed with. */
  readonly timestampMs?: number
  readonly recvWindowMs?: number
}

export interface RestAnswer {
  readonly facts: CallFacts
  /** The parsed JSON body, whatever its status; `undefined` when there is none. */
  readonly body: unknown
  readonly elapsedMs: number
}

export interface RestClientOptions {
  /** Base URL without a trailing slash. */
  readonly restUrl: string
  readonly apiKey: string
  readonly secret: string
  /** From sending to the last byte of the answer, in milliseconds. */
  readonly requestTimeoutMs: number
  readonly clock: Clock
}

export interface RestClient {
  /**
   * Sends once and never again, and always settles with the facts: a transport error is a fact, not an exception.
   * Aborting `signal` after the call left says nothing about whether it runs (`cause: 'ABORT'`).
   */
  send(call: RestCall, options?: { signal?: AbortSignal }): Promise<RestAnswer>
}

interface Body {
  readonly json: unknown
  readonly readable: boolean
}

function transportCause(error: unknown): string {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const code: unknown = 'code' in at ? at.code : undefined
    if (typeof code === 'string') return code
    // Several addresses were tried and each failed; they failed alike when the first one speaks for all.
    if (at instanceof AggregateError && at.errors.length > 0) return transportCause(at.errors[0])
  }
  return 'TRANSPORT'
}

function numberHeader(headers: Headers, name: string): number | undefined {
  const text = headers.get(name)
  if (text === null || !/^\d+(\.\d+)?$/.test(text)) return undefined
  return Number(text)
}

function parseBody(text: string): Body {
  try {
    return { json: JSON.parse(text), readable: true }
  } catch {
    // Not JSON is itself the fact that is reported.
    return { json: undefined, readable: false }
  }
}

function errorOf(body: unknown): { code: number | undefined; message: string | undefined } {
  if (typeof body !== 'object' || body === null) return { code: undefined, message: undefined }
  const code = 'code' in body && typeof body.code === 'number' ? body.code : undefined
  const message = 'msg' in body && typeof body.msg === 'string' ? body.msg : undefined
  return { code, message }
}

function queryOf(call: RestCall, secret: string): string {
  const params = call.params ?? {}
  if (call.auth !== 'signed') return encodeParams(params)
  return signedQuery({ ...params, recvWindow: call.recvWindowMs, timestamp: call.timestampMs }, secret)
}

function factsOf(response: Response | undefined, body: Body, cause: string | undefined): CallFacts {
  const { code, message } = errorOf(body.json)
  const retryAfterS = response && numberHeader(response.headers, 'retry-after')
  return {
    cause,
    status: response?.status,
    code,
    message,
    retryAfterMs: retryAfterS === undefined ? undefined : retryAfterS * 1000,
    usedWeight: response && numberHeader(response.headers, 'x-mbx-used-weight-1m'),
    readable: body.readable,
  }
}

/** A client over Node's fetch that keeps what `classify` needs: cause code, status, body code, Retry-After, weight. */
export function createRestClient(options: RestClientOptions): RestClient {
  const { clock, secret } = options
  return {
    async send(call, { signal } = {}) {
      const startedMs = clock.monotonic()
      const query = queryOf(call, secret)
      const stop = new AbortController()
      let gaveUp: string | undefined
      const giveUp = (why: string): void => {
        gaveUp ??= why
        stop.abort()
      }
      const timer = clock.setTimeout(() => giveUp('TIMEOUT'), options.requestTimeoutMs)
      const onAbort = (): void => giveUp('ABORT')
      if (signal?.aborted) onAbort()
      signal?.addEventListener('abort', onAbort, { once: true })
      let response: Response | undefined
      let body: Body = { json: undefined, readable: false }
      let cause: string | undefined
      try {
        response = await fetch(`${options.restUrl}${call.path}${query === '' ? '' : `?${query}`}`, {
          method: call.method,
          headers: call.auth === 'none' ? {} : { 'X-MBX-APIKEY': options.apiKey },
          // A followed redirect would be a second request.
          redirect: 'manual',
          signal: stop.signal,
        })
        body = parseBody(await response.text())
      } catch (error) {
        cause = gaveUp ?? transportCause(error)
      } finally {
        timer.cancel()
        signal?.removeEventListener('abort', onAbort)
      }
      return { facts: factsOf(response, body, cause), body: body.json, elapsedMs: clock.monotonic() - startedMs }
    },
  }
}
