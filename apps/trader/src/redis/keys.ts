import { keyspace } from '@safety/redis-core'

/**
 * The key layout of one book. Everything lies under `trader.<book>:`, and all of the trader's own keys in the one slot
 * `{<book>}`, because dispatch reads the kill switch, the gate and the limits and writes the journal in one step.
 */
export interface BookKeys {
  /** Also the namespace of the idempotency records. */
  readonly namespace: string
  /** Hash per intent; kept 7 days after it is settled, without end before. */
  intent(id: string): string
  /** String: the intent an order belongs to. */
  order(symbol: string, orderId: string): string
  /** Set of the ids in doubt of one symbol. */
  doubts(symbol: string): string
  /** String with a TTL: the symbol sends no orders while it exists. */
  stop(symbol: string): string
  /** Sorted set of unsettled ids by time of proposal. */
  readonly open: string
  /** Sorted set of all ids by time of proposal, 7 days. */
  readonly index: string
  /** Hash: symbol to the last bar whose intents are all in the journal, and when that bar arrived. */
  readonly checkpoint: string
  /** Hash: level, who, why, atMs, epoch. */
  readonly kill: string
  /** Hash: reason to why, for stops that no person asked for. */
  readonly halts: string
  /** String with a TTL: no call before it is gone. */
  readonly gate: string
  /** String with a TTL: request weight of the running minute. */
  readonly weight: string
  /** String with a TTL: orders of the running minute. */
  readonly minute: string
  /** Hash: symbol to the notional of orders under way, in 1e-8 units. */
  readonly exposure: string
  /** Hash: doubts seen and resolved, duplicates, version of the ledger. */
  readonly counts: string
  /** Hash: symbol to the last refusal and how often it came in a row. */
  readonly rejections: string
  /** Hash: asset to net change, in 1e-8 units. */
  readonly ledger: string
  /** Sorted set of the trades in the ledger by time, 8 days. */
  readonly trades: string
  /** Hash: asset to balance at the start of the book, in 1e-8 units. */
  readonly baseline: string
  /** Hash: symbol to its last entry and what is left of it. */
  readonly positions: string
  /** Hash: baselineAtMs, reconciledAtMs. */
  readonly meta: string
  /** String with a TTL: whose turn it is to reconcile. */
  readonly turn: string
}

export function bookKeys(book: string): BookKeys {
  const namespace = `trader.${book}`
  const space = keyspace(namespace)
  const key = (...parts: string[]): string => space.tagged(book, ...parts)
  return {
    namespace,
    intent: id => key('intent', id),
    order: (symbol, orderId) => key('order', symbol, orderId),
    doubts: symbol => key('doubts', symbol),
    stop: symbol => key('stop', symbol),
    open: key('open'),
    index: key('index'),
    checkpoint: key('checkpoint'),
    kill: key('kill'),
    halts: key('halts'),
    gate: key('gate'),
    weight: key('weight'),
    minute: key('minute'),
    exposure: key('exposure'),
    counts: key('counts'),
    rejections: key('rejections'),
    ledger: key('ledger'),
    trades: key('trades'),
    baseline: key('baseline'),
    positions: key('positions'),
    meta: key('meta'),
    turn: key('turn'),
  }
}

/** How long a settled intent is kept. */
export const keepIntentMs: number = 7 * 86_400_000
