import { createToken } from '@safety/redis-core'
import { Big } from 'big.js'
import { toUnits } from '../ledger/units.ts'
import type { dispatchScript } from '../redis/dispatch.ts'
import { keepIntentMs } from '../redis/keys.ts'
import type { proposeScript } from '../redis/propose.ts'
import type { settleScript } from '../redis/settle.ts'
import type { Intent } from './intent.ts'
import type { IntentState } from './state.ts'

/** A report about an intent: where it stands, and what is known of its order. */
export interface Report {
  readonly id: string
  readonly symbol: string
  readonly to: IntentState
  readonly reason?: string
  /** Who says so: answer, stream, lookup, reconcile, … */
  readonly by: string
  readonly detail?: string
  readonly orderId?: string
  /** Cumulative base quantity, a decimal. */
  readonly executedQuantity?: string
  readonly fence?: number
  /** See the script: when it was reserved, or what the proof of absence speaks of. */
  readonly atMs?: number
  /** For STUCK: how long the intent must have been in doubt. */
  readonly stuckAfterMs?: number
}

export interface DispatchAsk {
  readonly intent: Intent
  readonly fence: number
  readonly attempt: number
  readonly signedAtMs: number
  readonly recvWindowMs: number
  readonly lock: boolean
  readonly worker: string
}

/** Third identical refusal of ours stops the symbol for ten minutes. */
const stopRule = { after: 3, forMs: 600_000 }

export function settleArgs(report: Report, ours: boolean): Parameters<typeof settleScript.encode>[0]['args'] {
  return {
    id: report.id,
    symbol: report.symbol,
    keepMs: keepIntentMs,
    to: report.to,
    reason: report.reason ?? '',
    by: report.by,
    detail: report.detail ?? '',
    orderId: report.orderId ?? '',
    executed: report.executedQuantity === undefined ? '' : toUnits(report.executedQuantity),
    fence: report.fence ?? 0,
    atMs: report.atMs ?? -1,
    stopAfter: ours ? stopRule.after : 0,
    stopMs: stopRule.forMs,
    stuckAfterMs: report.stuckAfterMs ?? 0,
  }
}

export function dispatchArgs(ask: DispatchAsk): Parameters<typeof dispatchScript.encode>[0]['args'] {
  const { intent } = ask
  return {
    id: intent.id,
    symbol: intent.symbol,
    keepMs: keepIntentMs,
    ask: createToken(),
    leg: intent.leg,
    fence: ask.fence,
    attempt: ask.attempt,
    signedAtMs: ask.signedAtMs,
    recvWindowMs: ask.recvWindowMs,
    validUntilMs: intent.validUntilMs,
    notional: toUnits(new Big(intent.quantity).times(intent.price).toFixed()),
    lock: ask.lock ? 1 : 0,
    worker: ask.worker,
  }
}

export function proposeArgs(intent: Intent, missed: boolean): Parameters<typeof proposeScript.encode>[0]['args'] {
  return {
    id: intent.id,
    symbol: intent.symbol,
    keepMs: keepIntentMs,
    strategy: intent.strategy,
    barOpenMs: intent.barOpenMs,
    leg: intent.leg,
    seq: intent.seq,
    side: intent.side,
    kind: intent.type,
    quantity: intent.quantity,
    price: intent.price,
    validUntilMs: intent.validUntilMs,
    missed: missed ? 1 : 0,
  }
}
