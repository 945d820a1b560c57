import { isShared } from '@safety/paper-exchange'
import type { ExpectedIntent, FaultRule, StormPlan } from './storm.ts'

/** A market order of the demo's size says NEW and then TRADE on the user stream. */
const EVENTS_PER_ORDER = 2
const REDIS_OUTAGES = 1

function meets(rule: FaultRule, id: string, attempt: number, seed: number): boolean {
  const { clientOrderId, share } = rule.match
  if (clientOrderId !== undefined) return clientOrderId === id
  if (rule.match.attempt !== undefined && rule.match.attempt !== attempt) return false
  return share === undefined || isShared(String(seed), rule.id, share, { clientOrderId: id, ordinal: attempt, attempt })
}

/** The rule that acts on the first attempt to place an intent, if any; equal for both sides and for every run of a seed. */
export function requestFault(plan: StormPlan, id: string, seed: number): FaultRule | undefined {
  return plan.standing.find(rule => rule.phase !== 'event' && meets(rule, id, 1, seed))
}

/**
 * How many faults the plan holds for both sides together: first attempts to place an order, events of the one side that
 * has a user stream, the timed stream faults of that side, killed workers and the killed Redis.
 */
export function countPlannedFaults(input: {
  plan: StormPlan
  intents: readonly ExpectedIntent[]
  seed: number
  killsRedis: boolean
}): number {
  const { plan, intents, seed, killsRedis } = input
  const eventRules = plan.standing.filter(rule => rule.phase === 'event')
  let requests = 0
  let events = 0
  for (const { id } of intents) {
    if (requestFault(plan, id, seed) !== undefined) requests += 1
    for (let event = 1; event <= EVENTS_PER_ORDER; event += 1) {
      if (eventRules.some(rule => meets(rule, id, event, seed))) events += 1
    }
  }
  const streams = plan.timed.filter(({ rule }) => rule.match.account === 'guarded').length
  return 2 * requests + events + streams + 2 * plan.kills.length + (killsRedis ? REDIS_OUTAGES : 0)
}
