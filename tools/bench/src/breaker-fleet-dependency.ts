// The dependency, a process of its own: it fails as told, and is the judge of what arrived when.
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'

import { machineMs, serve } from './breaker-fleet-rig.ts'

/** ok; all fail; three in ten fail; all calls of one process fail. */
export type DependencyMode = 'ok' | 'total' | 'partial' | 'bad-node'

export interface Judgement {
  /** The first failing answer since `mode` was last called, machine ms. */
  readonly firstFailureMs: number | null
  /** Calls that were no probes, since then. */
  readonly ordinary: number
  readonly lastOrdinaryMs: number | null
  readonly probes: number
  readonly mostProbesAtOnce: number
}

export interface DependencyOperations {
  listen(): Promise<number>
  mode(mode: DependencyMode): Promise<void>
  judge(): Promise<Judgement>
}

const FAILING_SHARE = 0.3
const PROBE_MS = 20

let mode: DependencyMode = 'ok'
let judgement = fresh()
let probing = 0

function fresh(): { -readonly [K in keyof Judgement]: Judgement[K] } {
  return { firstFailureMs: null, ordinary: 0, lastOrdinaryMs: null, probes: 0, mostProbesAtOnce: 0 }
}

function fails(worker: number): boolean {
  if (mode === 'partial') return Math.random() < FAILING_SHARE
  return mode === 'total' || (mode === 'bad-node' && worker === 0)
}

function answer(line: string, reply: (text: string) => void): void {
  const [id = '', worker = '', kind = ''] = line.split(' ')
  const failed = fails(Number(worker))
  const nowMs = machineMs()
  if (failed) judgement.firstFailureMs ??= nowMs
  if (kind !== 'probe') {
    judgement.ordinary += 1
    judgement.lastOrdinaryMs = nowMs
    return reply(`${id} ${failed ? 'down' : 'ok'}\n`)
  }
  probing += 1
  judgement.probes += 1
  judgement.mostProbesAtOnce = Math.max(judgement.mostProbesAtOnce, probing)
  // Long enough that two at once would be seen.
  setTimeout(() => {
    probing -= 1
    reply(`${id} ${failed ? 'down' : 'ok'}\n`)
  }, PROBE_MS)
}

const server = createServer({ noDelay: true }, socket => {
  let rest = ''
  socket.setEncoding('utf8')
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) answer(line, text => void socket.write(text))
  })
})

const operations: DependencyOperations = {
  listen: () =>
    new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))),
  async mode(next) {
    mode = next
    judgement = fresh()
  },
  judge: async () => judgement,
}
serve(operations as never)
