import type { Redis } from 'ioredis'

import { known, mapFact, missing } from '../fact.ts'
import type { SentinelFacts } from '../node-facts.ts'
import { missingBy, pairsOf, settle, toFact } from './reply.ts'
import type { Reply } from './reply.ts'

/** What one sentinel knows of the group. */
export async function readSentinel(redis: Redis, name: string, fast: boolean): Promise<SentinelFacts> {
  const [master, replicas, others, quorum] = await Promise.all([
    settle(redis.call('SENTINEL', 'MASTER', name)),
    settle(redis.call('SENTINEL', 'REPLICAS', name)),
    fast ? undefined : settle(redis.call('SENTINEL', 'SENTINELS', name)),
    settle(redis.call('SENTINEL', 'CKQUORUM', name)),
  ])
  const fields = toFact('SENTINEL MASTER', master, 'info', pairsOf)
  return {
    master: mapFact(fields, pairs => addressOf(pairs)),
    masterFields: fields,
    replicas: toFact('SENTINEL REPLICAS', replicas, 'info', addressesOf),
    others:
      others === undefined
        ? missing('not-shown', 'SENTINEL SENTINELS', 'not asked in a fast run')
        : toFact('SENTINEL SENTINELS', others, 'info', addressesOf),
    quorum: quorumOf(quorum),
  }
}

function quorumOf(reply: Reply): SentinelFacts['quorum'] {
  if (reply.ok) return known({ usable: true, text: String(reply.value) }, 'info', 'SENTINEL CKQUORUM')
  if (reply.code === 'NOQUORUM' || reply.how === 'server') {
    return known({ usable: false, text: reply.text }, 'info', 'SENTINEL CKQUORUM')
  }
  return missingBy('SENTINEL CKQUORUM', reply)
}

function addressesOf(value: unknown): string[] | undefined {
  if (!Array.isArray(value)) return undefined
  return value.flatMap(item => addressOf(pairsOf(item) ?? new Map<string, string>()) ?? [])
}

function addressOf(fields: ReadonlyMap<string, string>): string | undefined {
  const ip = fields.get('ip')
  const port = fields.get('port')
  return ip === undefined || port === undefined ? undefined : `${ip}:${port}`
}
