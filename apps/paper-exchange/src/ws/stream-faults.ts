import type { ExchangeCore } from '../exchange-core.ts'
import type { Fault, FaultAction } from '../faults/fault-schema.ts'
import type { LiveSocket } from './live-socket.ts'

/** A socket a stream fault can act on. */
export interface FaultySocket {
  readonly channel: 'user-stream' | 'market-stream'
  /** Accounts whose events it carries. */
  accounts(): ReadonlySet<string>
  readonly socket: LiveSocket
  /** What announces an early end on this kind of stream. */
  shutdownNotice(): string
}

/** Faults that act on open streams at once: `drop`, `silence`, `shutdown`. */
export interface StreamFaults {
  /** Takes over freshly added faults; those that wait for an event are left to the event. */
  arm(ids: readonly string[]): void
  /** A stream has opened, or carries one account more. */
  opened(socket: FaultySocket): void
  closed(socket: FaultySocket): void
  /** Acts on all open sockets of one account and channel. */
  act(channel: FaultySocket['channel'], account: string | undefined, action: FaultAction): void
  /** All open streams. */
  sockets(): Iterable<FaultySocket>
}

/** Creates the place where stream faults meet streams. */
export function createStreamFaults(core: ExchangeCore): StreamFaults {
  const { engine } = core
  const open = new Set<FaultySocket>()
  /** Faults whose time has come, and which still look for a socket. */
  const waiting = new Set<string>()

  const find = (id: string): Fault | undefined => engine.faults.list().find(fault => fault.id === id)

  const attempt = (id: string, candidates: Iterable<FaultySocket>): void => {
    const fault = find(id)
    if (fault === undefined) return void waiting.delete(id)
    const targets = [...candidates].filter(socket => matches(fault, socket))
    if (targets.length === 0) return
    if (engine.faults.fireNow(id) === undefined) return void waiting.delete(id)
    // Without a number of times it acts once: else no stream could ever be opened again.
    if (fault.times === null) waiting.delete(id)
    engine.append({
      type: 'fault',
      account: fault.match.account ?? null,
      faultId: id,
      action: fault.action.type,
      phase: 'stream',
      requestSeq: null,
      clientOrderId: null,
    })
    for (const target of targets) strike(target, fault.action)
  }

  return {
    arm: ids => {
      for (const id of ids) {
        const fault = find(id)
        if (fault?.phase !== 'stream' || fault.match.event !== undefined) continue
        const delayMs = Math.max(0, (fault.match.fromMs ?? 0) - engine.timeline.steadyMs())
        engine.timeline.schedule(() => {
          waiting.add(id)
          attempt(id, open)
        }, delayMs)
      }
    },
    opened: socket => {
      open.add(socket)
      if (waiting.size === 0) return
      engine.timeline.schedule(() => {
        for (const id of waiting) if (open.has(socket)) attempt(id, [socket])
      }, 0)
    },
    closed: socket => void open.delete(socket),
    act: (channel, account, action) => {
      for (const socket of open) {
        if (socket.channel === channel && (account === undefined || socket.accounts().has(account))) {
          strike(socket, action)
        }
      }
    },
    sockets: () => open,
  }
}

function matches(fault: Fault, target: FaultySocket): boolean {
  const { channel, account } = fault.match
  return (
    (channel === undefined || channel === target.channel) && (account === undefined || target.accounts().has(account))
  )
}

function strike(target: FaultySocket, action: FaultAction): void {
  if (action.type === 'drop') target.socket.drop()
  else if (action.type === 'silence') target.socket.silence(action.ms)
  else if (action.type === 'shutdown') target.socket.shutdown(target.shutdownNotice())
}
