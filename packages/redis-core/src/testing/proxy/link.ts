import type { Socket } from 'node:net'
import type { Random } from '../../random.ts'
import { createFramer, FramingError, type Framer } from '../resp/framer.ts'
import { act } from './act.ts'
import { createPairing, type Exchange, type Pairing } from './pairing.ts'
import type { LogLine, ProxyLog } from './proxy-log.ts'
import { createRequest, readWords, type Request } from './request.ts'
import type { ActiveRule, RuleSet, Subject } from './rule.ts'
import { createWire, type Wire } from './wire.ts'

/** What all connections of a proxy share. */
export interface LinkContext {
  rules: RuleSet
  log: ProxyLog
  random: Random
  nameScript: (args: readonly Buffer[]) => string | undefined
}

/** One client's connection through the proxy. */
export interface Link {
  /** Lets everything held go on. */
  release(): void
  /** RST to the client at once; what waits is lost. */
  cut(): void
}

interface State extends LinkContext {
  id: number
  wire: Wire
  pairing: Pairing
  requests: Framer
  replies: Framer
  /** The bytes are no longer requests and replies: a replication stream, or something that is no RESP. */
  foreign: boolean
}

// After these the connection carries a replication stream.
const REPLICATION: ReadonlySet<string> = new Set(['psync', 'sync'])

function decide(state: State, subject: Subject, line?: LogLine): ActiveRule | undefined {
  const rule = state.rules.decide(subject)
  if (rule !== undefined) {
    state.log.fault({ connection: state.id, direction: subject.direction, kind: rule.action.kind, line })
  }
  return rule
}

/** Sends a message on, as the rule says if there is one. */
function send(state: State, direction: 'request' | 'reply', message: Buffer, rule: ActiveRule | undefined): void {
  const lane = direction === 'request' ? state.wire.requests : state.wire.replies
  if (rule === undefined || rule.action.kind === 'error') lane.push(message)
  else act(state.wire, direction, message, rule.action, state.random)
}

function sendForeign(state: State, direction: 'request' | 'reply', bytes: Buffer): void {
  if (bytes.length > 0) send(state, direction, bytes, decide(state, { direction, requests: [] }))
}

/** The replies whose turn it is and which the proxy gives itself. */
function answerLocally(state: State): void {
  for (let next = state.pairing.nextLocal(); next?.local !== undefined; next = state.pairing.nextLocal()) {
    state.log.answered(next.line, next.local)
    state.wire.replies.push(next.local)
  }
}

function becomeForeign(state: State): void {
  state.foreign = true
  sendForeign(state, 'request', state.requests.rest())
  sendForeign(state, 'reply', state.replies.rest())
}

function onRequest(state: State, message: Buffer): void {
  const words = readWords(message)
  if (words.length === 0) {
    state.wire.requests.push(message) // an empty line: the server ignores it
    return
  }
  const request = createRequest(words, state.nameScript)
  const line = state.log.request(state.id, request)
  const rule = decide(state, { direction: 'request', requests: [request] }, line)
  if (rule?.action.kind === 'error') {
    state.pairing.sent(request, line, Buffer.from(`-${rule.action.message}\r\n`))
    answerLocally(state)
    return
  }
  state.pairing.sent(request, line)
  send(state, 'request', message, rule)
}

function requestsOf(exchange: Exchange): Request[] {
  return [exchange.request, ...exchange.covers.map(covered => covered.request)]
}

function onReply(state: State, message: Buffer): void {
  const received = state.pairing.received(message)
  if (received.kind === 'push') {
    send(state, 'reply', message, decide(state, { direction: 'reply', requests: [], push: received.name }))
    return
  }
  const { exchange, first, last, queued } = received
  state.log.answered(exchange.line, message)
  // +QUEUED is no reply: the command has not run, and its reply is inside the one to EXEC.
  const subject: Subject | undefined =
    first && !queued ? { direction: 'reply', requests: requestsOf(exchange) } : undefined
  send(state, 'reply', message, subject === undefined ? undefined : decide(state, subject, exchange.line))
  if (last) answerLocally(state)
}

function takeRequest(state: State, message: Buffer): void {
  if (state.foreign) return sendForeign(state, 'request', message)
  onRequest(state, message)
  const [name] = readWords(message)
  if (name !== undefined && REPLICATION.has(name.toString('latin1').toLowerCase())) becomeForeign(state)
}

function takeReply(state: State, message: Buffer): void {
  if (state.foreign) sendForeign(state, 'reply', message)
  else onReply(state, message)
}

/** Cuts bytes into messages and takes each; what cannot be framed goes through as it is. */
function read(state: State, framer: Framer, chunk: Buffer, take: (state: State, message: Buffer) => void): void {
  if (state.foreign) return take(state, chunk)
  try {
    for (const message of framer.push(chunk)) take(state, message)
  } catch (error) {
    if (!(error instanceof FramingError)) throw error
    for (const message of error.messages) take(state, message)
    becomeForeign(state)
  }
}

function connectRule(state: State): void {
  const action = decide(state, { direction: 'connect', requests: [] })?.action
  if (action === undefined || action.kind === 'error') return
  // An empty message at the head of the requests: what delays or holds it delays or holds the connection.
  act(state.wire, 'request', Buffer.alloc(0), action, state.random)
}

/** Joins a client to the server until both have left. */
export function createLink(
  context: LinkContext,
  sockets: { id: number; client: Socket; server: Socket },
  onClosed: () => void,
): Link {
  const { id, client, server } = sockets
  const state: State = {
    ...context,
    id,
    wire: createWire(client, server, onClosed),
    pairing: createPairing(),
    requests: createFramer({ inline: true }),
    replies: createFramer(),
    foreign: false,
  }
  connectRule(state)
  client.on('data', chunk => {
    server.cork()
    read(state, state.requests, chunk, takeRequest)
    server.uncork()
  })
  server.on('data', chunk => {
    client.cork()
    read(state, state.replies, chunk, takeReply)
    client.uncork()
  })
  return {
    release() {
      state.wire.requests.release()
      state.wire.replies.release()
    },
    cut: () => state.wire.destroy(),
  }
}
