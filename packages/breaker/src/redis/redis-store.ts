import { runScript } from '@safety/redis-core'
import type { Clock, RedisClient } from '@safety/redis-core'

import { jitterFactor } from '../cool-off.ts'
import type { BreakerRecord } from '../history.ts'
import type { ResolvedOptions } from '../options.ts'
import type { BreakerStore } from '../store.ts'
import { flushScript } from './flush.ts'
import { forceScript } from './force.ts'
import { historyScript } from './history.ts'
import { breakerKeys } from './keys.ts'
import { probeScript } from './probe.ts'
import { decodeRecord } from './record.ts'
import { releaseScript } from './release.ts'
import { resultScript } from './result.ts'
import { subscriberOf } from './subscriber.ts'

/** A process that was silent for this long is forgotten. */
export const MEMBER_MS = 15_000
/** No ratio of calls reaches it. */
const NEVER = 2

/** The shared part in Redis, for one breaker of this process. `run` tells this life of the process from an earlier one. */
export function createRedisStore(redis: RedisClient, options: ResolvedOptions, run: string): BreakerStore {
  const { clock } = options
  const { channel, ...keys } = breakerKeys(options.keyspace, options.name, options.mode === 'shadow')
  const who = { name: options.name, instance: options.instance }
  const evidence = { ...who, run, ...evidenceLimits(options) }
  const coolOff = (): Record<string, number> => coolOffInput(options)
  const send = (input: object): { channel: string; inputJson: string } => ({
    channel,
    inputJson: JSON.stringify(input),
  })
  const within = (deadlineMs: number): { deadlineMs: number; clock: Clock } => ({ deadlineMs, clock })

  return {
    flush({ long, fast, ...request }, deadlineMs) {
      const args = send({ ...evidence, ...coolOff(), ...request, c: long, r: fast })
      return runScript(redis, flushScript, { keys, args }, within(deadlineMs))
    },
    probe(token, epoch, deadlineMs) {
      const { probes, successes, leaseMs } = options.halfOpen
      const args = send({ ...who, token, epoch, probes, successes, leaseMs, coolMaxMs: options.coolOff.maxMs })
      return runScript(redis, probeScript, { keys, args }, within(deadlineMs))
    },
    result(request, deadlineMs) {
      const { successes, tolerated } = options.halfOpen
      const ramp = { rampMs: options.ramp?.lengthMs ?? 0, rampMinRate: options.ramp?.minRate ?? 0 }
      const args = send({ ...who, ...request, successes, tolerated, ...ramp, ...coolOff() })
      return runScript(redis, resultScript, { keys, args }, within(deadlineMs))
    },
    force: (request, deadlineMs) =>
      runScript(redis, forceScript, { keys, args: send({ ...who, ...request }) }, within(deadlineMs)),
    release: (request, deadlineMs) =>
      runScript(redis, releaseScript, { keys, args: send({ ...who, ...request }) }, within(deadlineMs)),
    async history(limit, deadlineMs) {
      const { historyKey } = keys
      const lines = await runScript(redis, historyScript, { keys: { historyKey }, args: { limit } }, within(deadlineMs))
      return lines.map(decodeRecord).filter((record): record is BreakerRecord => record !== null)
    },
    join: listener => subscriberOf(redis).join(channel, options.name, listener),
  }
}

function evidenceLimits({ windows, minimumCalls, failureRatio, slowCall, quorum, expect }: ResolvedOptions): object {
  const { long, fast } = windows
  return {
    shape: `${long.lengthMs}/${long.buckets}/${fast?.lengthMs ?? 0}/${fast?.buckets ?? 0}`,
    memberMs: MEMBER_MS,
    longMs: long.lengthMs,
    longN: long.buckets,
    longMin: minimumCalls,
    longRatio: failureRatio,
    slowRatio: slowCall?.ratio ?? NEVER,
    fastMs: fast?.lengthMs ?? 0,
    fastN: fast?.buckets ?? 0,
    fastMin: fast?.minimumCalls ?? 0,
    fastRatio: fast?.failureRatio ?? NEVER,
    quorumRatio: quorum.ratio,
    quorumMin: quorum.min,
    settleMs: quorum.settleMs,
    expect,
  }
}

// Redis seeds Lua's random numbers alike at each run, so the jitter is drawn here.
function coolOffInput({ coolOff, random }: ResolvedOptions): Record<string, number> {
  return {
    coolMs: coolOff.baseMs,
    factor: coolOff.factor,
    coolMaxMs: coolOff.maxMs,
    jitter: jitterFactor(coolOff.jitter, random),
    forgiveMs: coolOff.forgiveMs,
  }
}
