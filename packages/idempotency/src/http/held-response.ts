import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http'

import { bodyOf, replayHeaders } from './answer.ts'
import type { HeaderValue, HttpAnswer } from './answer.ts'
import { overrideMethods, showState } from './response-overrides.ts'

/** What a handler has answered by the time it is decided on. */
export interface HeldAnswer {
  readonly status: number
  readonly body: Buffer
  header(name: string): HeaderValue
}

export interface HeldOptions {
  /** Bytes that are held back; once more have come, the answer is decided on and then passes through. */
  readonly limit: number
  /** Called once, at the end of the answer or above the limit. Gives the answer to send instead, if any. */
  readonly onAnswer: (answer: HeldAnswer) => Promise<HttpAnswer | undefined>
  /** The handler destroyed the response before its end. */
  readonly onDestroyed: (error: Error | undefined) => void
}

type Callback = (error?: Error | null) => void

interface Hold {
  readonly response: ServerResponse
  readonly options: HeldOptions
  readonly chunks: Buffer[]
  bytes: number
  phase: 'holding' | 'deciding' | 'released'
  /** The handler has sent headers, as it sees it. */
  headersGone: boolean
  /** The handler has ended its answer. */
  end: { readonly callback: Callback | undefined } | undefined
  /** The client has left. */
  closed: boolean
  /** The handler was told to wait for `drain`. */
  starved: boolean
  /** Makes the response itself again. */
  restore: () => void
}

/**
 * Holds a response back until its answer is recorded. The handler sees a response that behaves as if it were being sent;
 * a client that leaves is no reason for a handler to stop, so its `close` is passed on at the end.
 */
export function holdResponse(response: ServerResponse, options: HeldOptions): void {
  const hold: Hold = {
    response,
    options,
    chunks: [],
    bytes: 0,
    phase: 'holding',
    headersGone: false,
    end: undefined,
    closed: false,
    starved: false,
    restore: () => undefined,
  }
  const emit = response.emit.bind(response) as (event: string | symbol, ...args: unknown[]) => boolean
  const restoreMethods = overrideMethods(response, {
    ...bodyMethods(hold),
    ...headMethods(hold),
    ...endings(hold, emit),
  })
  const restoreState = showState(response, {
    headersSent: () => hold.headersGone,
    writableEnded: () => hold.end !== undefined,
    closed: () => false,
    destroyed: () => false,
  })
  hold.restore = () => {
    restoreMethods()
    restoreState()
  }
}

function bodyMethods(hold: Hold): Record<string, (...args: never[]) => unknown> {
  return {
    write(chunk: unknown, ...rest: unknown[]): boolean {
      const { encoding, callback } = optionalsOf(rest)
      keep(hold, chunk, encoding)
      if (callback) queueMicrotask(() => callback(null))
      if (hold.phase === 'holding' && hold.bytes > hold.options.limit) decide(hold)
      if (hold.phase === 'holding') return true
      hold.starved = true
      return false
    },
    end(...args: unknown[]): ServerResponse {
      if (hold.end) return hold.response
      const [chunk, ...rest] = typeof args[0] === 'function' ? [undefined, ...args] : args
      const { encoding, callback } = optionalsOf(rest)
      if (chunk !== undefined && chunk !== null) keep(hold, chunk, encoding)
      hold.headersGone = true
      hold.end = { callback }
      if (hold.phase === 'holding') decide(hold)
      return hold.response
    },
  }
}

function headMethods(hold: Hold): Record<string, (...args: never[]) => unknown> {
  return {
    writeHead(status: number, ...rest: unknown[]): ServerResponse {
      const { response } = hold
      response.statusCode = status
      if (typeof rest[0] === 'string') response.statusMessage = rest.shift() as string
      setHeaders(response, rest[0] as OutgoingHttpHeaders | readonly unknown[] | undefined)
      hold.headersGone = true
      return response
    },
    flushHeaders(): void {
      hold.headersGone = true
    },
  }
}

function endings(
  hold: Hold,
  emit: (event: string | symbol, ...args: unknown[]) => boolean,
): Record<string, (...args: never[]) => unknown> {
  return {
    destroy(error?: Error): ServerResponse {
      const { response, options } = hold
      if (!hold.end) options.onDestroyed(error)
      hold.phase = 'released'
      hold.restore()
      response.destroy(error)
      if (hold.closed) response.emit('close')
      return response
    },
    emit(event: string | symbol, ...args: unknown[]): boolean {
      if (event !== 'close') return emit(event, ...args)
      hold.closed = true
      return true
    },
  }
}

function keep(hold: Hold, chunk: unknown, encoding: BufferEncoding | undefined): void {
  const buffer = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : Buffer.from(chunk as Uint8Array)
  hold.chunks.push(buffer)
  hold.bytes += buffer.length
  hold.headersGone = true
}

function decide(hold: Hold): void {
  const { response, options, chunks } = hold
  hold.phase = 'deciding'
  const answer: HeldAnswer = {
    status: response.statusCode,
    body: Buffer.concat(chunks),
    header: name => response.getHeader(name),
  }
  void options.onAnswer(answer).then(other => release(hold, other))
}

function release(hold: Hold, other: HttpAnswer | undefined): void {
  if (hold.phase === 'released') return
  const { response, chunks, end, headersGone, starved } = hold
  hold.phase = 'released'
  hold.restore()
  if (hold.closed) {
    response.emit('close')
    return
  }
  if (other) {
    if (end?.callback) response.once('finish', end.callback)
    sendAnswer(response, other)
    return
  }
  const body = Buffer.concat(chunks)
  if (end) response.end(body, end.callback as () => void)
  else if (headersGone && response.write(body) && starved) response.emit('drain')
}

/** Sends a recorded answer in place of whatever was prepared. */
export function sendAnswer(response: ServerResponse, answer: HttpAnswer): void {
  for (const name of response.getHeaderNames()) if (isOfBody(name)) response.removeHeader(name)
  response.statusCode = answer.status
  for (const [name, value] of replayHeaders(answer)) response.setHeader(name, value)
  response.end(bodyOf(answer))
}

/** Headers that describe a body that is not sent after all. */
function isOfBody(name: string): boolean {
  return name.startsWith('content-') || name === 'etag' || name === 'transfer-encoding'
}

function optionalsOf(rest: readonly unknown[]): {
  readonly encoding: BufferEncoding | undefined
  readonly callback: Callback | undefined
} {
  const [first, second] = rest
  return {
    encoding: typeof first === 'string' ? (first as BufferEncoding) : undefined,
    callback: [first, second].find(each => typeof each === 'function') as Callback | undefined,
  }
}

/** Headers of `writeHead`: an object, pairs, or a flat list of names and values. */
function setHeaders(response: ServerResponse, headers: OutgoingHttpHeaders | readonly unknown[] | undefined): void {
  if (headers === undefined || headers === null) return
  if (!isList(headers)) {
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value)
    return
  }
  const flat = Array.isArray(headers[0]) ? headers.flat() : headers
  const seen = new Set<string>()
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const name = String(flat[at]).toLowerCase()
    if (seen.has(name)) response.appendHeader(name, flat[at + 1] as string)
    else response.setHeader(name, flat[at + 1] as OutgoingHttpHeader)
    seen.add(name)
  }
}

function isList(headers: OutgoingHttpHeaders | readonly unknown[]): headers is readonly unknown[] {
  return Array.isArray(headers)
}
