import { decodeReply, textOf } from '../resp/value.ts'
import type { LogLine } from './proxy-log.ts'
import { subcommandOf, type Request } from './request.ts'

/** A request on its way to its reply. */
export interface Exchange {
  readonly request: Request
  /** The reply that the proxy gives in the server's place. */
  readonly local: Buffer | undefined
  /** Where it is logged. */
  readonly line: LogLine
  /** The transaction it was queued in. */
  readonly transaction: Exchange[] | undefined
  /** What EXEC answers for, itself included. */
  readonly covers: readonly Exchange[]
  /** Replies seen so far. */
  replies: number
  /** Replies there will be; unknown until the first one for an UNSUBSCRIBE of everything. */
  expects: number | undefined
}

export type Received =
  | { kind: 'reply'; exchange: Exchange; first: boolean; last: boolean; queued: boolean }
  | { kind: 'push'; name: string }

/** Knows, on one connection, which reply answers which request. */
export interface Pairing {
  /** A request goes to the server, or is answered by the proxy with `local`. */
  sent(request: Request, line: LogLine, local?: Buffer): Exchange
  received(message: Buffer): Received
  /** Takes the next exchange off, if it is its turn and the proxy answers it. */
  nextLocal(): Exchange | undefined
}

const PUSH = 62 // >
const ARRAY = 42 // *
const SIMPLE = 43 // +
const ERROR = 45 // -
const QUEUED = Buffer.from('+QUEUED\r\n')
const SUBSCRIBING: ReadonlySet<string> = new Set(['subscribe', 'psubscribe', 'ssubscribe'])
const UNSUBSCRIBING: ReadonlySet<string> = new Set(['unsubscribe', 'punsubscribe', 'sunsubscribe'])
const MESSAGES: ReadonlySet<string> = new Set(['message', 'pmessage', 'smessage'])
const MONITOR_LINE = /^\+\d+\.\d+ \[/

/** Channels by the command that subscribes to them, so that an UNSUBSCRIBE of everything knows how often it is answered. */
function createSubscriptions() {
  const byKind = new Map<string, Set<string>>()
  const channelsOf = (command: string): Set<string> => {
    const kind = command.replace('un', '')
    const channels = byKind.get(kind) ?? new Set<string>()
    byKind.set(kind, channels)
    return channels
  }
  return {
    confirm(command: string, channel: string): void {
      if (SUBSCRIBING.has(command)) channelsOf(command).add(channel)
      else channelsOf(command).delete(channel)
    },
    countFor: (command: string): number => channelsOf(command).size,
    any: (): boolean => [...byKind.values()].some(channels => channels.size > 0),
    clear: (): void => byKind.clear(),
  }
}

/** CLIENT REPLY silences the server for the next command or for good. */
function createReplyMode() {
  let off = false
  let skipNext = false
  return {
    /** True when the server will not answer this request. */
    silences(request: Request): boolean {
      const change = request.command === 'client' && subcommandOf(request) === 'reply'
      const mode = change ? request.args[2]?.toString('latin1').toLowerCase() : undefined
      if (mode === 'on') {
        off = false
        skipNext = false
        return false
      }
      const silent = off || skipNext || mode === 'off' || mode === 'skip'
      skipNext = mode === 'skip' && !off
      off ||= mode === 'off'
      return silent
    },
  }
}

function countExpected(request: Request): number | undefined {
  const channels = request.args.length - 1
  if (SUBSCRIBING.has(request.command)) return Math.max(1, channels)
  if (UNSUBSCRIBING.has(request.command)) return channels === 0 ? undefined : channels
  return 1
}

/** Which requests a transaction queues, and that EXEC answers for them. */
function createTransactions() {
  let open: Exchange[] | undefined
  return (command: string): Pick<Exchange, 'transaction' | 'covers'> => {
    const current = open
    if (command === 'exec' || command === 'discard' || command === 'reset') {
      open = undefined
      return { transaction: undefined, covers: command === 'exec' ? (current ?? []) : [] }
    }
    if (command === 'multi' && current === undefined) {
      open = []
      return { transaction: undefined, covers: [] }
    }
    return { transaction: current, covers: [] }
  }
}

interface Notice {
  name: string
  channel: string
}

function readNotice(message: Buffer): Notice | undefined {
  const value = decodeReply(message)
  return Array.isArray(value) ? { name: textOf(value[0]).toLowerCase(), channel: textOf(value[1]) } : undefined
}

/** What the server sends by itself, and how a connection gets into the modes where it does. */
function createListening() {
  const subscriptions = createSubscriptions()
  let monitoring = false
  return {
    countFor: (command: string): number => subscriptions.countFor(command),
    confirm: (command: string, channel: string): void => subscriptions.confirm(command, channel),
    /** A message that may be about subscriptions, while `command` is what waits for its reply. */
    notice(message: Buffer, command: string): Notice | undefined {
      const push = message[0] === PUSH
      const possible = SUBSCRIBING.has(command) || UNSUBSCRIBING.has(command) || subscriptions.any()
      return push || (possible && message[0] === ARRAY) ? readNotice(message) : undefined
    },
    /** The kind of a message that answers nothing. */
    pushed(message: Buffer, notice: Notice | undefined): string | undefined {
      if (message[0] === PUSH) return notice?.name ?? ''
      if (notice !== undefined && (MESSAGES.has(notice.name) || UNSUBSCRIBING.has(notice.name))) return notice.name
      return monitoring && MONITOR_LINE.test(message.toString('latin1', 0, 32)) ? 'monitor' : undefined
    },
    /** A command has been answered. */
    settle(command: string, message: Buffer): void {
      if (command === 'monitor') monitoring = message[0] === SIMPLE
      if (command !== 'reset') return
      monitoring = false
      subscriptions.clear()
    },
  }
}

export function createPairing(): Pairing {
  const pending: Exchange[] = []
  const listening = createListening()
  const replyMode = createReplyMode()
  const enterTransaction = createTransactions()

  const answer = (exchange: Exchange, message: Buffer, confirmation: Notice | undefined): Received => {
    const { command } = exchange.request
    // Must be read before the confirmation changes it.
    exchange.expects ??= Math.max(1, listening.countFor(command))
    if (confirmation !== undefined) listening.confirm(command, confirmation.channel)
    else if (message[0] === ERROR) exchange.expects = exchange.replies + 1 // one refusal answers for all channels
    exchange.replies++
    const last = exchange.replies >= exchange.expects
    if (last) {
      pending.shift()
      listening.settle(command, message)
    }
    const queued = exchange.transaction !== undefined && message.equals(QUEUED)
    if (queued) exchange.transaction?.push(exchange)
    return { kind: 'reply', exchange, first: exchange.replies === 1, last, queued }
  }

  return {
    sent(request, line, local) {
      const place = enterTransaction(request.command)
      const expects = local === undefined ? countExpected(request) : 1
      const exchange: Exchange = { request, line, local, ...place, replies: 0, expects }
      if (!replyMode.silences(request)) pending.push(exchange)
      return exchange
    },
    received(message) {
      const exchange = pending[0]
      const command = exchange?.request.command ?? ''
      const notice = listening.notice(message, command)
      if (exchange !== undefined && notice?.name === command) return answer(exchange, message, notice)
      const push = listening.pushed(message, notice)
      if (push !== undefined) return { kind: 'push', name: push }
      if (exchange === undefined) return { kind: 'push', name: 'unsolicited' }
      return answer(exchange, message, undefined)
    },
    nextLocal() {
      return pending[0]?.local === undefined ? undefined : pending.shift()
    },
  }
}
