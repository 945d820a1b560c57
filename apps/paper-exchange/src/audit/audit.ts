import { money, printExact, ZERO, type Money } from '../engine/money.ts'
import type { TruthEntry } from '../truth/entry.ts'
import { createBooksReplay, type BooksReplay } from './books-replay.ts'
import type { AuditClaims } from './claims.ts'
import type { AuditReport, InvariantId, Verdict } from './report.ts'

const MAX_EVIDENCE = 20

type Accepted = Extract<TruthEntry, { type: 'accepted' }>

/** The judged part of the log, taken apart once. */
interface Case {
  readonly claims: AuditClaims
  readonly accepted: readonly Accepted[]
  readonly acceptedIds: ReadonlySet<string>
  /** `seq` of the requests and refusals of each client order id. */
  readonly traces: ReadonlyMap<string, readonly number[]>
  readonly intoRetryAfter: readonly number[]
  readonly books: BooksReplay
  /** Balances at `fromSeq`, or at the last wipe after it. */
  readonly baseline: ReadonlyMap<string, Money>
}

interface Finding {
  readonly id: InvariantId
  readonly breaches: number
  readonly evidence: readonly number[]
}

/**
 * Judges one account's claims by the truth log. What was accepted counts, not what the trader logged.
 *
 * A claim that is left out is not judged: its invariant holds. A7 covers the whole log, the others what lies at or after `fromSeq`;
 * after a wipe the ledger is measured from the fresh balances.
 */
export function audit(entries: readonly TruthEntry[], claims: AuditClaims): AuditReport {
  const held = collect(entries, claims)
  const duplicates = findDuplicates(held)
  const orphans = findOrphans(held)
  const intents = judgeIntents(held)
  const { drift, finding: ledger } = measureDrift(held)
  const afterKill = findAfterKill(held)
  const retryAfter: Finding = {
    id: 'A5',
    breaches: held.intoRetryAfter.length,
    evidence: held.intoRetryAfter,
  }
  const books: Finding = { id: 'A7', breaches: held.books.breaches.length, evidence: held.books.breaches }
  const invariants = [duplicates, orphans, intents.finding, ledger, retryAfter, afterKill, books].map(pronounce)
  return {
    ok: invariants.every(verdict => verdict.ok),
    totals: {
      accepted: held.accepted.length,
      duplicates: duplicates.breaches,
      orphans: orphans.breaches,
      lost: intents.finding.breaches,
      refused: intents.refused,
      inDoubt: intents.inDoubt,
      requestsDuringRetryAfter: retryAfter.breaches,
      afterKill: afterKill.breaches,
    },
    drift,
    invariants,
  }
}

function pronounce({ id, breaches, evidence }: Finding): Verdict {
  return { id, ok: breaches === 0, count: breaches, evidence: evidence.slice(0, MAX_EVIDENCE) }
}

function collect(entries: readonly TruthEntry[], claims: AuditClaims): Case {
  const fromSeq = claims.fromSeq ?? 1
  const accepted: Accepted[] = []
  const intoRetryAfter: number[] = []
  const traces = new Map<string, number[]>()
  const books = createBooksReplay()
  let baseline: Map<string, Money> | undefined
  for (const entry of entries) {
    if (entry.account !== claims.account) continue
    const judged = entry.seq >= fromSeq
    if (judged) baseline ??= new Map(books.told())
    books.take(entry)
    if (!judged) continue
    if (entry.type === 'wipe') baseline = new Map(books.told())
    if (entry.type === 'accepted') accepted.push(entry)
    if (entry.type === 'request' && entry.duringRetryAfter) intoRetryAfter.push(entry.seq)
    if ((entry.type === 'request' || entry.type === 'rejected') && entry.clientOrderId !== null) {
      const seqs = traces.get(entry.clientOrderId)
      if (seqs === undefined) traces.set(entry.clientOrderId, [entry.seq])
      else seqs.push(entry.seq)
    }
  }
  books.end()
  const acceptedIds = new Set(accepted.map(entry => entry.clientOrderId))
  return { claims, accepted, acceptedIds, traces, intoRetryAfter, books, baseline: baseline ?? new Map(books.told()) }
}

/** A1: every accepted order after the first of its id. */
function findDuplicates({ accepted }: Case): Finding {
  const seen = new Set<string>()
  const evidence: number[] = []
  for (const entry of accepted) {
    if (seen.has(entry.clientOrderId)) evidence.push(entry.seq)
    seen.add(entry.clientOrderId)
  }
  return { id: 'A1', breaches: evidence.length, evidence }
}

/** A2: accepted orders that are on record as refused, or not at all. */
function findOrphans({ accepted, claims }: Case): Finding {
  const { records } = claims
  if (records === undefined) return { id: 'A2', breaches: 0, evidence: [] }
  const orphans = accepted.filter(entry => {
    const believes = recordOf(records, entry.clientOrderId)?.believes
    return believes !== 'ordered' && believes !== 'unknown'
  })
  return { id: 'A2', breaches: orphans.length, evidence: orphans.map(entry => entry.seq) }
}

/** A3, and how many intents ended refused or in doubt. */
function judgeIntents({ acceptedIds, claims, traces }: Case): {
  finding: Finding
  refused: number
  inDoubt: number
} {
  const records = claims.records ?? {}
  const intents = new Set(claims.intents ?? Object.keys(records))
  const lost: string[] = []
  let [refused, inDoubt] = [0, 0]
  for (const id of intents) {
    const record = recordOf(records, id)
    if (record?.believes === 'unknown') inDoubt++
    else if (acceptedIds.has(id)) continue
    else if (record?.believes === 'refused' && (record.reason ?? '') !== '') refused++
    else lost.push(id)
  }
  const evidence = lost.flatMap(id => traces.get(id) ?? [])
  return { finding: { id: 'A3', breaches: lost.length, evidence }, refused, inDoubt }
}

/** An own property only: an intent may be called `constructor`. */
function recordOf(
  records: NonNullable<AuditClaims['records']>,
  id: string,
): NonNullable<AuditClaims['records']>[string] | undefined {
  return Object.hasOwn(records, id) ? records[id] : undefined
}

/** A4: ledger minus the change of balances the exchange told. */
function measureDrift({ claims, books, baseline }: Case): {
  drift: Record<string, string>
  finding: Finding
} {
  const drift: Record<string, string> = {}
  const evidence: number[] = []
  const { ledger } = claims
  if (ledger === undefined) return { drift, finding: { id: 'A4', breaches: 0, evidence } }
  const told = books.told()
  let breaches = 0
  for (const asset of [...new Set([...told.keys(), ...Object.keys(ledger)])].sort()) {
    const change = (told.get(asset) ?? ZERO).minus(baseline.get(asset) ?? ZERO)
    const difference = money(Object.hasOwn(ledger, asset) ? (ledger[asset] as string) : '0').minus(change)
    drift[asset] = printExact(difference)
    if (difference.eq('0')) continue
    breaches++
    const seq = books.toldBy(asset)
    if (seq !== undefined) evidence.push(seq)
  }
  return { drift, finding: { id: 'A4', breaches, evidence } }
}

/** A6: accepted although signed after the kill and its permit. */
function findAfterKill({ accepted, claims }: Case): Finding {
  const { killAtMs, permitMs = 0 } = claims
  const late =
    killAtMs === undefined
      ? []
      : accepted.filter(entry => entry.signedAtMs !== null && entry.signedAtMs > killAtMs + permitMs)
  return { id: 'A6', breaches: late.length, evidence: late.map(entry => entry.seq) }
}
