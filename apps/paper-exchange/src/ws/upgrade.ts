import type { Clock } from '@safety/redis-core'
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import type { ExchangeCore } from '../exchange-core.ts'
import { sourceOf } from '../http/admission.ts'
import type { RequestFlow } from '../http/request-flow.ts'
import { createMarketStreams } from './market-streams.ts'
import { createSocketApi } from './socket-api.ts'
import type { StreamFaults } from './stream-faults.ts'
import { createUserStreams } from './user-streams.ts'

const MAX_MESSAGE_BYTES = 65_536
const CONNECT_WEIGHT = 2
/** What a peer gets to finish its closing handshake. */
const GOODBYE_MS = 250

/** Every WebSocket door of the exchange. */
export interface WebSocketDoors {
  /** Announces the end on every stream and leaves no socket open. */
  close(): Promise<void>
}

/** Listens for upgrades on the HTTP server and sends each to its door. */
export function openWebSocketDoors(options: {
  server: Server
  core: ExchangeCore
  flow: RequestFlow
  faults: StreamFaults
  clock: Clock
}): WebSocketDoors {
  const { server, core, flow, faults, clock } = options
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false })
  const market = createMarketStreams(core, faults)
  const api = createSocketApi(core, flow, createUserStreams(core, faults))

  const onUpgrade = (request: IncomingMessage, tcp: Duplex, head: Buffer): void => {
    const door = doorOf(request.url ?? '/')
    if (door === undefined) return refuse(tcp, 404, 'Not Found', {})
    const ip = request.socket.remoteAddress ?? ''
    if (door.kind === 'api') {
      core.engine.timeline.runDue()
      const nowMs = core.engine.timeline.nowMs()
      const source = sourceOf(core, { ip, apiKey: undefined })
      const refusal = core.gate.enter(source, nowMs).refusal ?? core.gate.charge(source, CONNECT_WEIGHT, nowMs)
      if (refusal !== undefined) {
        const seconds = String(refusal.retryAfter?.seconds ?? 1)
        return refuse(tcp, refusal.status, 'Too Many Requests', { 'retry-after': seconds })
      }
    }
    sockets.handleUpgrade(request, tcp, head, socket => {
      if (door.kind === 'api') api.accept(socket, ip)
      else market.accept(socket, door)
    })
  }
  server.on('upgrade', onUpgrade)

  return {
    close: async () => {
      server.off('upgrade', onUpgrade)
      for (const stream of faults.sockets()) stream.socket.send(stream.shutdownNotice())
      const open = [...sockets.clients]
      const closed = open.map(socket => new Promise(resolve => socket.once('close', resolve)))
      for (const socket of open) socket.close(1001, 'Server shutdown')
      const patience = new AbortController()
      const goodbye = clock.sleep(GOODBYE_MS, { signal: patience.signal }).catch(() => {})
      await Promise.race([Promise.all(closed), goodbye])
      patience.abort()
      for (const socket of sockets.clients) socket.terminate()
      sockets.close()
    },
  }
}

const BASE = 'http://127.0.0.1'

type Door = { kind: 'api' } | { kind: 'market'; names: string[]; combined: boolean }

function doorOf(url: string): Door | undefined {
  if (!URL.canParse(url, BASE)) return undefined
  const { pathname, searchParams } = new URL(url, BASE)
  if (pathname === '/ws-api/v3') return { kind: 'api' }
  if (pathname === '/stream') {
    return { kind: 'market', names: listOf(searchParams.get('streams') ?? ''), combined: true }
  }
  if (pathname === '/ws' || pathname.startsWith('/ws/')) {
    return { kind: 'market', names: listOf(pathname.slice('/ws/'.length).replaceAll('%40', '@')), combined: false }
  }
  return undefined
}

function listOf(text: string): string[] {
  return text.split('/').filter(name => name !== '')
}

function refuse(tcp: Duplex, status: number, text: string, headers: Record<string, string>): void {
  const lines = Object.entries({ ...headers, connection: 'close', 'content-length': '0' })
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  tcp.end(`HTTP/1.1 ${status} ${text}\r\n${head}\r\n`)
}
