import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { connectRedis } from '@safety/redis-core'
import { createManualClock, startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'

import { checkRedis, lintClient, watchRedis } from '@safety/redis-checks'
import { measureThirtyNodes } from './redis-checks-thirty.ts'
import { atMost, conclude, median, percentile } from './report.ts'
import type { BenchOptions, Gate, Row } from './report.ts'

interface Sizes {
  /** Processes of each kind. */
  readonly processes: number
  readonly warmRuns: number
  readonly fastRuns: number
  readonly readies: number
  readonly lints: number
}

interface Figures {
  readonly rows: readonly Row[]
  readonly gates: readonly Gate[]
}

const FULL: Sizes = { processes: 31, warmRuns: 200, fastRuns: 50, readies: 1_000_000, lints: 500 }
const QUICK: Sizes = { processes: 5, warmRuns: 20, fastRuns: 5, readies: 200_000, lints: 50 }
const PROCESS = join(import.meta.dirname, 'redis-checks-process.ts')
const NOWHERE = join(import.meta.dirname, 'no', 'such', 'folder')
const PROFILE = 'idempotency.standard'
const FAST_INTERVAL_MS = 30_000
const NEVER_MS = 86_400_000

/**
 * What a full run of the doctor takes on loopback, in a process that has just started and in one that goes on; what a
 * watch costs the server; what readiness and the lint cost the caller; and, not with `quick`, a full run on 30 nodes.
 */
export async function runRedisChecksBench(options: BenchOptions): Promise<number> {
  const sizes = options.quick === true ? QUICK : FULL
  await using server = await startRedis({ aof: 'everysec' })
  const parts = [
    await measureProcesses(server, sizes),
    await measureWarm(server, sizes),
    await measureWatch(server, sizes),
    measureLint(server, sizes),
    ...(options.quick === true ? [] : [await measureMany()]),
  ]
  const rows = parts.flatMap(part => part.rows)
  const gates = parts.flatMap(part => part.gates)
  return conclude({ bench: 'redis-checks', redis: server.version, ...sizes, rows, gates }, options)
}

/**
 * Both kinds of process load the same modules before their clocks start, get the same command line, and take turns. One
 * ends before any contact, at the last thing that is looked at, an output file nobody can write; the difference is the run:
 * to connect, read, probe, judge, print and leave.
 */
async function measureProcesses(server: RedisServer, { processes }: Sizes): Promise<Figures> {
  const without: number[] = []
  const full: number[] = []
  const inside: number[] = []
  for (let run = 0; run < processes; run++) {
    without.push((await inProcess([server.url, '--json', '--output', NOWHERE])).takenMs)
    const { takenMs, stdout } = await inProcess([server.url, '--json'])
    full.push(takenMs)
    inside.push((JSON.parse(stdout) as { durationMs: number }).durationMs)
  }
  return {
    rows: [
      row('process that ends before any contact', without),
      row('process with a full run', full),
      row('the run inside it', inside),
    ],
    gates: [atMost('full doctor run beyond process start, ms, median', median(full) - median(without), 50)],
  }
}

async function inProcess(args: readonly string[]): Promise<{ readonly takenMs: number; readonly stdout: string }> {
  const child = promisify(execFile)(process.execPath, [PROCESS, 'doctor', ...args])
  // It ends in 2 where the file cannot be written; what it took is its last line either way.
  const { stdout, stderr } = await child.catch((error: Error & { stdout: string; stderr: string }) => error)
  const takenMs = Number(stderr.slice(stderr.lastIndexOf('\n') + 1))
  if (!(takenMs > 0)) throw new Error(`the doctor did not end as it should: ${stderr}`)
  return { takenMs, stdout }
}

async function measureWarm(server: RedisServer, { warmRuns }: Sizes): Promise<Figures> {
  const redis = connectRedis(server.url, { profile: 'checks' })
  const takenMs: number[] = []
  for (let run = 0; run < warmRuns; run++) {
    takenMs.push((await checkRedis(redis, { profile: PROFILE, clientRole: 'none' })).durationMs)
  }
  redis.disconnect()
  return {
    rows: [row('full run in a running process', takenMs)],
    gates: [atMost('full run on loopback in a running process, ms, median', median(takenMs), 50)],
  }
}

/** Fast runs as a watch does them, on a clock that is moved; the server's own count of the time its commands took. */
async function measureWatch(server: RedisServer, { fastRuns, readies }: Sizes): Promise<Figures> {
  const clock = createManualClock({ startMs: Date.now() })
  const redis = connectRedis(server.url, { profile: 'checks' })
  let checked = (): void => undefined
  const run = (act: () => unknown): Promise<void> =>
    new Promise(resolve => {
      checked = resolve
      act()
    })
  const watch = watchRedis(redis, {
    profile: PROFILE,
    clientRole: 'none',
    clock,
    fastIntervalMs: FAST_INTERVAL_MS,
    fullIntervalMs: NEVER_MS,
    random: { float: () => 0.5, bytes: length => new Uint8Array(length) },
    onEvent: event => (event.type === 'checked' ? checked() : undefined),
  })
  try {
    await run(() => undefined)
    const control = server.client()
    await new Promise<void>(resolve => control.once('ready', () => resolve()))
    await control.config('RESETSTAT')
    for (let count = 0; count < fastRuns; count++) await run(() => clock.advance(FAST_INTERVAL_MS))
    const perRunMs = serverMs(await control.info('commandstats')) / fastRuns
    control.disconnect()
    const readyUs = timePerCall(readies, () => watch.ready()) * 1000
    return {
      rows: [
        { name: 'fast run, time of the server', calls: fastRuns, ...oneFigure(perRunMs * 1000) },
        { name: 'ready()', calls: readies, ...oneFigure(readyUs) },
      ],
      gates: [atMost('fast run, ms of server time per node', perRunMs, 1), atMost('ready(), us per call', readyUs, 1)],
    }
  } finally {
    await watch[Symbol.asyncDispose]()
    redis.disconnect()
  }
}

/** The sum over all commands; the question itself is not among them. */
function serverMs(commandstats: string): number {
  let usec = 0
  for (const [, command, time] of commandstats.matchAll(/^cmdstat_([^:]+):.*?\busec=(\d+)/gm)) {
    if (command !== 'config|resetstat') usec += Number(time)
  }
  return usec / 1000
}

function measureLint(server: RedisServer, { lints }: Sizes): Figures {
  const redis = connectRedis(server.url)
  const takenMs = Array.from({ length: lints }, () => timePerCall(1, () => lintClient(redis, { role: 'effect' })))
  redis.disconnect()
  return {
    rows: [row('lintClient()', takenMs)],
    gates: [atMost('lintClient(), ms, median', median(takenMs), 1)],
  }
}

async function measureMany(): Promise<Figures> {
  const takenMs = await measureThirtyNodes()
  return {
    rows: [row('full run on 30 nodes, 1 ms away', takenMs)],
    gates: [atMost('full run on 30 nodes, 1 ms away, ms, median', median(takenMs), 2000)],
  }
}

function timePerCall(calls: number, call: () => unknown): number {
  const startedMs = performance.now()
  for (let count = 0; count < calls; count++) call()
  return (performance.now() - startedMs) / calls
}

function oneFigure(us: number): Pick<Row, 'p50Us' | 'p99Us' | 'callsPerSecond'> {
  return { p50Us: Number(us.toPrecision(3)), p99Us: null, callsPerSecond: null }
}

function row(name: string, takenMs: readonly number[]): Row {
  const us = takenMs.map(ms => ms * 1000).sort((a, b) => a - b)
  return {
    name,
    calls: takenMs.length,
    p50Us: Math.round(median(us)),
    p99Us: Math.round(percentile(us, 0.99)),
    callsPerSecond: null,
  }
}
