import type { TruthLine } from './exchange-control.ts'
import type { SideName } from './result.ts'
import type { FaultRule, StormPlan } from './storm.ts'

/** How often one planned fault acted on each side. */
export interface FaultRow {
  readonly id: string
  readonly what: string
  readonly naive: number
  readonly guarded: number
}

function actionText({ type, ...rest }: FaultRule['action']): string {
  const details = Object.entries(rest).filter(([name]) => name !== 'msg')
  return [type, ...details.map(([name, value]) => `${name} ${value}`)].join(', ')
}

function ruleText(rule: FaultRule): string {
  const { share, clientOrderId, account } = rule.match
  const whom = [
    ...(share === undefined ? [] : [`${Math.round(share * 1000) / 10} % of those not yet hit`]),
    ...(clientOrderId === undefined ? [] : [`order ${clientOrderId}`]),
    ...(account === undefined ? [] : [`the stream of ${account}`]),
  ]
  return `${rule.phase}: ${actionText(rule.action)} (${whom.join(', ')})`
}

function counts(truth: readonly TruthLine[]): Map<string, Record<SideName, number>> {
  const met = new Map<string, Record<SideName, number>>()
  for (const entry of truth) {
    if (entry.type !== 'fault' || (entry.account !== 'naive' && entry.account !== 'guarded')) continue
    const id = String(entry['faultId'])
    const row = met.get(id) ?? { naive: 0, guarded: 0 }
    row[entry.account] += 1
    met.set(id, row)
  }
  return met
}

/** One row per rule of the plan, in its order, then kills and outages. */
export function faultRows(
  plan: StormPlan,
  truth: readonly TruthLine[],
  done: { kills: Readonly<Record<SideName, number>>; redisOutages: number },
): FaultRow[] {
  const met = counts(truth)
  const rules = [...plan.standing, ...plan.timed.map(({ rule }) => rule)]
  return [
    ...rules.map(rule => ({ id: rule.id, what: ruleText(rule), ...(met.get(rule.id) ?? { naive: 0, guarded: 0 }) })),
    { id: 'kill-worker', what: 'SIGKILL of a worker with a request out, back after 1 s', ...done.kills },
    {
      id: 'kill-redis',
      what: 'SIGKILL of Redis, back with its append-only file after 1.5 s',
      naive: 0,
      guarded: done.redisOutages,
    },
  ]
}
