import type { RedisClient } from '@safety/redis-core'
import { fillDeltas, fillLine, type Fill, type Pair } from '../ledger/fill.ts'
import type { Amounts } from '../ledger/ledger.ts'
import { fromUnits } from '../ledger/units.ts'
import { applyFillScript, type FillResult } from '../redis/apply-fill.ts'
import { baselineScript } from '../redis/baseline.ts'
import { checkpointScript } from '../redis/checkpoint.ts'
import { dispatchScript, type DispatchAnswer } from '../redis/dispatch.ts'
import { haltScript } from '../redis/halt.ts'
import { keepIntentMs, type BookKeys } from '../redis/keys.ts'
import { notFoundScript } from '../redis/not-found.ts'
import { proposeScript, type Proposed } from '../redis/propose.ts'
import { repeated } from '../redis/repeated.ts'
import { settleScript, type Settled } from '../redis/settle.ts'
import type { Intent } from './intent.ts'
import { readEntry, type JournalEntry } from './journal-entry.ts'
import { dispatchArgs, proposeArgs, settleArgs, type DispatchAsk, type Report } from './journal-reports.ts'

/** The last bar whose intents are all in the journal. */
export interface Checkpoint {
  /** Market time. */
  readonly barOpenMs: number
  /** Server time at which the bar arrived. */
  readonly arrivedAtMs: number
}

/** What Redis knows of one book: its intents, its ledger and what stops it. */
export interface Journal {
  readonly keys: BookKeys
  propose(intent: Intent, options: { missed: boolean }): Promise<Proposed>
  /** Moves an intent by a report if that says more than is known. `ours` counts the refusal toward stopping the symbol. */
  settle(report: Report, options?: { ours?: boolean }): Promise<Settled>
  dispatch(ask: DispatchAsk): Promise<DispatchAnswer>
  applyFill(fill: Fill, pair: Pair, id: string): Promise<FillResult>
  /** Notes a "not found" after the horizon; answers when the first one was. */
  noteNotFound(id: string, signedAtMs: number, atMs: number): Promise<number>
  read(id: string): Promise<JournalEntry | undefined>
  /** Ids that are not settled, oldest first. */
  open(): Promise<string[]>
  /** The intent an order belongs to. */
  intentOfOrder(symbol: string, orderId: string): Promise<string | undefined>
  checkpoint(symbol: string): Promise<Checkpoint | undefined>
  advance(symbol: string, checkpoint: Checkpoint): Promise<void>
  /** What the last entry of a symbol left to sell, a decimal, never negative. */
  position(symbol: string): Promise<string>
  /** Notes the starting balances; `accept` replaces older ones and lifts the halt of an account reset. */
  setBaseline(balances: Amounts, atMs: number, order?: { who: string; why: string }): Promise<boolean>
  baseline(): Promise<{ amounts: Amounts; atMs: number } | undefined>
  ledger(): Promise<{ amounts: Amounts; version: number }>
  /** Milliseconds since a fill was last taken into the ledger, by Redis' clock; infinite before the first. */
  lastFillAgeMs(): Promise<number>
  /** The last intents with an order that was signed in this window of server time, newest first; a few are enough. */
  recentOrders(
    signedBeforeMs: number,
    signedAfterMs: number,
  ): Promise<{ id: string; symbol: string; orderId: string }[]>
  reconciledAtMs(): Promise<number | undefined>
  setReconciledAt(atMs: number): Promise<void>
  /** Takes the turn to reconcile for `forMs`, unless another worker has it. */
  takeTurn(worker: string, forMs: number): Promise<boolean>
  halt(reason: string, why: string): Promise<boolean>
  lift(reason: string): Promise<boolean>
  halts(): Promise<Record<string, string>>
}

/** How many recent orders are asked about before an account counts as reset. */
const recentLimit = 3

/** One Redis step may take this long; a lost answer is asked for again, twice. */
const deadlineMs = 1000

function movingKeys(
  keys: BookKeys,
  id: string,
  symbol: string,
): Record<'intent' | 'open' | 'exposure' | 'doubts' | 'counts', string> {
  return {
    intent: keys.intent(id),
    open: keys.open,
    exposure: keys.exposure,
    doubts: keys.doubts(symbol),
    counts: keys.counts,
  }
}

function fillArgs(fill: Fill, pair: Pair, id: string): Parameters<typeof applyFillScript.encode>[0]['args'] {
  const deltas = fillDeltas(fill)
  return {
    id,
    symbol: fill.symbol,
    keepMs: keepIntentMs,
    tradeId: fill.tradeId,
    timeMs: fill.timeMs,
    baseAsset: pair.baseAsset,
    quoteAsset: pair.quoteAsset,
    feeAsset: fill.commissionAsset,
    baseUnits: deltas.base,
    quoteUnits: deltas.quote,
    feeUnits: deltas.fee,
    filledUnits: deltas.filled,
    line: fillLine(fill),
  }
}

type Writes = Pick<
  Journal,
  'propose' | 'settle' | 'dispatch' | 'applyFill' | 'noteNotFound' | 'advance' | 'setBaseline'
>

function createWrites(redis: RedisClient, keys: BookKeys): Writes {
  const limit = { deadlineMs }
  const moving = (id: string, symbol: string): ReturnType<typeof movingKeys> => movingKeys(keys, id, symbol)
  return {
    propose: (intent, { missed }) =>
      repeated(
        redis,
        proposeScript,
        { keys: { ...moving(intent.id, intent.symbol), index: keys.index }, args: proposeArgs(intent, missed) },
        limit,
      ),
    settle(report, { ours = false } = {}) {
      const { id, symbol } = report
      const order = keys.order(symbol, report.orderId ?? 'none')
      const names = { ...moving(id, symbol), order, rejections: keys.rejections, stop: keys.stop(symbol) }
      return repeated(redis, settleScript, { keys: names, args: settleArgs(report, ours) }, limit)
    },
    dispatch(ask) {
      const { id, symbol } = ask.intent
      const { kill, halts, gate, minute } = keys
      const names = { ...moving(id, symbol), kill, halts, gate, minute, stop: keys.stop(symbol) }
      return repeated(redis, dispatchScript, { keys: names, args: dispatchArgs(ask) }, limit)
    },
    applyFill(fill, pair, id) {
      const { trades, ledger, positions, meta } = keys
      const names = { ...moving(id, fill.symbol), trades, ledger, positions, meta }
      return repeated(redis, applyFillScript, { keys: names, args: fillArgs(fill, pair, id) }, limit)
    },
    noteNotFound: (id, signedAtMs, atMs) =>
      repeated(redis, notFoundScript, { keys: { intent: keys.intent(id) }, args: { signedAtMs, atMs } }, limit),
    async advance(symbol, { barOpenMs, arrivedAtMs }) {
      const args = { symbol, barOpenMs, arrivedAtMs: Math.round(arrivedAtMs) }
      await repeated(redis, checkpointScript, { keys: { checkpoint: keys.checkpoint }, args }, limit)
    },
    setBaseline(amounts, atMs, order) {
      const { baseline, ledger, trades, positions, meta, halts } = keys
      const args = {
        balances: JSON.stringify(amounts),
        atMs,
        accept: order === undefined ? 0 : 1,
        who: order?.who ?? 'start',
        why: order?.why ?? 'first start of the book',
      }
      return repeated(
        redis,
        baselineScript,
        { keys: { baseline, ledger, trades, positions, meta, halts }, args },
        limit,
      )
    },
  }
}

function numberOf(text: string | null | undefined): number | undefined {
  return text === null || text === undefined ? undefined : Number(text)
}

/** Opens the journal of a book on a connection of the `effect` profile, whose commands end by their own time limit. */
export function createJournal(redis: RedisClient, keys: BookKeys): Journal {
  const halt = (reason: string, why: string, on: number): Promise<boolean> =>
    repeated(redis, haltScript, { keys: { halts: keys.halts }, args: { reason, why, on } }, { deadlineMs })
  return {
    ...createWrites(redis, keys),
    keys,
    read: async id => readEntry(await redis.hgetall(keys.intent(id))),
    open: () => redis.zrange(keys.open, '0', '-1'),
    intentOfOrder: async (symbol, orderId) => (await redis.get(keys.order(symbol, orderId))) ?? undefined,
    async checkpoint(symbol) {
      const [bar, at] = await redis.hmget(keys.checkpoint, symbol, `${symbol}:at`)
      const barOpenMs = numberOf(bar)
      return barOpenMs === undefined ? undefined : { barOpenMs, arrivedAtMs: numberOf(at) ?? 0 }
    },
    async position(symbol) {
      const net = await redis.hget(keys.positions, `${symbol}:net`)
      return net === null || net.startsWith('-') ? '0' : fromUnits(net)
    },
    async baseline() {
      const atMs = numberOf(await redis.hget(keys.meta, 'baselineAtMs'))
      return atMs === undefined ? undefined : { amounts: await redis.hgetall(keys.baseline), atMs }
    },
    async ledger() {
      // The version is read first: a fill in between makes the amounts newer than it says, never older.
      const version = Number((await redis.hget(keys.counts, 'ledgerVersion')) ?? 0)
      return { amounts: await redis.hgetall(keys.ledger), version }
    },
    async lastFillAgeMs() {
      const [seconds, micros] = await redis.time()
      const [, score] = await redis.zrange(keys.trades, '-1', '-1', 'WITHSCORES')
      return score === undefined
        ? Number.POSITIVE_INFINITY
        : Number(seconds) * 1000 + Number(micros) / 1000 - Number(score)
    },
    async recentOrders(signedBeforeMs, signedAfterMs) {
      const found: { id: string; symbol: string; orderId: string }[] = []
      for (const id of await redis.zrevrange(keys.index, 0, recentLimit * 10)) {
        const [symbol, orderId, signed] = await redis.hmget(keys.intent(id), 'symbol', 'orderId', 'firstSignedAtMs')
        const signedAtMs = Number(signed ?? 0)
        if (!symbol || !orderId || signedAtMs <= signedAfterMs || signedAtMs > signedBeforeMs) continue
        found.push({ id, symbol, orderId })
        if (found.length === recentLimit) break
      }
      return found
    },
    reconciledAtMs: async () => numberOf(await redis.hget(keys.meta, 'reconciledAtMs')),
    async setReconciledAt(atMs) {
      await redis.hset(keys.meta, 'reconciledAtMs', String(atMs))
    },
    takeTurn: async (worker, forMs) => (await redis.set(keys.turn, worker, 'PX', Math.max(1, forMs), 'NX')) === 'OK',
    halt: (reason, why) => halt(reason, why, 1),
    lift: reason => halt(reason, '', 0),
    halts: () => redis.hgetall(keys.halts),
  }
}
