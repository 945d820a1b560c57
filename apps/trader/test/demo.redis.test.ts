import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { whenReady } from '@safety/redis-core'
import { startRedis, type RedisServer } from '@safety/redis-core/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { mutants, type Mutant } from '../src/config.ts'
import { requestFault } from '../src/demo/planned-faults.ts'
import { BAR_MS, expectedIntents, FIRST_HISTORY_END_MS, MARKET_BAR_MS, tradingWindow } from '../src/demo/setting.ts'
import { planStorm } from '../src/demo/storm.ts'
import { NAIVE_SPLIT } from '../src/demo/worker-init.ts'
import { startDemo, type DemoProcess, type DemoRun } from './demo-cli.ts'

// All whole runs are in this one file, so that they do not compete with each other for the processors.

const SEED = '5'
const kept = mkdtempSync(join(tmpdir(), 'demo-run-'))
let redis: RedisServer
let own: DemoRun
let found: DemoRun
let runIdBefore: string
let runIdAfter: string
let keysAfter: string[]

async function runId(server: RedisServer): Promise<string> {
  const client = server.client()
  await whenReady(client)
  const info = await client.info('server')
  client.disconnect()
  return /run_id:(\w+)/.exec(info)![1]!
}

type Line = Record<string, unknown>

function lines(...path: string[]): Line[] {
  return readFileSync(join(kept, ...path), 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as Line)
}

/** I1 and I3 of the effects checker, in their plainest form. */
function effects(folder: string, side: string): { twice: string[]; liars: Line[] } {
  const ledger = lines(folder, side, 'ledger.jsonl')
  const perKey = new Map<unknown, number>()
  for (const { key } of ledger) perKey.set(key, (perKey.get(key) ?? 0) + 1)
  const returned = lines(folder, side, 'history.jsonl').filter(
    line => line['type'] === 'return' && line['outcome'] === 'ran',
  )
  return {
    twice: [...perKey].filter(([, count]) => count > 1).map(([key]) => String(key)),
    liars: returned.filter(
      ({ key, value, tUs }) =>
        !ledger.some(
          effect => effect['key'] === key && effect['effect'] === value && Number(effect['tUs']) <= Number(tUs),
        ),
    ),
  }
}

/** The fault each intent met on its first attempt while the storm was on. */
function firstFaults(folder: string, account: string): Map<string, string> {
  const truth = lines(folder, 'truth.jsonl')
  const end = truth.find(line => line['type'] === 'market' && line['action'] === 'pause' && Number(line['seq']) > 100)
  const faults = new Map<string, string>()
  const requests = truth.filter(line => line['type'] === 'request' && line['account'] === account)
  for (const request of requests) {
    const id = request['clientOrderId']
    if (request['method'] !== 'POST' || typeof id !== 'string' || faults.has(id)) continue
    if (Number(request['seq']) > Number(end?.['seq'])) continue
    const refusedAtGate = truth.some(
      line =>
        line['type'] === 'answer' &&
        line['requestSeq'] === request['seq'] &&
        line['code'] === -1003 &&
        line['faultId'] === null,
    )
    if (refusedAtGate) continue
    const fault = truth.find(line => line['type'] === 'fault' && line['requestSeq'] === request['seq'])
    faults.set(id, fault === undefined ? 'none' : String(fault['faultId']))
  }
  return faults
}

// Two runs of one seed at the same time: one with a Redis of its own, one with a Redis that was there before.
describe('whole runs', () => {
  beforeAll(async () => {
    redis = await startRedis()
    const client = redis.client()
    await whenReady(client)
    await client.set('somebody:else', 'kept')
    runIdBefore = await runId(redis)
    const common = ['--seconds', '20', '--seed', SEED, '--json']
    ;[own, found] = await Promise.all([
      startDemo([...common, '--keep', join(kept, 'own'), '--report', join(kept, 'report.html')]).ended,
      startDemo([...common, '--keep', join(kept, 'found')], { redisUrl: redis.url }).ended,
    ])
    runIdAfter = await runId(redis)
    keysAfter = await client.keys('*')
    client.disconnect()
  }, 120_000)

  afterAll(async () => {
    await redis[Symbol.asyncDispose]()
    rmSync(kept, { recursive: true, force: true })
  })

  describe('a run of 20 s [claim 20]', () => {
    test('the guarded side has no duplicate, no loss and no drift, and the run exits 0', () => {
      const { exitCode, stderr } = own
      expect(stderr).toBe('')
      expect(own.document()).toMatchObject({
        schema: 'trader.demo/1',
        seed: Number(SEED),
        seconds: 20,
        redis: 'started',
        redisChecks: { profile: 'idempotency.standard', complete: true },
        verdict: 'pass',
        reasons: [],
        exitCode: 0,
        sides: {
          guarded: {
            expected: 48,
            duplicates: 0,
            orphans: 0,
            lost: 0,
            requestsDuringRetryAfter: 0,
            inDoubt: { open: 0 },
            kills: 2,
            redisOutages: 1,
          },
        },
      })
      expect(exitCode).toBe(0)
    })

    test('the naive side placed orders twice in the same storm', () => {
      const { naive } = own.document().sides
      expect(naive.duplicates).toBeGreaterThan(0)
      expect(naive).toMatchObject({ expected: 48, kills: 2, redisOutages: 0, inDoubt: null })
      expect(naive.series).toBeGreaterThan(0)
    })

    test('every intent of the guarded side is accepted, refused or in doubt, and doubts were met and resolved', () => {
      const { expected, accepted, refused, inDoubt } = own.document().sides.guarded
      expect(accepted + refused).toBe(expected)
      expect(inDoubt!.seen).toBeGreaterThan(0)
      expect(inDoubt!.resolved).toBe(inDoubt!.seen)
    })

    test('the document has exactly the fields of its schema', () => {
      const document = own.document()
      expect(Object.keys(document).sort()).toEqual(
        [
          'schema',
          'seed',
          'seconds',
          'redis',
          'redisChecks',
          'faults',
          'sides',
          'verdict',
          'reasons',
          'exitCode',
        ].sort(),
      )
      for (const side of Object.values(document.sides)) {
        expect(Object.keys(side).sort()).toEqual(
          [
            'expected',
            'accepted',
            'duplicates',
            'orphans',
            'lost',
            'refused',
            'drift',
            'requestsDuringRetryAfter',
            'inDoubt',
            'series',
            'kills',
            'redisOutages',
          ].sort(),
        )
        expect(Object.keys(side.drift)).toEqual(['BTC', 'ETH', 'BNB', 'USDT'])
      }
      expect(document.faults.planned).toBeGreaterThanOrEqual(20)
      expect(document.faults.fired).toBeGreaterThanOrEqual(20)
    })

    test('the report is written and names the verdict', () => {
      expect(readFileSync(join(kept, 'report.html'), 'utf8')).toContain('class="verdict pass"')
    })
  })

  describe('two runs of one seed [claim 21]', () => {
    test('both runs play equal bars and their sides place equal orders for equal intents', () => {
      const bars = (folder: string): unknown[] =>
        lines(folder, 'truth.jsonl')
          .filter(line => line['type'] === 'market' && line['action'] === 'bar')
          .map(line => `${String(line['symbol'])} ${String(line['detail'])}`)
          .sort()
          .slice(0, 48)
      expect(bars('own')).toEqual(bars('found'))
      const orders = (folder: string): Map<unknown, string> =>
        new Map(
          lines(folder, 'truth.jsonl')
            .filter(line => line['type'] === 'accepted')
            .map(line => [
              line['clientOrderId'],
              `${String(line['symbol'])} ${String(line['side'])} ${String(line['qty'])}`,
            ]),
        )
      const [a, b] = [orders('own'), orders('found')]
      const common = [...a.keys()].filter(id => b.has(id))
      expect(common.length).toBeGreaterThan(20)
      for (const id of common) expect(a.get(id)).toBe(b.get(id))
    })

    test('an intent meets the same fault on both sides of both runs', () => {
      const runs = ['own', 'found'].flatMap(folder => ['naive', 'guarded'].map(account => firstFaults(folder, account)))
      const [first, ...others] = runs
      let compared = 0
      for (const [id, fault] of first!) {
        for (const other of others) {
          if (!other.has(id)) continue
          expect(`${id} ${other.get(id)}`).toBe(`${id} ${fault}`)
          compared += 1
        }
      }
      expect(compared).toBeGreaterThan(20)
    })

    test('the plan of a seed foretells the fault of every first attempt', () => {
      const window = tradingWindow(20, FIRST_HISTORY_END_MS + MARKET_BAR_MS)
      const plan = planStorm({
        seed: Number(SEED),
        intents: expectedIntents(window),
        bars: window.bars,
        barMs: BAR_MS,
        accounts: ['naive', 'guarded'],
        split: NAIVE_SPLIT,
      })
      for (const folder of ['own', 'found']) {
        for (const account of ['naive', 'guarded']) {
          for (const [id, fault] of firstFaults(folder, account)) {
            expect(`${id} ${fault}`).toBe(`${id} ${requestFault(plan, id, Number(SEED))?.id ?? 'none'}`)
          }
        }
      }
    })

    test('a Redis that was found keeps its run id and its other keys, and no key of the run is left', () => {
      expect(found.exitCode).toBe(0)
      expect(found.document()).toMatchObject({ redis: 'found', sides: { guarded: { redisOutages: 0, kills: 2 } } })
      expect(runIdAfter).toBe(runIdBefore)
      expect(keysAfter).toEqual(['somebody:else'])
    })

    test('no process and no temporary file of a run is left', () => {
      for (const run of [own, found]) {
        expect(run.leftProcesses).toEqual([])
        expect(run.leftFiles).toEqual([])
      }
    })

    test('audit and history agree: the effects of the naive side are doubled, those of the guarded side are not', () => {
      for (const folder of ['own', 'found']) {
        const naive = effects(folder, 'naive')
        const guarded = effects(folder, 'guarded')
        expect(naive.twice.length).toBeGreaterThan(0)
        expect(guarded).toEqual({ twice: [], liars: [] })
      }
      expect(effects('own', 'naive').twice.length).toBeLessThanOrEqual(own.document().sides.naive.duplicates)
    })

    test('every accepted order of the guarded side is traced to the operation that sent it', () => {
      const ledger = lines('own', 'guarded', 'ledger.jsonl')
      const started = new Set(
        lines('own', 'guarded', 'history.jsonl')
          .filter(line => line['type'] === 'invoke')
          .map(line => line['op']),
      )
      expect(ledger.length).toBe(own.document().sides.guarded.accepted)
      for (const effect of ledger) expect(started.has(effect['op'])).toBe(true)
    })
  })
})

const runs = new Map<Mutant, DemoRun>()

describe('a guard that is broken on purpose is convicted by the books of the exchange [claim 20]', () => {
  beforeAll(async () => {
    await Promise.all(
      mutants.map(async mutant => {
        runs.set(mutant, await startDemo(['--seconds', '40', '--seed', '3', '--json', '--mutant', mutant]).ended)
      }),
    )
  }, 180_000)

  test.each(mutants)('%s exits 1 with a duplicate, a loss or a drift among the reasons', mutant => {
    const run = runs.get(mutant)!
    expect(run.stderr).toBe('')
    const document = run.document()
    expect(document.verdict).toBe('fail')
    expect(document.reasons.join('\n')).toMatch(/guarded: (\d+ duplicate|\d+ intents? lost|\w+ drifts)/)
    expect(run.exitCode).toBe(1)
    expect(run.leftProcesses).toEqual([])
    expect(run.leftFiles).toEqual([])
  })
})

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let look = 0; look < 600 && !(await condition()); look += 1)
    await new Promise(resolve => setTimeout(resolve, 50))
}

/** Resolves when `count` worker processes trade or are about to. */
function workers(demo: DemoProcess, count: number): Promise<void> {
  return until(() => demo.children().filter(command => /main\.ts worker|naive\/main\.ts/.test(command)).length >= count)
}

describe('Ctrl-C', () => {
  test.each<[string, (demo: DemoProcess) => Promise<void>]>([
    ['before anything is started', () => new Promise(resolve => setTimeout(resolve, 400))],
    ['while Redis and the exchange start', demo => until(() => demo.children().length > 0)],
    ['while the workers start', demo => workers(demo, 2)],
  ])('%s leaves no process and no file and exits 130', async (_, moment) => {
    const demo = startDemo(['--json'])
    await moment(demo)
    demo.child.kill('SIGINT')
    const run = await demo.ended
    expect(run.leftProcesses).toEqual([])
    expect(run.leftFiles).toEqual([])
    // Before its handlers are in place the signal itself ends the process, which a shell also shows as 130.
    expect(run.exitCode ?? run.signal).toSatisfy(end => end === 130 || end === 'SIGINT')
    expect(run.stdout).toBe('')
    expect(run.stderr).not.toMatch(/\n\s+at /)
  })

  test('in the middle of the storm leaves no key in a found Redis, no process and no file, and exits 130', async () => {
    const redis = await startRedis()
    const client = redis.client()
    await whenReady(client)
    try {
      const demo = startDemo(['--json'], { redisUrl: redis.url })
      await workers(demo, 4)
      await until(async () => (await client.dbsize()) > 20)
      demo.child.kill('SIGINT')
      const run = await demo.ended
      expect(run.exitCode).toBe(130)
      expect(run.stderr).toBe('demo: stopped by SIGINT\n')
      expect(await client.keys('*')).toEqual([])
      expect(run.leftProcesses).toEqual([])
      expect(run.leftFiles).toEqual([])
    } finally {
      client.disconnect()
      await redis[Symbol.asyncDispose]()
    }
  })

  test.runIf(process.platform === 'linux')('SIGKILL of the demo itself leaves no process behind', async () => {
    const demo = startDemo(['--json'])
    await workers(demo, 4)
    demo.child.kill('SIGKILL')
    const run = await demo.ended
    expect(run.signal).toBe('SIGKILL')
    expect(run.leftProcesses).toEqual([])
  })

  test('a found Redis that dies in the middle of the run ends it with exit code 3 and one line', async () => {
    const redis = await startRedis()
    const client = redis.client()
    await whenReady(client)
    const demo = startDemo(['--seconds', '20', '--json'], { redisUrl: redis.url })
    await until(async () => (await client.dbsize()) > 20)
    client.disconnect()
    await redis.kill()
    const run = await demo.ended
    await redis[Symbol.asyncDispose]()
    expect(run.exitCode).toBe(3)
    expect(run.stdout).toBe('')
    expect(run.stderr).toMatch(/^demo: .*Redis.*\n/)
    expect(run.stderr).not.toMatch(/\n\s+at /)
    expect(run.leftProcesses).toEqual([])
    expect(run.leftFiles).toEqual([])
  })
})
