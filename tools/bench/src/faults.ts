import { writeFile } from 'node:fs/promises'

import { connectRedis, systemClock, whenReady } from '@safety/redis-core'
import { startRedis } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'

import { guardRows, LEASE_MS, SETTLE_MS } from './faults-guards.ts'
import type { GuardedCall, GuardRow, Told } from './faults-guards.ts'
import { createRandom, planOf } from './faults-plan.ts'
import type { Fault } from './faults-plan.ts'
import { createProcess, withLostReplies } from './faults-process.ts'
import type { WorkerProcess } from './faults-process.ts'
import { atLeast, atMost } from './report.ts'
import type { BenchOptions } from './report.ts'

const TRIES = 40
const LOST_REPLIES = 0.05
const AT_ONCE = 50
const UNAVAILABLE = 2

interface RowResult {
  readonly name: string
  /** Keys whose effect took place more than once. */
  readonly twice: number
  /** Keys whose callers never got the result. */
  readonly never: number
  /** Keys a caller was told are done, without a result. */
  readonly asFinal: number
  /** How often an effect took place. */
  readonly executions: number
}

/**
 * Every guard under the same drawn faults: processes that die or freeze around the effect, unclear and clean errors, lost
 * replies, callers that give up and come again. What took place is read from a ledger that only the effect writes.
 */
export async function runFaultsBench(options: BenchOptions): Promise<number> {
  const seeds = numbers(options.seeds ?? (options.quick === true ? '1' : '1,2,3'))
  const [keys] = numbers(options.keys ?? (options.quick === true ? '100' : '300'))
  if (seeds === undefined || seeds.length === 0 || keys === undefined) {
    console.error('--seeds is a list of whole numbers such as 1,2,3, and --keys one of them')
    return UNAVAILABLE
  }
  let server: Awaited<ReturnType<typeof startRedis>>
  try {
    server = await startRedis()
  } catch (error) {
    console.error(`no Redis to measure on: ${(error as Error).message}`)
    return UNAVAILABLE
  }
  await using _stopped = server
  const redis = connectRedis(server.url) as Redis
  await whenReady(redis)
  const rows: RowResult[] = []
  try {
    for (const row of guardRows) rows.push(await measure(redis, row, seeds, keys))
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error
    console.error(`a peer is not installed: ${(error as Error).message}`)
    return UNAVAILABLE
  } finally {
    redis.disconnect()
  }
  return await report(rows, { seeds, keys }, options)
}

function numbers(text: string): number[] {
  const parts = text.split(',').map(part => part.trim())
  return parts.every(part => /^[1-9]\d{0,8}$/.test(part)) ? parts.map(Number) : []
}

async function measure(redis: Redis, row: GuardRow, seeds: readonly number[], keys: number): Promise<RowResult> {
  let [twice, never, asFinal, executions] = [0, 0, 0, 0]
  for (const seed of seeds) {
    const ledger = createLedger(row.dedupes === true)
    const lossy = withLostReplies(redis, LOST_REPLIES, createRandom(seed))
    const namespace = `bench-${row.name}-${seed}`
    const call = await row.create(lossy, namespace, ledger)
    const ends = await inTurn(keys, AT_ONCE, index => pursue(call, ledger, seed, index))
    for (const { key, told } of ends) {
      const took = ledger.count(key)
      executions += took
      if (took > 1) twice += 1
      if (told?.result === undefined) never += 1
      if (told !== undefined && told.result === undefined) asFinal += 1
    }
  }
  console.log(`${row.name}: ${twice} twice, ${never} never`)
  return { name: row.name, twice, never, asFinal, executions }
}

interface EffectLedger {
  find(effectId: string): string | undefined
  count(key: string): number
  take(key: string, effectId: string): string
}

function createLedger(dedupes: boolean): EffectLedger {
  const counts = new Map<string, number>()
  const taken = new Map<string, string>()
  return {
    find: effectId => taken.get(effectId),
    count: key => counts.get(key) ?? 0,
    take(key, effectId) {
      const seen = taken.get(effectId)
      if (dedupes && seen !== undefined) return seen
      const value = seen ?? `receipt of ${key}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
      taken.set(effectId, value)
      return value
    },
  }
}

/** One intent: its caller tries, gives up after 0.7 to 1.7 leases, and tries again in another process. */
async function pursue(
  call: GuardedCall,
  ledger: EffectLedger,
  seed: number,
  index: number,
): Promise<{ key: string; told: Told | undefined }> {
  const key = `k${index}`
  const faults = planOf(seed, index)
  const random = createRandom(seed * 7_919 + index)
  let runs = 0
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const worker = createProcess()
    const trying = call(worker, key, effectId => {
      const fault = faults[runs] ?? { kind: 'none' }
      runs += 1
      return runUnder(fault, worker, () => ledger.take(key, effectId))
    }).catch(() => undefined)
    const patience = systemClock.sleep((0.7 + random()) * LEASE_MS).then(() => undefined)
    const told = await Promise.race([trying.then(end => end ?? patience), patience])
    if (told !== undefined) return { key, told: await settled(told) }
  }
  return { key, told: undefined }
}

/** A zombie may still send: what it does counts. */
async function settled(told: Told): Promise<Told> {
  await systemClock.sleep(4 * LEASE_MS)
  return told
}

async function runUnder(fault: Fault, worker: WorkerProcess, take: () => string): Promise<string> {
  switch (fault.kind) {
    case 'clean-before':
      throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
    case 'die-before':
      return await worker.die()
    case 'die-after':
      take()
      return await worker.die()
    case 'unclear-after':
      take()
      throw Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })
    case 'freeze-before':
      await worker.freeze(fault.leases * LEASE_MS)
      return take()
    case 'freeze-after': {
      const value = take()
      await worker.freeze(fault.leases * LEASE_MS)
      return value
    }
    case 'none':
      break
  }
  return take()
}

/** Runs `count` pieces of work, a bounded number at a time. */
async function inTurn<R>(count: number, atOnce: number, work: (index: number) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let next = 0
  await Promise.all(
    Array.from({ length: Math.min(atOnce, count) }, async () => {
      while (next < count) {
        const index = next
        next += 1
        results.push(await work(index))
      }
    }),
  )
  return results
}

async function report(
  rows: readonly RowResult[],
  { seeds, keys }: { seeds: readonly number[]; keys: number },
  { json }: BenchOptions,
): Promise<number> {
  const of = (name: string): RowResult | undefined => rows.find(row => row.name === name)
  const reconcile = of('ours-reconcile')
  const harm = (name: string): number => (of(name)?.twice ?? 0) + (of(name)?.never ?? 0)
  const gates = [
    atMost('ours-reconcile: executed twice', reconcile?.twice ?? Number.NaN, 0),
    atMost('ours-reconcile: never finished', reconcile?.never ?? Number.NaN, 0),
    ...['seed-lease-ttl', 'seed-72h'].map(name => atLeast(`${name}: the faults show`, harm(name), 1)),
  ]
  const what = new Map(guardRows.map(row => [row.name, row.what]))
  console.log(`\nfaults: ${keys * seeds.length} keys, seeds ${seeds.join(', ')}, lease ${LEASE_MS} ms`)
  console.table(
    rows.map(row => ({
      guard: row.name,
      'executed twice': row.twice,
      'never finished': row.never,
      'told done, no result': row.asFinal,
      executions: row.executions,
      what: what.get(row.name) ?? '',
    })),
  )
  console.log(
    'The seed rows are rebuilt from a description. Only ours-no-settle and ours-reconcile look the effect up.',
  )
  console.table(gates.map(gate => ({ gate: gate.name, value: gate.value, limit: gate.limit, pass: gate.pass })))
  if (json !== undefined) {
    const settings = { seeds, keys, leaseMs: LEASE_MS, settleMs: SETTLE_MS }
    await writeFile(
      json,
      `${JSON.stringify({ schemaVersion: 1, bench: 'faults', ...settings, gates, rows }, null, 2)}\n`,
    )
  }
  return gates.every(gate => gate.pass) ? 0 : 1
}
