import { whenReady } from '@safety/redis-core'
import { readBookFile, sumOfChanges, type BookEntry } from '../naive/book-file.ts'
import { readBook } from '../orders/book.ts'
import { DemoError, firstLine } from './demo-error.ts'
import type { DemoEvidence, SideEvidence } from './evidence.ts'
import type { Audit, Claims, TruthLine } from './exchange-control.ts'
import { faultsMet, intentsOfClosedBars, sideResult } from './figures.ts'
import type { OutageSpan } from './history.ts'
import { readJournal } from './guarded-journal.ts'
import { judge } from './judge.ts'
import type { DemoOptions } from './options.ts'
import { countPlannedFaults } from './planned-faults.ts'
import type { DemoDocument, SideName, SideResult } from './result.ts'
import type { Stage } from './stage.ts'
import type { ExpectedIntent } from './storm.ts'

interface SideClaims extends Pick<Claims, 'records' | 'ledger'> {
  readonly journal: readonly unknown[]
  readonly inDoubt: SideResult['inDoubt']
}

function naiveClaims(files: readonly string[]): SideClaims {
  const entries = files.flatMap((file): BookEntry[] => readBookFile(file))
  const records = Object.fromEntries(
    entries.map((entry): [string, Claims['records'][string]] => [
      entry.id,
      entry.status === 'ordered'
        ? { believes: 'ordered', reason: `order ${entry.orderId}` }
        : { believes: 'refused', reason: entry.reason },
    ]),
  )
  return { records, ledger: sumOfChanges(entries), journal: entries, inDoubt: null }
}

async function guardedClaims(stage: Stage): Promise<SideClaims> {
  const redis = stage.redis.connect()
  redis.on('error', () => {})
  try {
    await whenReady(redis, { timeoutMs: 5000 })
    const book = await readBook(redis, stage.book)
    const journal = await readJournal(redis, stage.book)
    return { records: book.records, ledger: book.ledger, journal, inDoubt: book.inDoubt }
  } catch (error) {
    throw new DemoError(`the book of the guarded side cannot be read from Redis: ${firstLine(error)}`, 3, {
      cause: error,
    })
  } finally {
    redis.disconnect()
  }
}

/** The exchange's own books must add up, or its judgement is worth nothing. */
function unsoundBooks(audits: Readonly<Record<SideName, Audit>>): string[] {
  return (['naive', 'guarded'] as const)
    .filter(side => audits[side].invariants.some(({ id, ok }) => id === 'A7' && !ok))
    .map(side => `${side}: the books of the exchange do not add up (A7)`)
}

function met(truth: readonly TruthLine[], results: Readonly<Record<SideName, SideResult>>): Record<SideName, number> {
  const { naive, guarded } = results
  return {
    naive: faultsMet(truth, 'naive', false) + naive.kills,
    guarded: faultsMet(truth, 'guarded', true) + guarded.kills + guarded.redisOutages,
  }
}

interface Judged {
  readonly truth: readonly TruthLine[]
  readonly intents: readonly ExpectedIntent[]
  readonly claims: Readonly<Record<SideName, SideClaims>>
  readonly audits: Readonly<Record<SideName, Audit>>
}

async function auditBoth(stage: Stage): Promise<Judged> {
  const { control, window } = stage
  const truth = await control.truth()
  const intents = intentsOfClosedBars(stage.intents, window, truth)
  const claims = { naive: naiveClaims(stage.naiveBooks), guarded: await guardedClaims(stage) }
  const ids = intents.map(({ id }) => id)
  const audit = (account: SideName): Promise<Audit> => {
    const { records, ledger } = claims[account]
    return control.audit({ account, intents: ids, records, ledger })
  }
  return { truth, intents, claims, audits: { naive: await audit('naive'), guarded: await audit('guarded') } }
}

function documentOf(
  options: DemoOptions,
  stage: Stage,
  { truth, intents, claims, audits }: Judged,
  redisOutages: number,
): DemoDocument {
  const { sides, redis, plan } = stage
  const result = (side: SideName, outages: number): SideResult =>
    sideResult(intents.length, audits[side], {
      inDoubt: claims[side].inDoubt,
      series: sides[side].series(),
      kills: sides[side].kills(),
      redisOutages: outages,
    })
  const results = { naive: result('naive', 0), guarded: result('guarded', redisOutages) }
  const metBySide = met(truth, results)
  const { seed, seconds } = options
  const killsRedis = redis.kind === 'started'
  return {
    schema: 'trader.demo/1',
    seed,
    seconds,
    redis: redis.kind,
    redisChecks: stage.findings,
    faults: {
      planned: countPlannedFaults({ plan, intents, seed, killsRedis }),
      fired: metBySide.naive + metBySide.guarded,
    },
    sides: results,
    ...judge({
      guarded: results.guarded,
      met: metBySide,
      broken: sides.guarded.crashes,
      unsound: unsoundBooks(audits),
    }),
  }
}

/** Reads both sides' own records, has the exchange audit them, and makes the document of the run. */
export async function judgeRun(
  options: DemoOptions,
  stage: Stage,
  run: { fromMs: number; toMs: number; endMs: number; outages: readonly OutageSpan[] },
): Promise<DemoEvidence> {
  const judged = await auditBoth(stage)
  const { sides, plan } = stage
  const evidenceOf = (side: SideName): SideEvidence => ({
    audit: judged.audits[side],
    log: sides[side].log,
    texts: sides[side].texts,
    events: sides[side].events,
    journal: judged.claims[side].journal,
  })
  return {
    document: documentOf(options, stage, judged, run.outages.length),
    plan,
    truth: judged.truth,
    sides: { naive: evidenceOf('naive'), guarded: evidenceOf('guarded') },
    outages: run.outages,
    tradingFromMs: run.fromMs,
    tradingToMs: run.toMs,
    endMs: run.endMs,
  }
}
