import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

import { BODY_HEADERS, bodyOf, replayHeaders } from './answer.ts'
import type { GivenAnswer, HttpAnswer } from './answer.ts'
import { isInHandler } from './handler-context.ts'
import { holdDrain } from './held-drain.ts'
import type { HeldDrain } from './held-drain.ts'
import { headersSent, prepareHead } from './response-head.ts'
import type { ResponseHead } from './response-head.ts'
import { overrideMethods, showState } from './overrides.ts'
import { watchDestroy } from './socket-watch.ts'

export interface HeldOptions {
  /** The connection, where it carries one response at a time (HTTP/1). */
  readonly socket: Socket | undefined
  /** Bytes that are held back; once more have come, the answer is decided on and then passes through. */
  readonly limit: number
  /** Called once, at the end of the answer or above the limit. Gives the answer to send instead, if any. */
  readonly onAnswer: (answer: GivenAnswer) => Promise<HttpAnswer | undefined>
  /** The response was destroyed before its end, by the handler or in its name. */
  readonly onDestroyed: (error: Error | undefined) => void
}

type Callback = (error?: Error | null) => void
type Methods = Record<string, (...args: never[]) => unknown>

interface Hold {
  readonly response: ServerResponse
  readonly options: HeldOptions
  readonly chunks: Buffer[]
  bytes: number
  phase: 'holding' | 'deciding' | 'released'
  /** The handler has sent headers, as it sees it. What it makes of the status afterwards is not sent. */
  head: ResponseHead | undefined
  /** The handler has ended its answer. */
  end: { readonly callback: Callback | undefined } | undefined
  /** What was done to the answer after its end. Its turn comes when the answer has left, so that Node judges it. */
  readonly late: (() => void)[]
  /** The client has left. */
  closed: boolean
  readonly drain: HeldDrain
  /** The handler was told to wait for `drain`. */
  starved: boolean
  /** Nobody listens for the timeout of the connection: Node destroys it at once, in the context of whoever set that. */
  timedOut: boolean
  /** Calls a method of the response itself. */
  under: (name: string, ...args: readonly unknown[]) => unknown
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
    head: undefined,
    end: undefined,
    late: [],
    closed: false,
    drain: holdDrain(response, (name, ...args) => hold.under(name, ...args)),
    starved: false,
    timedOut: false,
    under: () => undefined,
    restore: () => undefined,
  }
  const overrides = overrideMethods(response, {
    ...bodyMethods(hold),
    ...headMethods(hold),
    ...hold.drain.methods,
    ...endings(hold),
  })
  const restoreState = showState(response, {
    headersSent: () => hold.head !== undefined,
    finished: () => hold.end !== undefined,
    writableEnded: () => hold.end !== undefined,
    closed: () => false,
    destroyed: () => false,
  })
  const { socket } = options
  const unwatch = socket && watchDestroy(socket, error => onSocketDestroy(hold, socket, error))
  hold.under = overrides.under
  hold.restore = () => {
    overrides.restore()
    restoreState()
    unwatch?.()
    hold.drain.release()
  }
}

function bodyMethods(hold: Hold): Methods {
  return {
    write(chunk: unknown, ...rest: unknown[]): boolean {
      if (hold.end) {
        hold.late.push(() => hold.under('write', chunk, ...rest))
        return false
      }
      const { encoding, callback } = optionalsOf(rest)
      keep(hold, chunk, encoding)
      if (callback) queueMicrotask(() => callback(null))
      if (hold.phase === 'holding' && hold.bytes > hold.options.limit) decide(hold)
      if (hold.phase === 'holding') return true
      hold.starved = true
      return false
    },
    end(...args: unknown[]): ServerResponse {
      if (hold.end) {
        hold.late.push(() => hold.under('end', ...args))
        return hold.response
      }
      const [chunk, ...rest] = typeof args[0] === 'function' ? [undefined, ...args] : args
      const { encoding, callback } = optionalsOf(rest)
      if (chunk !== undefined && chunk !== null) keep(hold, chunk, encoding)
      sendHead(hold)
      hold.end = { callback }
      if (hold.phase === 'holding') decide(hold)
      return hold.response
    },
  }
}

function headMethods(hold: Hold): Methods {
  const unlessSent =
    (name: string, verb: 'set' | 'append' | 'remove') =>
    (...args: unknown[]): unknown => {
      if (hold.head) throw headersSent(verb)
      return hold.under(name, ...args)
    }
  return {
    setHeader: unlessSent('setHeader', 'set'),
    appendHeader: unlessSent('appendHeader', 'append'),
    removeHeader: unlessSent('removeHeader', 'remove'),
    writeHead(status: number, ...rest: unknown[]): ServerResponse {
      if (hold.head) throw headersSent('write')
      hold.head = prepareHead(hold.response, status, rest)
      return hold.response
    },
    flushHeaders: () => sendHead(hold),
    // Middleware calls it as long as `_header` is not set, which Node does below.
    _implicitHeader: () => sendHead(hold),
  }
}

function endings(hold: Hold): Methods {
  const { response, options } = hold
  return {
    destroy(error?: Error): ServerResponse {
      if (hold.end) {
        hold.late.push(() => afterSending(hold, () => response.destroy(error)))
        return response
      }
      options.onDestroyed(error)
      giveUp(hold)
      response.destroy(error)
      if (hold.closed) response.emit('close')
      return response
    },
    emit(event: string | symbol, ...args: unknown[]): boolean {
      if (event === 'close') {
        hold.closed = true
        return true
      }
      const heard = hold.under('emit', event, ...args) as boolean
      if (event === 'timeout' && !heard) {
        hold.timedOut = true
        queueMicrotask(() => (hold.timedOut = false))
      }
      return heard
    },
  }
}

/**
 * Express ends an answer it cannot complete by destroying the connection. The server does so too: when the client has left,
 * when its time is over, when it shuts down. @returns whether that waits for the answer
 */
function onSocketDestroy(hold: Hold, socket: Socket, error: Error | null | undefined): boolean {
  if (!hold.head) return false
  const byHandler = !hold.timedOut && isInHandler(hold.response)
  if (!hold.end) {
    if (!byHandler) return false
    hold.options.onDestroyed(error ?? undefined)
    giveUp(hold)
    if (hold.closed) hold.response.emit('close')
    return false
  }
  if (hold.closed || socket.destroyed) return false
  // With an error the connection is broken, and a side that has ended is a client that has left.
  if (!byHandler && (error || socket.readableEnded)) return false
  // Without this package the answer would have left by now.
  hold.late.push(() => afterSending(hold, () => socket.destroy(error ?? undefined)))
  return true
}

function giveUp(hold: Hold): void {
  hold.phase = 'released'
  hold.restore()
}

function afterSending({ response, closed }: Hold, act: () => void): void {
  if (closed || response.writableFinished) act()
  else response.once('finish', act)
}

function keep(hold: Hold, chunk: unknown, encoding: BufferEncoding | undefined): void {
  const buffer = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : Buffer.from(chunk as Uint8Array)
  sendHead(hold)
  hold.chunks.push(buffer)
  hold.bytes += buffer.length
}

/** As Node does before the first byte: by `writeHead`, which other middleware may have put its own in front of. */
function sendHead(hold: Hold): void {
  const { response } = hold
  if (!hold.head) response.writeHead(response.statusCode)
  hold.head ??= prepareHead(response, response.statusCode, [])
}

function decide(hold: Hold): void {
  const { response, options, chunks } = hold
  hold.phase = 'deciding'
  const answer: GivenAnswer = {
    status: response.statusCode,
    body: Buffer.concat(chunks),
    header: name => response.getHeader(name),
  }
  void options
    .onAnswer(answer)
    .then(other => release(hold, other))
    // Node refuses to send it: what it refuses, the handler should have seen, but that has gone on.
    .catch((error: unknown) => response.destroy(error as Error))
}

function release(hold: Hold, other: HttpAnswer | undefined): void {
  if (hold.phase === 'released') return
  giveUp(hold)
  send(hold, other)
  for (const act of hold.late) act()
}

function send(hold: Hold, other: HttpAnswer | undefined): void {
  const { response, chunks, drain, end, head, under } = hold
  if (hold.closed) {
    response.emit('close')
    return
  }
  if (head) restoreHead(response, head)
  if (other) {
    if (end?.callback) response.once('finish', end.callback)
    if (head?.statusMessage) response.statusMessage = ''
    sendAnswer(response, other, body => under('end', body))
    return
  }
  const body = Buffer.concat(chunks)
  if (end) under('end', body, end.callback)
  else if (under('write', body) && hold.starved) drain.tell()
}

function restoreHead(response: ServerResponse, { statusCode, statusMessage }: ResponseHead): void {
  response.statusCode = statusCode
  if (statusMessage !== undefined) response.statusMessage = statusMessage
}

/** Sends a recorded answer in place of whatever was prepared. */
export function sendAnswer(
  response: ServerResponse,
  answer: HttpAnswer,
  end: (body: Buffer) => void = body => response.end(body),
): void {
  // Node adds no content-length of its own once one was removed, present or not.
  for (const name of BODY_HEADERS) if (response.hasHeader(name)) response.removeHeader(name)
  response.statusCode = answer.status
  for (const [name, value] of replayHeaders(answer)) response.setHeader(name, value)
  end(bodyOf(answer))
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
