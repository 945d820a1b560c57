import { randomBytes } from 'node:crypto'

import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'

import type { DependencyMode, DependencyOperations } from './breaker-fleet-dependency.ts'
import { machineMs, pause, startProcess } from './breaker-fleet-rig.ts'
import type { RigProcess } from './breaker-fleet-rig.ts'
import type { BreakerKind, WorkerOperations, WorkerResults } from './breaker-fleet-worker.ts'
import { atMost, conclude, median, percentile } from './report.ts'
import type { BenchOptions, Gate, Row } from './report.ts'

type Outage = Exclude<DependencyMode, 'ok'>
/** What happens to Redis while the service is healthy. */
type Fault = 'none' | 'kill' | 'stop' | 'flushall'

interface Scenario {
  readonly kind: BreakerKind
  readonly processes: number
  readonly rate: number
  readonly outage: Outage
  readonly fault: Fault
  readonly rounds: number
}

interface Round {
  readonly firstOpenMs: number | null
  /** From the dependency's first failing answer to the last ordinary call that reached it. */
  readonly allOpenMs: number | null
  /** Between the first and the last process to hear that the fleet is open. */
  readonly spreadMs: number | null
  readonly leakedCalls: number
  readonly falseOpens: number
  readonly probes: number
  readonly maxConcurrentProbes: number
  readonly closedAfterMs: number | null
  readonly commandsPerClosedCall: number
  readonly flushUs: number
  /** What the breaker added to a call while the service was healthy, the fault included. */
  readonly callP99Us: number
  readonly foreignErrors: number
}

const ROUNDS = 5
const WARM_UP_MS = 60
const HEALTHY_MS = 4_000
const FAULT_MS = 1_500
const OUTAGE_MS = 2_500
const WATCH_MS = 4_000
const PEER_OUTAGE_MS = 15_000
const RECOVERY_MS = 15_000
const HEARTBEAT_MS = 4_250

/**
 * A fleet of real processes, a dependency that judges, and a Redis that suffers. What is told is when the last ordinary
 * call arrived, how many got through, how many probes were under way at once, and what a closed call costs Redis. Without
 * `processes`, `rate`, `outage` and `fault` it runs all scenarios, opossum, cockatiel and a sorted set per call beside.
 */
export async function runBreakerFleetBench(options: BenchOptions): Promise<number> {
  if (![options.processes, options.rate].every(isFleetNumber)) {
    console.error(`--processes and --rate are whole numbers from 1 to ${MOST}`)
    return 2
  }
  const done: { scenario: Scenario; rounds: Round[] }[] = []
  for (const scenario of scenariosOf(options)) {
    console.log(titleOf(scenario))
    const rounds = await runScenario(scenario)
    done.push({ scenario, rounds })
    console.table(rounds)
  }
  const [first] = done
  const detail = { processes: first?.scenario.processes, rate: first?.scenario.rate, rounds: first?.rounds }
  const report = { bench: 'breaker-fleet', ...detail, scenarios: done, rows: done.map(rowOf), gates: gatesOf(done) }
  return conclude(report, options)
}

const MOST = 1_000

function isFleetNumber(value: number | undefined): boolean {
  return value === undefined || (Number.isInteger(value) && value >= 1 && value <= MOST)
}

function scenariosOf({ processes, rate, outage, fault, quick = false }: BenchOptions): Scenario[] {
  const size = { processes: processes ?? 10, rate: rate ?? 10 }
  const base = {
    kind: 'ours' as const,
    ...size,
    outage: 'total' as const,
    fault: 'none' as const,
    rounds: quick ? 1 : ROUNDS,
  }
  const few = quick ? 1 : 2
  if (outage !== undefined || fault !== undefined || processes !== undefined || rate !== undefined) {
    return [{ ...base, outage: (outage ?? 'total') as Outage, fault: (fault ?? 'none') as Fault }]
  }
  return [
    base,
    { ...base, processes: 50, rate: 2, rounds: quick ? 1 : 3 },
    { ...base, outage: 'partial', rounds: few },
    { ...base, outage: 'bad-node', rounds: few },
    { ...base, fault: 'kill', rounds: few },
    { ...base, fault: 'stop', rounds: few },
    { ...base, fault: 'flushall', rounds: few },
    ...(['opossum', 'cockatiel', 'sorted set'] as const).map(kind => ({ ...base, kind, rounds: few })),
  ]
}

function titleOf({ kind, processes, rate, outage, fault }: Scenario): string {
  return `${kind}: ${processes} processes, ${rate} calls/s each, outage ${outage}, Redis ${fault}`
}

async function runScenario(scenario: Scenario): Promise<Round[]> {
  const dependency = startProcess<DependencyOperations>('breaker-fleet-dependency.ts')
  const workers = Array.from({ length: scenario.processes }, () =>
    startProcess<WorkerOperations>('breaker-fleet-worker.ts'),
  )
  try {
    const port = await dependency.ask('listen')
    // Fifty processes that have just started still compile.
    await pause(WARM_UP_MS * scenario.processes)
    const rounds: Round[] = []
    for (let round = 0; round < scenario.rounds; round += 1)
      rounds.push(await runRound(scenario, dependency, workers, port))
    return rounds
  } finally {
    await Promise.all([dependency, ...workers].map(one => one.end()))
  }
}

interface Rig {
  readonly scenario: Scenario
  readonly server: RedisServer
  readonly dependency: RigProcess<DependencyOperations>
  readonly workers: readonly RigProcess<WorkerOperations>[]
}

async function runRound(
  scenario: Scenario,
  dependency: RigProcess<DependencyOperations>,
  workers: readonly RigProcess<WorkerOperations>[],
  port: number,
): Promise<Round> {
  await using server = await startRedis({ aof: 'everysec' })
  const rig = { scenario, server, dependency, workers }
  const prefix = `fleet-bench:${randomBytes(6).toString('hex')}`
  const { kind, processes, rate } = scenario
  await dependency.ask('mode', 'ok')
  await Promise.all(
    workers.map((one, worker) =>
      one.ask('start', { kind, worker, processes, rate, redisUrl: server.url, prefix, port }),
    ),
  )
  const healthy = await watchHealthy(rig)
  const broken = await breakDown(rig)
  await Promise.all(workers.map(one => one.ask('stop')))
  return {
    ...healthy,
    ...broken,
    foreignErrors: healthy.foreignErrors + broken.foreignErrors,
    falseOpens: healthy.falseOpens + broken.falseOpens,
  }
}

const resultsOf = (rig: Rig): Promise<WorkerResults[]> => Promise.all(rig.workers.map(one => one.ask('results')))

type Healthy = Pick<Round, 'commandsPerClosedCall' | 'flushUs' | 'callP99Us' | 'foreignErrors' | 'falseOpens'>

async function watchHealthy(rig: Rig): Promise<Healthy> {
  await pause(500)
  await resultsOf(rig)
  const before = await commandStats(rig)
  const startMs = machineMs()
  await pause(HEALTHY_MS)
  const spanMs = machineMs() - startMs
  const after = await commandStats(rig)
  const quiet = await resultsOf(rig)
  await makeFault(rig)
  const faulty = await resultsOf(rig)
  const calls = sum(quiet, one => one.calls)
  // Each process may have sent as many heartbeats as fit into the time, and one more.
  const heartbeats = rig.scenario.kind === 'ours' ? rig.scenario.processes * Math.ceil(spanMs / HEARTBEAT_MS) : 0
  const commands = Math.max(0, after.calls - before.calls - heartbeats)
  const both = [...quiet, ...faulty]
  return {
    commandsPerClosedCall: Number((commands / calls).toFixed(3)),
    flushUs: Number(after.usPerScript.toFixed(1)),
    callP99Us: p99(rig.scenario.fault === 'none' ? quiet : faulty),
    foreignErrors: sum(both, one => one.foreignErrors),
    falseOpens: sum(both, one => one.opens.length),
  }
}

async function makeFault({ scenario, server }: Rig): Promise<void> {
  switch (scenario.fault) {
    case 'none':
      return
    case 'kill':
      await server.kill()
      await pause(FAULT_MS)
      await server.restart()
      break
    case 'stop':
      server.pause()
      await pause(FAULT_MS)
      server.resume()
      break
    case 'flushall': {
      const redis = server.client()
      await redis.connect().catch(() => undefined)
      await pause(100)
      await redis.flushall()
      redis.disconnect()
    }
  }
  // So that every process has come back before the outage begins.
  await pause(6_500)
}

type Broken = Pick<
  Round,
  | 'firstOpenMs'
  | 'allOpenMs'
  | 'spreadMs'
  | 'leakedCalls'
  | 'falseOpens'
  | 'probes'
  | 'maxConcurrentProbes'
  | 'closedAfterMs'
  | 'foreignErrors'
>

async function breakDown(rig: Rig): Promise<Broken> {
  const { scenario, dependency } = rig
  await dependency.ask('mode', scenario.outage)
  if (scenario.outage !== 'total') return watchLesserOutage(rig)
  const ours = scenario.kind === 'ours'
  // Ours is judged before the first cool-off ends; the peers get the time that they need.
  await pause(ours ? OUTAGE_MS : PEER_OUTAGE_MS)
  const judgement = await dependency.ask('judge')
  const during = await resultsOf(rig)
  const t0 = judgement.firstFailureMs ?? 0
  const firsts = during.flatMap(one => one.opens.slice(0, 1).map(open => open.atMs))
  const fleets = during.flatMap(one =>
    one.opens
      .filter(open => open.fleet)
      .slice(0, 1)
      .map(open => open.atMs),
  )
  await dependency.ask('mode', 'ok')
  const healedMs = machineMs()
  const closed = ours ? await awaitClosed(rig) : { atMs: null, foreignErrors: 0 }
  const healed = await dependency.ask('judge')
  return {
    firstOpenMs: firsts.length === 0 ? null : Math.round(Math.min(...firsts) - t0),
    allOpenMs:
      ours && judgement.lastOrdinaryMs !== null ? Math.round(judgement.lastOrdinaryMs - t0) : lastOpen(firsts, t0, rig),
    spreadMs: fleets.length === 0 ? null : Math.round(Math.max(...fleets) - Math.min(...fleets)),
    leakedCalls: judgement.ordinary,
    falseOpens: 0,
    probes: healed.probes,
    maxConcurrentProbes: Math.max(healed.mostProbesAtOnce, judgement.mostProbesAtOnce),
    closedAfterMs: closed.atMs === null ? null : Math.round(closed.atMs - healedMs),
    foreignErrors: sum(during, one => one.foreignErrors) + closed.foreignErrors,
  }
}

/** Breakers that send their own probes as ordinary calls are judged by their own word. */
function lastOpen(firsts: readonly number[], t0: number, { scenario }: Rig): number | null {
  return firsts.length < scenario.processes ? null : Math.round(Math.max(...firsts) - t0)
}

async function awaitClosed(rig: Rig): Promise<{ atMs: number | null; foreignErrors: number }> {
  const endMs = machineMs() + RECOVERY_MS
  const closed = new Map<number, number>()
  let foreignErrors = 0
  while (machineMs() < endMs && closed.size < rig.scenario.processes) {
    await pause(100)
    for (const [worker, result] of (await resultsOf(rig)).entries()) {
      foreignErrors += result.foreignErrors
      if (result.closedMs !== null && !closed.has(worker)) closed.set(worker, result.closedMs)
    }
  }
  return { atMs: closed.size < rig.scenario.processes ? null : Math.max(...closed.values()), foreignErrors }
}

/** Three in ten calls fail, or one process alone fails: the fleet has to stay closed. */
async function watchLesserOutage(rig: Rig): Promise<Broken> {
  await pause(WATCH_MS)
  const results = await resultsOf(rig)
  const judgement = await rig.dependency.ask('judge')
  const falseOpens = sum(results, (one, worker) =>
    rig.scenario.outage === 'bad-node' && worker === 0 ? one.opens.filter(open => open.fleet).length : one.opens.length,
  )
  return {
    firstOpenMs: null,
    allOpenMs: null,
    spreadMs: null,
    leakedCalls: judgement.ordinary,
    falseOpens,
    probes: judgement.probes,
    maxConcurrentProbes: judgement.mostProbesAtOnce,
    closedAfterMs: null,
    foreignErrors: sum(results, one => one.foreignErrors),
  }
}

function sum(results: readonly WorkerResults[], pick: (one: WorkerResults, worker: number) => number): number {
  return results.reduce((total, one, worker) => total + pick(one, worker), 0)
}

function p99(results: readonly WorkerResults[]): number {
  const all = Float64Array.from(results.flatMap(one => one.latenciesUs)).sort()
  return Math.round(percentile(all, 0.99))
}

/** Commands that clients sent; those that scripts call count inside their script. */
async function commandStats({ server, scenario }: Rig): Promise<{ calls: number; usPerScript: number }> {
  const redis = server.client()
  await new Promise(resolve => redis.once('ready', resolve))
  const stats = await redis.info('commandstats')
  redis.disconnect()
  const sent = new Set(
    scenario.kind === 'sorted set' ? ['get', 'set', 'zadd', 'zremrangebyscore', 'zrange', 'del'] : ['evalsha', 'eval'],
  )
  let calls = 0
  let usPerScript = 0
  for (const [, name = '', count = '0', us = '0'] of stats.matchAll(STATS_LINE)) {
    if (name === 'evalsha') usPerScript = Number(us)
    if (sent.has(name)) calls += Number(count)
  }
  return { calls, usPerScript }
}

const STATS_LINE = /cmdstat_([a-z|]+):calls=(\d+),usec=\d+,usec_per_call=([\d.]+)/g

const numbers = (rounds: readonly Round[], pick: (round: Round) => number | null): number[] =>
  rounds.map(round => pick(round) ?? Number.NaN)

function rowOf({ scenario, rounds }: { scenario: Scenario; rounds: Round[] }): Row {
  return {
    name: `${titleOf(scenario)}: all open ${median(numbers(rounds, round => round.allOpenMs))} ms, leaked ${median(numbers(rounds, round => round.leakedCalls))}`,
    calls: rounds.length,
    p50Us: null,
    p99Us: median(numbers(rounds, round => round.callP99Us)),
    callsPerSecond: null,
  }
}

// Of a healthy loopback call; a hang would be attemptTimeoutMs.
const LATENCY_MS = 50

function gatesOf(done: readonly { scenario: Scenario; rounds: Round[] }[]): Gate[] {
  const calm = done.find(
    ({ scenario }) => scenario.kind === 'ours' && scenario.fault === 'none' && scenario.outage === 'total',
  )
  return done
    .filter(({ scenario }) => scenario.kind === 'ours')
    .flatMap(({ scenario, rounds }) => {
      const title = titleOf(scenario)
      const worst = (pick: (round: Round) => number | null): number =>
        Math.max(...numbers(rounds, round => pick(round) ?? Infinity))
      const gates = [
        atMost(
          `${title}: commands per closed call`,
          worst(round => round.commandsPerClosedCall),
          0,
        ),
        atMost(
          `${title}: opened without need`,
          worst(round => round.falseOpens),
          0,
        ),
        atMost(
          `${title}: errors that are not the service's`,
          worst(round => round.foreignErrors),
          0,
        ),
      ]
      if (scenario.outage === 'total') {
        gates.push(
          atMost(`${title}: all open, ms`, median(numbers(rounds, round => round.allOpenMs)), boundMs(scenario)),
          atMost(
            `${title}: probes at once`,
            worst(round => round.maxConcurrentProbes),
            1,
          ),
        )
      }
      const calmP99 = calm === undefined ? undefined : median(numbers(calm.rounds, round => round.callP99Us))
      if ((scenario.fault === 'kill' || scenario.fault === 'stop') && calmP99 !== undefined) {
        const p99s = median(numbers(rounds, round => round.callP99Us))
        gates.push(atMost(`${title}: p99 of a call / without the fault`, p99s / calmP99, 5))
      }
      return gates
    })
}

/** L + max(10/R, 0.9 s) + bucket + gap + report round + two round trips; 1.2 s + L from 15 calls a second on. */
function boundMs({ processes, rate }: Scenario): number {
  const perSecond = processes * rate
  return LATENCY_MS + (perSecond >= 15 ? 1_200 : Math.max(20_000 / perSecond, 5_000))
}
