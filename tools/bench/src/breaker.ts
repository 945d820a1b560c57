import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

import type { BreakerOptions } from '@safety/breaker'

import { runControls } from './breaker-controls.ts'
import {
  cockatielConsecutive,
  cockatielSampling,
  many,
  opossumDefaults,
  opossumStripped,
  ours,
  raw,
} from './breaker-peers.ts'
import type { Contender } from './breaker-peers.ts'
import { atMost, conclude, median } from './report.ts'
import type { BenchOptions, Gate, Row } from './report.ts'

const ROUNDS = 9
const WARM_UP_ROUNDS = 2
const AT_ONCE = 64
const SLICES = 10

interface Sizes {
  readonly calls: number
  readonly rejections: number
  readonly filled: number
  readonly failures: number
  readonly breakers: number
}

const FULL: Sizes = { calls: 20_000, rejections: 10_000, filled: 100_000, failures: 30, breakers: 10_000 }
const QUICK: Sizes = { calls: 1_000, rejections: 500, filled: 5_000, failures: 5, breakers: 500 }

const success = async (): Promise<string> => 'ok'
const error = new Error('down')
const failure = async (): Promise<never> => {
  throw error
}
const ignore = (): undefined => undefined

/**
 * What a breaker adds to a call, beside opossum and cockatiel, the contenders taking turns within one process. All gates
 * are ratios of one run: the absolute figures belong to the machine.
 */
export async function runBreakerBench(options: BenchOptions): Promise<number> {
  const sizes = options.quick === true ? QUICK : FULL
  const closed = await closedSuccess(sizes)
  const rejected = await rejections(sizes)
  const failed = await failuresInFullWindow(sizes)
  const held = holdings(sizes)
  const controls = await runControls()
  console.table(controls)
  const own = controls.filter(({ contender, good }) => contender === 'ours' && !good)
  const gates = [
    ...closed.gates,
    ...rejected.gates,
    ...failed.gates,
    ...held.gates,
    atMost('controls that ours fails', own.length, 0),
  ]
  const rows = [...closed.rows, ...rejected.rows, ...failed.rows]
  return conclude({ bench: 'breaker', rows, gates, holdings: held.detail, spread: closed.spread, controls }, options)
}

type Times = ReadonlyMap<string, readonly number[]>

/** Nanoseconds per call of each contender in each round. Who goes first changes from round to round. */
async function compete(
  contenders: readonly Contender[],
  measure: (contender: Contender) => Promise<number>,
): Promise<Times> {
  const times = new Map(contenders.map(({ name }) => [name, [] as number[]]))
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round += 1) {
    for (let turn = 0; turn < contenders.length; turn += 1) {
      const contender = contenders[(turn + round + contenders.length * 2) % contenders.length] as Contender
      const ns = await measure(contender)
      if (round >= 0) times.get(contender.name)?.push(ns)
    }
  }
  return times
}

/** The fastest of the slices stands for a round: what the machine did to the others is not the breaker's. */
async function fastest(calls: number, slice: (calls: number) => Promise<number>): Promise<number> {
  let best = Infinity
  for (let n = 0; n < SLICES; n += 1) best = Math.min(best, await slice(Math.ceil(calls / SLICES)))
  return best
}

async function oneByOne({ run }: Contender, calls: number): Promise<number> {
  const start = process.hrtime.bigint()
  for (let n = 0; n < calls; n += 1) await run(success)
  return Number(process.hrtime.bigint() - start) / calls
}

async function manyAtOnce({ run }: Contender, calls: number): Promise<number> {
  const start = process.hrtime.bigint()
  for (let n = 0; n < calls; n += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, () => run(success)))
  return Number(process.hrtime.bigint() - start) / (Math.ceil(calls / AT_ONCE) * AT_ONCE)
}

async function rejected({ run, name }: Contender, calls: number): Promise<number> {
  let ran = 0
  const start = process.hrtime.bigint()
  for (let n = 0; n < calls; n += 1) {
    try {
      await run(success)
      ran += 1
    } catch {
      // A rejection is what is measured.
    }
  }
  const ns = Number(process.hrtime.bigint() - start) / calls
  if (ran > 0) throw new Error(`${ran} of ${calls} calls ran through an open breaker: ${name}`)
  return ns
}

/** The ratio of each round, then their median: what disturbs a round disturbs both. */
function ratio(times: Times, one: string, other: string): number {
  const [a, b] = [times.get(one) ?? [], times.get(other) ?? []]
  return median(a.map((ns, round) => ns / (b[round] ?? Number.NaN)))
}

function rowsOf(times: Times, how: string, calls: number): Row[] {
  return [...times].map(([name, ns]) => ({
    name: `${name}, ${how}`,
    calls: calls * ROUNDS,
    p50Us: Number((median(ns) / 1_000).toFixed(3)),
    p99Us: null,
    callsPerSecond: Math.round(1e9 / median(ns)),
  }))
}

interface Part {
  readonly rows: Row[]
  readonly gates: Gate[]
}

async function closedSuccess({ calls }: Sizes): Promise<Part & { readonly spread: Record<string, string> }> {
  const listening = ours('ours, with listeners', { onEvent: ignore })
  subscribe('safety:breaker', ignore)
  const contenders = [
    raw,
    ours('ours'),
    ours('ours, slowCall', { slowCall: { thresholdMs: 1_000 } }),
    listening,
    opossumDefaults(),
    opossumStripped(),
    cockatielSampling(),
    cockatielConsecutive(),
  ]
  const single = await compete(contenders, contender => fastest(calls, slice => oneByOne(contender, slice)))
  const parallel = await compete(contenders, contender => fastest(calls, slice => manyAtOnce(contender, slice)))
  for (const contender of contenders) contender.end()
  unsubscribe('safety:breaker', ignore)
  const gates = [
    atMost('closed: ours / opossum', ratio(single, 'ours', 'opossum, defaults'), 0.35),
    atMost('closed: ours / opossum stripped', ratio(single, 'ours', 'opossum, stripped'), 0.6),
    atMost('closed: ours / cockatiel sampling', ratio(single, 'ours', 'cockatiel, sampling'), 1),
    atMost('closed, slowCall: ours / cockatiel sampling', ratio(single, 'ours, slowCall', 'cockatiel, sampling'), 1.15),
    atMost('closed, 64 at once: ours / opossum', ratio(parallel, 'ours', 'opossum, defaults'), 0.5),
    atMost('closed, 64 at once: ours / cockatiel sampling', ratio(parallel, 'ours', 'cockatiel, sampling'), 1),
    atMost('closed: ours with listeners / without', ratio(single, 'ours, with listeners', 'ours'), 1.15),
  ]
  const spread = Object.fromEntries([...single].map(([name, ns]) => [name, spreadOf(ns)]))
  return { rows: [...rowsOf(single, 'one by one', calls), ...rowsOf(parallel, '64 at once', calls)], gates, spread }
}

function spreadOf(ns: readonly number[]): string {
  return `${Math.round(Math.min(...ns))}..${Math.round(Math.max(...ns))} ns`
}

async function rejections({ rejections: calls }: Sizes): Promise<Part> {
  const contenders = [
    ours('ours', { coolOff: { baseMs: 3_600_000, maxMs: 3_600_000 } }),
    opossumDefaults({ resetTimeout: 3_600_000 }),
    cockatielSampling(3_600_000),
  ]
  for (const { run } of contenders) for (let n = 0; n < 1_000; n += 1) await run(failure).catch(ignore)
  const times = await compete(contenders, contender => fastest(calls, slice => rejected(contender, slice)))
  for (const contender of contenders) contender.end()
  const better = Math.max(ratio(times, 'ours', 'opossum, defaults'), ratio(times, 'ours', 'cockatiel, sampling'))
  return { rows: rowsOf(times, 'rejected', calls), gates: [atMost('rejected: ours / the better peer', better, 0.4)] }
}

/** One failed call while the window is full of others. Neither ever opens: what is measured is looking at the window. */
async function failuresInFullWindow({ filled, failures }: Sizes): Promise<Part> {
  const long: Partial<BreakerOptions> = { windows: { long: { lengthMs: 600_000 }, fast: false }, failureRatio: 1 }
  const full = ours(`ours, ${filled} calls in the window`, long)
  const small = ours('ours, 1000 calls in the window', long)
  const peer = opossumDefaults({ rollingCountTimeout: 600_000, timeout: false, errorThresholdPercentage: 100 })
  for (const [{ run }, calls] of [
    [full, filled],
    [small, 1_000],
    [peer, filled],
  ] as const) {
    for (let n = 0; n < calls; n += 1) await run(success)
  }
  const fail =
    (count: number) =>
    async ({ run }: Contender): Promise<number> => {
      const start = process.hrtime.bigint()
      for (let n = 0; n < count; n += 1) await run(failure).catch(ignore)
      return Number(process.hrtime.bigint() - start) / count
    }
  // Apart from the peer, whose garbage would be collected in our time.
  const own = await compete([full, small], fail(failures * 100))
  const both = await compete([full, peer], fail(failures))
  for (const contender of [full, small, peer]) contender.end()
  return {
    rows: [...rowsOf(own, 'failed call', failures * 100), ...rowsOf(both, 'failed call, in turn', failures)],
    gates: [
      atMost(`failed, ${filled} calls in the window: ours / opossum`, ratio(both, full.name, peer.name), 0.01),
      atMost(`failed: ours with ${filled} calls / with 1000`, ratio(own, full.name, small.name), 1.2),
    ],
  }
}

setFlagsFromString('--expose_gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Heap and timers of many breakers. */
function holdings({ breakers }: Sizes): { gates: Gate[]; detail: Record<string, number> } {
  const mine = hold('ours', breakers)
  const theirs = hold('opossum', breakers)
  return {
    gates: [
      atMost(`${breakers} breakers, heap: ours / opossum`, mine.heapBytes / theirs.heapBytes, 0.5),
      atMost(`${breakers} breakers, timers of ours`, mine.timers, 0),
    ],
    detail: {
      oursBytesEach: Math.round(mine.heapBytes / breakers),
      opossumBytesEach: Math.round(theirs.heapBytes / breakers),
      opossumTimers: theirs.timers,
    },
  }
}

function hold(kind: 'ours' | 'opossum', count: number): { heapBytes: number; timers: number } {
  collectGarbage()
  const timersBefore = timers()
  const { heapUsed, external } = process.memoryUsage()
  const held = many(kind, count)
  collectGarbage()
  const after = process.memoryUsage()
  const heapBytes = after.heapUsed + after.external - heapUsed - external
  const result = { heapBytes, timers: timers() - timersBefore }
  held.end()
  return result
}

function timers(): number {
  return process.getActiveResourcesInfo().filter(resource => resource === 'Timeout').length
}
