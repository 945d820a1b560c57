// One instance of a service: calls the dependency at a rate through its breaker.
import { connect } from 'node:net'
import type { Socket } from 'node:net'

import { createBreaker, isBreakerOpenError } from '@safety/breaker'
import type { Breaker } from '@safety/breaker'
import { connectRedis, keyspace, whenReady } from '@safety/redis-core'
import type { RedisClient } from '@safety/redis-core'

import { cockatielSampling, opossumDefaults } from './breaker-peers.ts'
import { machineMs, pause, serve } from './breaker-fleet-rig.ts'
import { sortedSetBreaker } from './breaker-sorted-set.ts'

export type BreakerKind = 'ours' | 'opossum' | 'cockatiel' | 'sorted set'

export interface WorkerSetup {
  readonly kind: BreakerKind
  readonly worker: number
  readonly processes: number
  readonly redisUrl: string
  readonly prefix: string
  readonly port: number
  /** Calls a second. */
  readonly rate: number
}

export interface WorkerResults {
  readonly calls: number
  readonly rejected: number
  /** Neither the dependency's errors nor rejections. */
  readonly foreignErrors: number
  readonly latenciesUs: number[]
  readonly opens: { readonly atMs: number; readonly fleet: boolean }[]
  readonly closedMs: number | null
  readonly state: string
}

export interface WorkerOperations {
  start(setup: WorkerSetup): Promise<void>
  /** What happened since the last time. */
  results(): Promise<WorkerResults>
  stop(): Promise<void>
}

class DownError extends Error {}

type Run = (work: (probe: boolean) => Promise<unknown>) => Promise<unknown>

let socket: Socket
let redis: RedisClient
let breaker: Breaker | null = null
let run: Run
const loop = { running: false, done: Promise.resolve() as Promise<unknown> }
let results = empty()
const waiting = new Map<string, (text: string) => void>()

function empty(): { -readonly [K in keyof WorkerResults]: WorkerResults[K] } {
  return { calls: 0, rejected: 0, foreignErrors: 0, latenciesUs: [], opens: [], closedMs: null, state: '' }
}

async function dial(port: number): Promise<Socket> {
  const dialled = connect({ port, host: '127.0.0.1', noDelay: true })
  let rest = ''
  dialled.setEncoding('utf8')
  dialled.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const [id = '', text = ''] = line.split(' ')
      waiting.get(id)?.(text)
      waiting.delete(id)
    }
  })
  await new Promise(resolve => dialled.once('connect', resolve))
  return dialled
}

let next = 0
function depend(worker: number, probe: boolean): Promise<void> {
  const id = String((next += 1))
  return new Promise((resolve, reject) => {
    waiting.set(id, text => (text === 'ok' ? resolve() : reject(new DownError('down'))))
    socket.write(`${id} ${worker} ${probe ? 'probe' : 'call'}\n`)
  })
}

function opened(fleet: boolean): void {
  results.opens.push({ atMs: machineMs(), fleet })
}

function createRun({ kind, worker, processes, prefix }: WorkerSetup): Run {
  if (kind === 'sorted set') return sortedSetBreaker(redis, `${prefix}:sorted-set`, () => opened(false))
  if (kind !== 'ours') {
    const peer = kind === 'opossum' ? opossumDefaults() : cockatielSampling()
    let wasOpen = false
    return async work => {
      let ran = false
      try {
        return await peer.run(() => {
          ran = true
          return work(wasOpen)
        })
      } finally {
        if (!ran && !wasOpen) opened(false)
        wasOpen = !ran
      }
    }
  }
  const made = createBreaker({
    name: 'dependency',
    redis,
    keyspace: keyspace(prefix),
    instance: `worker-${worker}`,
    expect: processes,
    coolOff: { baseMs: 1_500, maxMs: 1_500 },
    onEvent(event) {
      if (event.type === 'opened') opened(event.scope === 'fleet')
      if (event.type === 'ramped' || event.type === 'closed') results.closedMs ??= machineMs()
    },
  })
  breaker = made
  return work => made.run(({ probe }) => work(probe))
}

async function callOnce(worker: number): Promise<void> {
  const startMs = machineMs()
  let waitedMs = 0
  results.calls += 1
  try {
    await run(async probe => {
      const workMs = machineMs()
      try {
        await depend(worker, probe)
      } finally {
        waitedMs = machineMs() - workMs
      }
    })
  } catch (error) {
    if (isRejection(error)) results.rejected += 1
    else if (!(error instanceof DownError)) results.foreignErrors += 1
  }
  // What the breaker added to the call.
  results.latenciesUs.push((machineMs() - startMs - waitedMs) * 1_000)
}

function isRejection(error: unknown): boolean {
  const { code, isBrokenCircuitError } = error as { code?: string; isBrokenCircuitError?: boolean }
  return isBreakerOpenError(error) || code === 'EOPENBREAKER' || isBrokenCircuitError === true
}

const operations: WorkerOperations = {
  async start(setup) {
    socket = await dial(setup.port)
    redis = connectRedis(setup.redisUrl)
    await whenReady(redis, { timeoutMs: 30_000 })
    run = createRun(setup)
    await breaker?.ready()
    results = empty()
    loop.running = true
    const everyMs = 1_000 / setup.rate
    loop.done = (async () => {
      await pause(Math.random() * everyMs)
      const startMs = machineMs()
      for (let n = 1; loop.running; n += 1) {
        void callOnce(setup.worker)
        await pause(Math.max(0, startMs + n * everyMs - machineMs()))
      }
    })()
  },
  async results() {
    const taken = { ...results, state: breaker?.state ?? '' }
    results = empty()
    return taken
  },
  async stop() {
    loop.running = false
    await loop.done
    await breaker?.[Symbol.asyncDispose]()
    breaker = null
    redis.disconnect()
    socket.destroy()
  },
}
serve(operations as never)
