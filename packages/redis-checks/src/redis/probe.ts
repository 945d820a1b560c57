import { createToken, runScript } from '@safety/redis-core'
import type { Redis } from 'ioredis'

import { known, missing } from '../fact.ts'
import type { Fact } from '../fact.ts'
import type { AccessNeed } from '../expectations.ts'
import type { AccessFacts, MarkerFacts, ProbeFacts, WriteOutcome } from '../node-facts.ts'
import { readAccess } from './access-read.ts'
import { markerKey, probeKey, raiseMarker } from './marker.ts'
import { missingBy, settle } from './reply.ts'
import type { Reply } from './reply.ts'

const PROBE_TTL_MS = 5000
const WAIT_MS = 200
const WAITAOF_MS = 1500
const SCRIPT_MS = 2000

export interface ProbeAsk {
  readonly prefix: string
  readonly user: string
  /** Its hash tag lies on this master. */
  readonly tag: string
  readonly need: AccessNeed
  readonly replicas: number
  readonly markerTtlMs: number
  readonly waitAof: boolean
  readonly mayAskAcl: boolean
  readonly mayDryRun: boolean
}

export interface ProbeResult {
  readonly probe: ProbeFacts
  readonly access: AccessFacts
}

/** One write at one moment: SET, scripts, GET, DEL, WAIT on one key that ends by itself, and the marker. Masters only. */
export async function probeNode(redis: Redis, ask: ProbeAsk): Promise<ProbeResult> {
  const key = probeKey(ask.prefix, ask.tag, createToken())
  const writing = settle(redis.call('SET', key, 'probe', 'PX', String(PROBE_TTL_MS)))
  const { need, user, mayAskAcl, mayDryRun } = ask
  const [set, access, marker] = await Promise.all([
    writing,
    readAccess(redis, { key, need, user, mayTry: writing.then(({ ok }) => ok), mayAskAcl, mayDryRun }),
    writing.then(({ ok }) => (ok ? raise(redis, ask) : missing('unreachable', 'marker', 'the probe could not write'))),
  ])
  const [, , wait, waitAof] = await Promise.all([
    settle(redis.call('GET', key)),
    settle(redis.call('DEL', key)),
    set.ok && ask.replicas > 0 ? settle(redis.call('WAIT', String(ask.replicas), String(WAIT_MS))) : undefined,
    set.ok && ask.waitAof ? settle(redis.call('WAITAOF', '1', '0', String(WAITAOF_MS))) : undefined,
  ])
  return {
    access,
    probe: {
      write: outcomeOf(set),
      wait: waitFact(wait),
      waitReplicas: ask.replicas,
      waitAof: waitAofFact(waitAof),
      marker,
    },
  }
}

function outcomeOf(reply: Reply): WriteOutcome {
  if (reply.ok) return { ok: true }
  return { ok: false, code: reply.code, text: reply.text, because: missingBy('SET', reply).because }
}

async function raise(redis: Redis, ask: ProbeAsk): Promise<Fact<MarkerFacts>> {
  const input = {
    keys: { marker: markerKey(ask.prefix, ask.tag) },
    args: { freshId: createToken(), ttlMs: ask.markerTtlMs },
  }
  try {
    return known(await runScript(redis, raiseMarker, input, { deadlineMs: SCRIPT_MS }), 'probe', 'marker')
  } catch (error) {
    const { code, redisCode, cause } = error as { code?: string; redisCode?: string; cause?: unknown }
    const text = cause instanceof Error ? cause.message : (redisCode ?? String(error))
    return missing(code === 'ERR_REDIS_REFUSED' ? 'refused' : 'timeout', 'marker', `the marker: ${text}`)
  }
}

function waitFact(reply: Reply | undefined): Fact<number> {
  if (reply === undefined)
    return missing('not-shown', 'WAIT', 'not sent: no replica is wanted, or the probe could not write')
  return reply.ok ? known(Number(reply.value), 'probe', 'WAIT') : missingBy('WAIT', reply)
}

function waitAofFact(reply: Reply | undefined): ProbeFacts['waitAof'] {
  if (reply === undefined) return missing('not-shown', 'WAITAOF', 'WAITAOF needs Redis 7.2')
  return readWaitAof(reply)
}

/** The reply of WAITAOF: local and replica fsyncs, or an error. */
export function readWaitAof(reply: Reply): ProbeFacts['waitAof'] {
  if (!reply.ok)
    return /disabled/i.test(reply.text) ? known('disabled', 'probe', 'WAITAOF') : missingBy('WAITAOF', reply)
  const local = Array.isArray(reply.value) ? Number(reply.value[0]) : Number.NaN
  if (Number.isNaN(local)) return missing('not-shown', 'WAITAOF', 'WAITAOF shows nothing readable')
  return known(local === 0 ? 'silent' : local, 'probe', 'WAITAOF')
}
