import { defineScript, failpoint, runScript, whenReady } from '@safety/redis-core'
import type { FailpointName, RedisClient } from '@safety/redis-core'
import { startRedis } from '@safety/redis-core/testing'

import { atLeast, atMost, conclude, fastRate, median, percentile } from './report.ts'
import type { BenchOptions, Row } from './report.ts'

const CALLS = 20_000
const QUICK_CALLS = 2_000
const IN_FLIGHT = 128
/** Calls at once are over in no time: as many as one at a time would measure the moment. */
const THROUGHPUT_FACTOR = 8
const ROUNDS = 20
const FAILPOINT_CALLS = 20_000_000
const FAILPOINT_ROUNDS = 7

const SCRIPT = defineScript({
  name: 'bench.take',
  keys: ['record'],
  args: { token: 'text', leaseMs: 'integer' },
  reply: reply => ({ tag: reply.text(), count: reply.integer(), lease: reply.integer() }),
  lua: `local count = redis.call('INCR', record)
redis.call('PEXPIRE', record, leaseMs)
return { token, count, leaseMs }`,
})
const TOKEN = 'AAAAAAAAAAAAAAAA'
const LEASE_MS = 30_000

type Once = () => Promise<unknown>

/**
 * What `runScript` costs over a bare `redis.evalsha` on the same client, the two taking turns in one run, and what a
 * failpoint costs while off.
 */
export async function runRedisCoreBench(options: BenchOptions): Promise<number> {
  const calls = options.quick === true ? QUICK_CALLS : CALLS
  await using server = await startRedis()
  const redis = server.client()
  try {
    await whenReady(redis)
    const ours: Once = () =>
      runScript(redis, SCRIPT, { keys: { record: 'bench:record' }, args: { token: TOKEN, leaseMs: LEASE_MS } })
    await ours() // loads the script
    const bare = bareCall(redis)
    await measureLatency([bare, ours], Math.min(calls, QUICK_CALLS)) // warms up both
    const [bareLatency, oursLatency] = await measureLatency([bare, ours], calls)
    await measureThroughput([bare, ours], Math.min(calls, QUICK_CALLS))
    const rates = await measureThroughput([bare, ours], calls * THROUGHPUT_FACTOR)
    const off = measureFailpoint(options.quick === true)
    const rows = [
      { ...row('redis.evalsha', calls, bareLatency), callsPerSecond: Math.round(rates[0]) },
      { ...row('runScript', calls, oursLatency), callsPerSecond: Math.round(rates[1]) },
    ]
    const gates = [
      atMost('runScript p50 / redis.evalsha p50', p50(oursLatency) / p50(bareLatency), 1.15),
      atLeast(`runScript calls/s / redis.evalsha calls/s, ${IN_FLIGHT} in flight`, rates[1] / rates[0], 0.85),
      atMost('failpoint off, ns', off, 5),
    ]
    return await conclude({ bench: 'redis-core', redis: server.version, rows, gates }, options)
  } finally {
    redis.disconnect()
  }
}

function bareCall(redis: RedisClient): Once {
  return () => redis.evalsha(SCRIPT.sha1, 1, 'bench:record', TOKEN, LEASE_MS)
}

type Pair<T> = readonly [T, T]

/** Microseconds of each call, one at a time, the two taking turns; which goes first alternates. */
async function measureLatency(pair: Pair<Once>, calls: number): Promise<Pair<Float64Array>> {
  const samples: Pair<Float64Array> = [new Float64Array(calls), new Float64Array(calls)]
  for (let index = 0; index < calls; index++) {
    const first = (index % 2) as 0 | 1
    for (const which of [first, (1 - first) as 0 | 1]) {
      const start = process.hrtime.bigint()
      await pair[which]()
      samples[which][index] = Number(process.hrtime.bigint() - start) / 1000
    }
  }
  return [samples[0].sort(), samples[1].sort()]
}

/**
 * Calls per second with `IN_FLIGHT` at once, in rounds of one and then the other; which goes first alternates.
 */
async function measureThroughput(pair: Pair<Once>, calls: number): Promise<Pair<number>> {
  const rates: Pair<number[]> = [[], []]
  for (let round = 0; round < ROUNDS * 2; round++) {
    const which = ((round + Math.floor(round / 2)) % 2) as 0 | 1
    rates[which].push(await rate(pair[which], Math.ceil(calls / ROUNDS)))
  }
  return [fastRate(rates[0]), fastRate(rates[1])]
}

async function rate(once: Once, calls: number): Promise<number> {
  let left = calls
  const start = performance.now()
  async function lane(): Promise<void> {
    while (left-- > 0) await once()
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane))
  return (calls * 1000) / (performance.now() - start)
}

/** Nanoseconds per failpoint while nothing is armed: median of rounds. */
function measureFailpoint(quick: boolean): number {
  const name = 'bench:off' as FailpointName
  const calls = quick ? FAILPOINT_CALLS / 10 : FAILPOINT_CALLS
  const rounds: number[] = []
  let stopped = 0
  for (let round = 0; round < FAILPOINT_ROUNDS; round++) {
    const start = process.hrtime.bigint()
    for (let index = 0; index < calls; index++) {
      if (failpoint(name)) stopped += 1
    }
    rounds.push(Number(process.hrtime.bigint() - start) / calls)
  }
  if (stopped > 0) throw new Error('a failpoint is armed; nothing was measured')
  return median(rounds)
}

function row(name: string, calls: number, latency: Float64Array): Row {
  return {
    name,
    calls,
    p50Us: Math.round(p50(latency)),
    p99Us: Math.round(percentile(latency, 0.99)),
    callsPerSecond: null,
  }
}

function p50(latency: Float64Array): number {
  return percentile(latency, 0.5)
}
