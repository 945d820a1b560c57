import { createIdempotency } from '@safety/idempotency'
import type { Idempotency } from '@safety/idempotency'
import { connectRedis, whenReady } from '@safety/redis-core'
import { startRedis } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'

import { commandsAlone, countedRedis, idempotencyPeers } from './idempotency-peers.ts'
import type { Contender } from './idempotency-peers.ts'
import { atMost, conclude, fastRate, percentile } from './report.ts'
import type { BenchOptions, Gate, Row } from './report.ts'

const CALLS = 20_000
const QUICK_CALLS = 2_000
const IN_FLIGHT = 128
const ROUNDS = 10
const WARM_UP = 500
/**
 * A service has one guard: each contender calls this often before the next one does. In turns of one, where the others have
 * emptied the processor's caches since, a first call costs more, and more for whoever has more code: that is measured too,
 * and shown without a gate.
 */
const CALLS_PER_TURN = 100
/** 170 bytes as JSON. */
const RESULT = { orderId: 'a3f1c2', status: 'FILLED', price: '30120.55', quantity: '0.01200', note: 'x'.repeat(82) }

interface Samples {
  readonly first: Float64Array
  readonly replay: Float64Array
}

interface Measured {
  readonly contender: Contender
  readonly samples: Samples
  /** In turns of one. */
  readonly cold: Samples
  readonly perSecond: Rates
  readonly roundTrips: { readonly first: number; readonly replay: number }
  readonly commands: { readonly first: number; readonly replay: number }
  readonly bytes: number
}

/** What guarding a call costs: ours and the peers take turns on one server. */
export async function runIdempotencyBench(options: BenchOptions): Promise<number> {
  const calls = options.quick === true ? QUICK_CALLS : CALLS
  await using server = await startRedis()
  const redis = connectRedis(server.url) as Redis
  await whenReady(redis)
  const counted = countedRedis(redis)
  await using idem = createIdempotency({ redis, namespace: 'bench' })
  await using countedIdem = createIdempotency({ redis: counted.client, namespace: 'bench' })
  const everyone = async (over: Idempotency, client: Redis): Promise<Contender[]> => [
    oursOver(over, redis),
    ...(await idempotencyPeers(client, RESULT)),
    ...commandsAlone(client, RESULT),
  ]
  const contenders = await everyone(idem, redis)
  const countedContenders = await everyone(countedIdem, counted.client)
  try {
    await measureLatency(contenders, { run: 'warm', calls: WARM_UP, perTurn: CALLS_PER_TURN })
    const samples = await measureLatency(contenders, { run: 'turns', calls, perTurn: CALLS_PER_TURN })
    const cold = await measureLatency(contenders, { run: 'cold', calls, perTurn: 1 })
    await measureThroughput(contenders, { run: 'crowd-warm', calls: WARM_UP * ROUNDS })
    const rates = await measureThroughput(contenders, { run: 'crowd', calls })
    const measured: Measured[] = []
    for (const [at, contender] of contenders.entries()) {
      const commands = await countCommands(redis, counted, countedContenders[at] as Contender)
      const bytes = await bytesOf(redis, contender)
      const latency = { samples: samples[at] as Samples, cold: cold[at] as Samples }
      measured.push({ contender, ...latency, perSecond: rates[at] as Rates, ...commands, bytes })
    }
    return await report(measured, calls, server.version, options)
  } finally {
    redis.disconnect()
  }
}

function oursOver(idem: Idempotency, redis: Redis): Contender {
  const effect = idem.define({
    name: 'order',
    key: (key: string) => key,
    recovery: { mode: 'manual' },
    run: () => RESULT,
  })
  return {
    name: 'ours',
    call: async key => {
      await effect(key)
    },
    recordOf: async key => (await redis.keys(`bench:*:order:${key}`))[0],
  }
}

async function measureLatency(
  contenders: readonly Contender[],
  { run, calls, perTurn }: { run: string; calls: number; perTurn: number },
): Promise<Samples[]> {
  const all = contenders.map(() => ({ first: new Float64Array(calls), replay: new Float64Array(calls) }))
  for (let from = 0; from < calls; from += perTurn) {
    for (let turn = 0; turn < contenders.length; turn += 1) {
      // Whoever goes first warms caches for the next: the order moves on with every round.
      const at = (turn + from / perTurn) % contenders.length
      const { call: once } = contenders[at] as Contender
      const { first, replay } = all[at] as Samples
      for (let call = from; call < Math.min(from + perTurn, calls); call += 1) {
        const key = `${run}-${call}`
        const startedMs = performance.now()
        await once(key)
        const betweenMs = performance.now()
        await once(key)
        first[call] = (betweenMs - startedMs) * 1000
        replay[call] = (performance.now() - betweenMs) * 1000
      }
    }
  }
  for (const { first, replay } of all) {
    first.sort()
    replay.sort()
  }
  return all
}

interface Rates {
  readonly first: number
  readonly replay: number
}

/** Calls per second with `IN_FLIGHT` at once, in rounds of one contender and then the next. */
async function measureThroughput(
  contenders: readonly Contender[],
  { run, calls }: { run: string; calls: number },
): Promise<Rates[]> {
  const all = contenders.map(() => ({ first: [] as number[], replay: [] as number[] }))
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [at, { call }] of contenders.entries()) {
      const once = (index: number): Promise<void> => call(`${run}-${round}-${index}`)
      all[at]?.first.push(await rate(once, Math.ceil(calls / ROUNDS)))
      all[at]?.replay.push(await rate(once, Math.ceil(calls / ROUNDS)))
    }
  }
  return all.map(({ first, replay }) => ({ first: fastRate(first), replay: fastRate(replay) }))
}

async function rate(once: (index: number) => Promise<void>, calls: number): Promise<number> {
  let next = 0
  const startedMs = performance.now()
  async function lane(): Promise<void> {
    while (next < calls) {
      next += 1
      await once(next)
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane))
  return (calls * 1000) / (performance.now() - startedMs)
}

async function countCommands(
  redis: Redis,
  counted: { sent(): number },
  { call }: Contender,
): Promise<Pick<Measured, 'roundTrips' | 'commands'>> {
  const one = async (): Promise<{ sent: number; ran: number }> => {
    const [sentBefore, ranBefore] = [counted.sent(), await commandsRun(redis)]
    await call('count')
    // The question itself is one command.
    return { sent: counted.sent() - sentBefore, ran: (await commandsRun(redis)) - ranBefore - 1 }
  }
  const [first, replay] = [await one(), await one()]
  return {
    roundTrips: { first: first.sent, replay: replay.sent },
    commands: { first: first.ran, replay: replay.ran },
  }
}

async function commandsRun(redis: Redis): Promise<number> {
  const info = await redis.info('stats')
  return Number(/total_commands_processed:(\d+)/.exec(info)?.[1])
}

async function bytesOf(redis: Redis, { recordOf }: Contender): Promise<number> {
  const key = await recordOf('count')
  return key === undefined ? Number.NaN : Number(await redis.memory('USAGE', key))
}

async function report(
  measured: readonly Measured[],
  calls: number,
  redis: string,
  options: BenchOptions,
): Promise<number> {
  const rows: Row[] = measured.flatMap(({ contender, samples, perSecond }) => [
    rowOf(`${contender.name}, first`, calls, samples.first, perSecond.first),
    rowOf(`${contender.name}, replay`, calls, samples.replay, perSecond.replay),
  ])
  const coldRows: Row[] = measured.flatMap(({ contender, cold }) => [
    rowOf(`${contender.name}, first, in turns of one`, calls, cold.first),
    rowOf(`${contender.name}, replay, in turns of one`, calls, cold.replay),
  ])
  console.table(
    measured.map(({ contender, roundTrips, commands, bytes }) => ({
      guard: contender.name,
      'round trips, first': roundTrips.first,
      'round trips, replay': roundTrips.replay,
      'commands on the server, first': commands.first,
      'commands on the server, replay': commands.replay,
      'bytes per record': bytes,
    })),
  )
  const details = measured.map(({ contender, roundTrips, commands, bytes }) => ({
    name: contender.name,
    roundTrips,
    commands,
    bytes,
  }))
  const gates = gatesOf(measured)
  return await conclude(
    {
      bench: 'idempotency',
      redis,
      inFlight: IN_FLIGHT,
      callsPerTurn: CALLS_PER_TURN,
      rows: [...rows, ...coldRows],
      details,
      gates,
    },
    options,
  )
}

function gatesOf(measured: readonly Measured[]): Gate[] {
  const by = (name: string): Measured => measured.find(({ contender }) => contender.name === name) as Measured
  const [ours, seed, powertools] = [by('ours'), by('seed shape'), by('powertools')]
  const ratio = (kind: keyof Samples, other: Measured): number =>
    percentile(ours.samples[kind], 0.5) / percentile(other.samples[kind], 0.5)
  return [
    atMost('first, p50: ours / seed shape', ratio('first', seed), 0.9),
    atMost('first, p50: ours / powertools', ratio('first', powertools), 1.4),
    atMost('replay, p50: ours / seed shape', ratio('replay', seed), 0.9),
    atMost('replay, p50: ours / powertools', ratio('replay', powertools), 0.9),
    atMost('round trips, first', ours.roundTrips.first, 2),
    atMost('round trips, replay', ours.roundTrips.replay, 1),
    atMost('bytes per record', ours.bytes, 450),
  ]
}

function rowOf(name: string, calls: number, sorted: Float64Array, perSecond: number | null = null): Row {
  return {
    name,
    calls,
    p50Us: Math.round(percentile(sorted, 0.5)),
    p99Us: Math.round(percentile(sorted, 0.99)),
    callsPerSecond: perSecond === null ? null : Math.round(perSecond),
  }
}
