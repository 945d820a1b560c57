import type { DemoEvidence, SideEvidence } from '../src/demo/evidence.ts'
import type { Audit, TruthLine } from '../src/demo/exchange-control.ts'
import { judge } from '../src/demo/judge.ts'
import type { SideResult } from '../src/demo/result.ts'
import { expectedIntents, tradingWindow, type TradingWindow } from '../src/demo/setting.ts'
import type { LoggedLine } from '../src/demo/side.ts'
import { planStorm, type ExpectedIntent } from '../src/demo/storm.ts'
import { NAIVE_SPLIT } from '../src/demo/worker-init.ts'
import type { WorkerLine } from '../src/demo/worker-lines.ts'

export const START_MS: number = 1_800_000_000_000
export const window: TradingWindow = tradingWindow(20, 1_700_000_100_000)
export const intents: readonly ExpectedIntent[] = expectedIntents(window)
export const FIRST: string = intents[0]!.id
export const SECOND: string = intents[1]!.id

/** Epoch microseconds, `ms` after the first bar opened. */
export function at(ms: number): number {
  return (START_MS + ms) * 1000
}

function logged(worker: string, process: string, line: WorkerLine): LoggedLine {
  return { worker, process, line }
}

const AUDIT: Audit = {
  ok: true,
  totals: { accepted: 2, duplicates: 0, orphans: 0, lost: 0, refused: 0, inDoubt: 0, requestsDuringRetryAfter: 0 },
  drift: { BTC: '0.00000000' },
  invariants: ['A1', 'A2', 'A3', 'A4', 'A5', 'A6', 'A7'].map(id => ({ id, ok: true, count: 0, evidence: [] })),
}

function accepted(seq: number, ms: number, account: string, key: string, orderId: number, signedMs: number): TruthLine {
  return {
    seq,
    atMs: START_MS + ms,
    type: 'accepted',
    account,
    orderId,
    clientOrderId: key,
    symbol: 'BTCUSDT',
    side: 'BUY',
    signedAtMs: START_MS + signedMs,
  }
}

const TRUTH: TruthLine[] = [
  accepted(1, 510, 'naive', FIRST, 11, 505),
  {
    seq: 2,
    atMs: START_MS + 510,
    type: 'fault',
    account: 'naive',
    faultId: 'after-reset',
    action: 'reset',
    phase: 'after',
  },
  accepted(3, 720, 'naive', FIRST, 12, 715),
  accepted(4, 512, 'guarded', FIRST, 13, 508),
  {
    seq: 5,
    atMs: START_MS + 512,
    type: 'fault',
    account: 'guarded',
    faultId: 'after-reset',
    action: 'reset',
    phase: 'after',
  },
  {
    seq: 6,
    atMs: START_MS + 900,
    type: 'fault',
    account: 'guarded',
    faultId: 'limit-1',
    action: 'limit',
    phase: 'before',
  },
]

function request(op: string, key: string, ms: number, attempt: number): WorkerLine {
  return { type: 'request', tUs: at(ms), op, key, attempt, signedAtMs: START_MS + ms }
}

const NAIVE: SideEvidence = {
  audit: {
    ...AUDIT,
    ok: false,
    invariants: AUDIT.invariants.map(line =>
      line.id === 'A1' ? { ...line, ok: false, count: 1, evidence: [1, 3] } : line,
    ),
  },
  log: [
    logged('naive-1', 'naive-1', { type: 'invoke', tUs: at(504), op: 'naive-1#1', key: FIRST, fp: 'BTCUSDT|BUY|1' }),
    logged('naive-1', 'naive-1', request('naive-1#1', FIRST, 505, 1)),
    logged('naive-1', 'naive-1', request('naive-1#1', FIRST, 715, 2)),
    logged('naive-1', 'naive-1', {
      type: 'return',
      tUs: at(725),
      op: 'naive-1#1',
      key: FIRST,
      outcome: 'ran',
      value: '12',
    }),
  ],
  events: [
    { tUs: at(-900), worker: 'naive-1', process: 'naive-1', event: 'started' },
    { tUs: at(2000), worker: 'naive-1', process: 'naive-1', event: 'killed' },
    { tUs: at(3100), worker: 'naive-1', process: 'naive-1.2', event: 'started' },
  ],
  texts: [],
  journal: [{ id: FIRST, status: 'ordered', orderId: '12', changes: {} }],
}

const GUARDED: SideEvidence = {
  audit: AUDIT,
  log: [
    logged('guarded-1', 'guarded-1', {
      type: 'invoke',
      tUs: at(506),
      op: 'guarded-1#1',
      key: FIRST,
      fp: 'BTCUSDT|BUY|1',
    }),
    logged('guarded-1', 'guarded-1', request('guarded-1#1', FIRST, 508, 1)),
    logged('guarded-1', 'guarded-1', {
      type: 'transition',
      tUs: at(515),
      key: FIRST,
      from: 'SENT',
      to: 'UNKNOWN',
      reason: 'ECONNRESET',
    }),
    logged('guarded-1', 'guarded-1', { type: 'transition', tUs: at(640), key: FIRST, from: 'UNKNOWN', to: 'ACCEPTED' }),
    logged('guarded-1', 'guarded-1', {
      type: 'return',
      tUs: at(650),
      op: 'guarded-1#1',
      key: FIRST,
      outcome: 'ran',
      value: '13',
    }),
    logged('guarded-2', 'guarded-2', {
      type: 'invoke',
      tUs: at(1000),
      op: 'guarded-2#1',
      key: SECOND,
      fp: 'ETHUSDT|BUY|1',
    }),
    logged('guarded-2', 'guarded-2', {
      type: 'return',
      tUs: at(1005),
      op: 'guarded-2#1',
      key: SECOND,
      outcome: 'not-run',
      code: 'DENIED <redis away>',
    }),
  ],
  events: [
    { tUs: at(-800), worker: 'guarded-1', process: 'guarded-1', event: 'started' },
    { tUs: at(-800), worker: 'guarded-2', process: 'guarded-2', event: 'started' },
  ],
  texts: [],
  journal: [{ id: FIRST, state: 'FILLED' }],
}

const NO_DRIFT = { BTC: '0.00000000', ETH: '0.00000000', BNB: '0.00000000', USDT: '0.00000000' }

const RESULT: SideResult = {
  expected: 48,
  accepted: 40,
  duplicates: 0,
  orphans: 0,
  lost: 0,
  refused: 8,
  drift: NO_DRIFT,
  requestsDuringRetryAfter: 0,
  inDoubt: { seen: 9, resolved: 9, open: 0 },
  series: 100,
  kills: 2,
  redisOutages: 1,
}

/** A small finished run: one naive order placed twice, the same intent guarded, one refusal. */
export function exampleEvidence(): DemoEvidence {
  const naive = { ...RESULT, accepted: 55, duplicates: 7, inDoubt: null, redisOutages: 0 }
  return {
    document: {
      schema: 'trader.demo/1',
      seed: 3,
      seconds: 20,
      redis: 'started',
      redisChecks: {
        profile: 'idempotency.standard',
        level: 'warn',
        complete: true,
        sentence: 'idempotency.standard: no guarantee is broken on 1 node, 1 is weakened: memory-limit.',
      },
      faults: { planned: 60, fired: 58 },
      sides: { naive, guarded: RESULT },
      ...judge({ guarded: RESULT, met: { naive: 20, guarded: 38 }, broken: [], unsound: [] }),
    },
    plan: planStorm({
      seed: 3,
      intents,
      bars: window.bars,
      barMs: 500,
      accounts: ['naive', 'guarded'],
      split: NAIVE_SPLIT,
    }),
    truth: TRUTH,
    sides: { naive: NAIVE, guarded: GUARDED },
    outages: [{ fault: 'redis-1', name: 'kill-redis', fromUs: at(4000), toUs: at(5600) }],
    tradingFromMs: START_MS,
    tradingToMs: START_MS + 8250,
    endMs: START_MS + 20_000,
  }
}
