import { createHash } from 'node:crypto'
import { parseFault, type Fault, type FaultDraft, type FaultMatch, type FaultPhase } from './fault-schema.ts'

/** The request, event or stream a fault may meet. Absent fields match no fault that asks for them. */
export interface FaultSubject {
  readonly channel: 'rest' | 'ws-api' | 'user-stream' | 'market-stream'
  readonly account?: string | undefined
  readonly method?: string | undefined
  readonly path?: string | undefined
  readonly symbol?: string | undefined
  readonly side?: string | undefined
  readonly clientOrderId?: string | undefined
  /** Event name on a stream, e.g. `executionReport`. */
  readonly event?: string | undefined
  /** Ms of server time since the start (`timeline.steadyMs()`). */
  readonly sinceStartMs: number
}

export interface FaultDecision {
  readonly fault: Fault
  readonly phase: FaultPhase
  /** Which matching subject of this account it was for this fault, from 1. */
  readonly ordinal: number
  /** Which subject with this client order id on this route it was for this account, from 1; `undefined` without an id. */
  readonly attempt: number | undefined
}

export interface FaultBook {
  /** Adds one fault or an array, in order. An absent id is given (`f1`, `f2`, ...). A reused id or a bad field refuses all of them. */
  add(input: unknown): { readonly ok: true; readonly ids: string[] } | { readonly ok: false; readonly msg: string }
  list(): (Fault & { readonly fired: number })[]
  remove(id: string): boolean
  clear(): void
  /**
   * Counts the subject for every fault it matches and returns the first, in insertion order, that acts. Call it exactly once per
   * request (its phase says when to act) and once per event before the fan-out to sockets.
   *
   * Counters are kept per account, and `share` looks at the client order id, not at the account: equal intents of two accounts meet
   * equal faults however their requests interleave.
   */
  decide(subject: FaultSubject): FaultDecision | undefined
  /**
   * For stream faults without a condition on events (`drop`, `silence`, `shutdown`): they act on the matching open sockets as soon as
   * they exist and `fromMs` has passed. Counts as fired once; `undefined` if the fault is gone, used up, or waits for an event.
   */
  fireNow(id: string): Fault | undefined
}

interface Shelf {
  readonly fault: Fault
  fired: number
  /** Matching subjects and acts so far, per account. */
  readonly seen: Map<string, number>
  readonly acted: Map<string, number>
}

export function createFaultBook(options: { seed: string }): FaultBook {
  const shelves: Shelf[] = []
  const attempts = new Map<string, number>()
  const nextId = { number: 1 }

  const decide = (subject: FaultSubject): FaultDecision | undefined => {
    const account = subject.account ?? ''
    const attempt = subject.clientOrderId === undefined ? undefined : count(attempts, routeOf(subject))
    let decision: FaultDecision | undefined
    for (const shelf of shelves) {
      const { fault } = shelf
      if (!fits(fault, subject, attempt)) continue
      const ordinal = count(shelf.seen, account)
      if (decision !== undefined || isUsedUp(shelf, account)) continue
      if (!isDue(options.seed, fault, { clientOrderId: subject.clientOrderId, ordinal, attempt })) continue
      fire(shelf, account)
      decision = { fault, phase: fault.phase, ordinal, attempt }
    }
    return decision
  }

  const fireNow = (id: string): Fault | undefined => {
    const shelf = shelves.find(one => one.fault.id === id)
    if (shelf === undefined || shelf.fault.phase !== 'stream' || waitsForEvent(shelf.fault.match)) return undefined
    const account = shelf.fault.match.account ?? ''
    if (isUsedUp(shelf, account)) return undefined
    fire(shelf, account)
    return shelf.fault
  }

  return {
    add: input => shelve(shelves, input, nextId),
    list: () => shelves.map(shelf => ({ ...shelf.fault, fired: shelf.fired })),
    remove: id => {
      const index = shelves.findIndex(shelf => shelf.fault.id === id)
      if (index !== -1) shelves.splice(index, 1)
      return index !== -1
    },
    clear: () => {
      shelves.length = 0
    },
    decide,
    fireNow,
  }
}

/** Reads all, then adds all or none. */
function shelve(shelves: Shelf[], input: unknown, nextId: { number: number }): ReturnType<FaultBook['add']> {
  const drafts: FaultDraft[] = []
  const items: readonly unknown[] = Array.isArray(input) ? input : [input]
  for (const [index, item] of items.entries()) {
    const parsed = parseFault(item)
    if (!parsed.ok) return { ok: false, msg: Array.isArray(input) ? `${index}: ${parsed.msg}` : parsed.msg }
    drafts.push(parsed.fault)
  }
  const used = new Set(shelves.map(shelf => shelf.fault.id))
  for (const { id } of drafts) {
    if (id === undefined) continue
    if (used.has(id)) return { ok: false, msg: `id: ${id} is already in use` }
    used.add(id)
  }
  const ids = drafts.map(draft => {
    const id = draft.id ?? unusedId(used, nextId)
    shelves.push({ fault: { ...draft, id }, fired: 0, seen: new Map(), acted: new Map() })
    return id
  })
  return { ok: true, ids }
}

function unusedId(used: Set<string>, nextId: { number: number }): string {
  while (used.has(`f${nextId.number}`)) nextId.number++
  const id = `f${nextId.number++}`
  used.add(id)
  return id
}

function fire(shelf: Shelf, account: string): void {
  shelf.fired++
  count(shelf.acted, account)
}

/**
 * The decision of `share`: the first 48 bits of sha256 over seed, fault id, client order id (or ordinal) and attempt, as a fraction
 * of 1, lie below it.
 */
export function isShared(
  seed: string,
  faultId: string,
  share: number,
  subject: { clientOrderId?: string | undefined; ordinal: number; attempt?: number | undefined },
): boolean {
  const who = subject.clientOrderId ?? `#${subject.ordinal}`
  const text = JSON.stringify([seed, faultId, who, subject.attempt ?? 1])
  return createHash('sha256').update(text).digest().readUIntBE(0, 6) / 2 ** 48 < share
}

function count(counters: Map<string, number>, name: string): number {
  const next = (counters.get(name) ?? 0) + 1
  counters.set(name, next)
  return next
}

function routeOf(subject: FaultSubject): string {
  const { account, channel, method, path, event, clientOrderId } = subject
  return JSON.stringify([account, channel, method, path, event, clientOrderId])
}

function isUsedUp(shelf: Shelf, account: string): boolean {
  return shelf.fault.times !== null && (shelf.acted.get(account) ?? 0) >= shelf.fault.times
}

/** Requests meet the phases before and after; events of streams meet the others, whole streams only where the fault names an event. */
function fits(fault: Fault, subject: FaultSubject, attempt: number | undefined): boolean {
  const { match, phase } = fault
  const onStream = subject.channel === 'user-stream' || subject.channel === 'market-stream'
  if (onStream !== (phase === 'event' || phase === 'stream')) return false
  if (phase === 'stream' && !waitsForEvent(match)) return false
  return (
    same(match.account, subject.account) &&
    same(match.method, subject.method) &&
    same(match.path, subject.path) &&
    same(match.symbol, subject.symbol) &&
    same(match.side, subject.side) &&
    same(match.clientOrderId, subject.clientOrderId) &&
    same(match.event, subject.event) &&
    same(match.channel, subject.channel) &&
    same(match.attempt, attempt) &&
    subject.sinceStartMs >= (match.fromMs ?? 0) &&
    subject.sinceStartMs < (match.untilMs ?? Infinity)
  )
}

function waitsForEvent(match: FaultMatch): boolean {
  return match.event !== undefined
}

function same<T>(wanted: T | undefined, given: T | undefined): boolean {
  return wanted === undefined || wanted === given
}

function isDue(
  seed: string,
  fault: Fault,
  subject: { clientOrderId: string | undefined; ordinal: number; attempt: number | undefined },
): boolean {
  const { nth, every, share } = fault.match
  if (nth !== undefined && subject.ordinal !== nth) return false
  if (every !== undefined && subject.ordinal % every !== 0) return false
  return share === undefined || isShared(seed, fault.id, share, subject)
}
