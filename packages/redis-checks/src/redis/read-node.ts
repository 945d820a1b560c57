import { systemClock } from '@safety/redis-core'
import type { Redis } from 'ioredis'

import { known } from '../fact.ts'
import type { Fact } from '../fact.ts'
import type { NodeFacts, SentinelFacts } from '../node-facts.ts'
import { compareVersions } from '../subject.ts'
import { tagWithin } from '../slot.ts'
import { readAccess } from './access-read.ts'
import { askConfig, readConfig } from './config-read.ts'
import { describeNode, readsMarker, refusals } from './describe-node.ts'
import type { ReadAsk, Replies } from './describe-node.ts'
import { markerKey } from './marker.ts'
import { probeNode } from './probe.ts'
import type { ProbeResult } from './probe.ts'
import { readSentinel } from './read-sentinel.ts'
import { missingBy, settle } from './reply.ts'
import type { Reply } from './reply.ts'

const PINGS = 5
const WAIT_DEFAULT = 1

const NOT_ASKED: Reply = { ok: false, how: 'server', code: 'ERR', text: 'not asked' }
/** Each try of a refused command leaves a line in the ACL log of the server. */
const REFUSED_BEFORE: Reply = { ok: false, how: 'NOPERM', code: 'NOPERM', text: 'refused before, not asked again' }

/** Everything one connected node shows. Commands that fail become missing facts. */
export async function readNode(redis: Redis, ask: ReadAsk): Promise<NodeFacts> {
  const replies = await askAll(redis, ask)
  const facts = describeNode(ask, replies)
  if (!facts.reachable) return facts
  if (ask.kind === 'sentinel') return { ...facts, sentinel: await askSentinel(redis, ask) }
  if (ask.fast) return facts
  const [latencyMs, config] = await Promise.all([medianPing(redis, replies), readConfig(redis, replies.config)])
  const full: NodeFacts = { ...facts, latencyMs, config: config.config, refused: refusals(replies, config) }
  const isMaster = full.role.known ? full.role.value === 'master' : full.endpoint
  if (!isMaster) return full
  const probed = await probe(redis, ask, full)
  const refused = probed.access?.aclRefused === true ? [{ command: 'ACL', how: 'NOPERM' as const }] : []
  return { ...full, ...probed, refused: [...full.refused, ...refused] }
}

async function askSentinel(redis: Redis, { masterName, fast }: ReadAsk): Promise<SentinelFacts | null> {
  return masterName === undefined ? null : readSentinel(redis, masterName, fast)
}

async function askAll(redis: Redis, ask: ReadAsk): Promise<Replies> {
  const data = ask.kind === 'data'
  const startedMs = systemClock.monotonic()
  const beforeMs = ask.clock.now()
  const send = async (wanted: boolean, command: string, ...args: string[]): Promise<Reply> => {
    if (!wanted) return NOT_ASKED
    return ask.skipCommands.has(command) ? REFUSED_BEFORE : settle(redis.call(command, ...args))
  }
  const ping = send(true, 'PING').then(reply => ({
    reply,
    latencyMs: systemClock.monotonic() - startedMs,
    localMs: (beforeMs + ask.clock.now()) / 2,
  }))
  const readsConfig = data && !ask.fast
  const marker = readsMarker(ask) && ask.markerTag !== undefined ? markerKey(ask.prefix, ask.markerTag) : undefined
  const [answered, hello, info, role, time, config, clusterInfo, clusterNodes, markerReply] = await Promise.all([
    ping,
    send(true, 'HELLO'),
    send(true, 'INFO', ...(data ? ['all'] : [])),
    send(data, 'ROLE'),
    send(data && !ask.fast, 'TIME'),
    readsConfig ? (ask.skipCommands.has('CONFIG GET') ? REFUSED_BEFORE : askConfig(redis)) : NOT_ASKED,
    send(data, 'CLUSTER', 'INFO'),
    send(data, 'CLUSTER', 'NODES'),
    marker === undefined ? NOT_ASKED : settle(redis.call('HGETALL', marker)),
  ])
  const { reply, latencyMs, localMs } = answered
  return {
    ping: reply,
    hello,
    info,
    role,
    time,
    config,
    clusterInfo,
    clusterNodes,
    marker: markerReply,
    latencyMs,
    localMs,
  }
}

async function medianPing(redis: Redis, replies: Replies): Promise<Fact<number>> {
  if (!replies.ping.ok) return missingBy('PING', replies.ping)
  const taken: number[] = []
  for (let count = 0; count < PINGS; count++) {
    const startedMs = systemClock.monotonic()
    const reply = await settle(redis.call('PING'))
    if (!reply.ok) return missingBy('PING', reply)
    taken.push(systemClock.monotonic() - startedMs)
  }
  return known([...taken].sort((a, b) => a - b)[Math.floor(PINGS / 2)] ?? 0, 'probe', 'median of 5 PING')
}

async function probe(redis: Redis, ask: ReadAsk, facts: NodeFacts): Promise<Partial<NodeFacts>> {
  const version = facts.version.known ? facts.version.value : '0'
  const mayDryRun = compareVersions(version, '7.0') >= 0
  const mayAskAcl = !ask.skipCommands.has('ACL')
  const tag = tagOf(facts)
  if (!ask.writeProbe || tag === undefined || (facts.loading.known && facts.loading.value)) {
    const key = `${ask.prefix}redis-checks:{0}:probe`
    return {
      access: await readAccess(redis, { key, need: ask.need, user: ask.user, mayTry: false, mayAskAcl, mayDryRun }),
    }
  }
  const result: ProbeResult = await probeNode(redis, {
    prefix: ask.prefix,
    user: ask.user,
    tag,
    need: ask.need,
    replicas: ask.replicas ?? (hasNoReplicas(facts) ? 0 : WAIT_DEFAULT),
    markerTtlMs: ask.markerTtlMs,
    waitAof: compareVersions(version, '7.2') >= 0,
    mayAskAcl,
    mayDryRun,
  })
  return { ...result, marker: result.probe.marker }
}

/** WAIT for somebody who is known not to exist would only take its whole time. */
function hasNoReplicas({ info }: NodeFacts): boolean {
  return info.known && info.value.get('connected_slaves') === '0'
}

/** A hash tag whose keys lie on this master; any outside Cluster, none for a master without slots. */
export function tagOf(facts: NodeFacts): string | undefined {
  const inCluster = facts.mode.known && facts.mode.value === 'cluster'
  if (!inCluster) return '0'
  if (!facts.clusterMembers.known) return undefined
  const self = facts.clusterMembers.value.find(member => member.flags.includes('myself'))
  return self === undefined ? undefined : tagWithin(self.slots)
}
