import { systemClock } from '@safety/redis-core'
import type { Redis } from 'ioredis'

import { known } from '../fact.ts'
import type { Fact } from '../fact.ts'
import type { NodeFacts, SentinelFacts } from '../node-facts.ts'
import { compareVersions } from '../subject.ts'
import { tagWithin } from '../slot.ts'
import { readAccess } from './access-read.ts'
import { askConfig, readConfig } from './config-read.ts'
import { describeNode, readsMarker, refusals, shownMode } from './describe-node.ts'
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
  const replies = await withCluster(redis, ask, await askAll(redis, ask))
  const facts = describeNode(ask, replies)
  if (!facts.reachable) return facts
  if (ask.kind === 'sentinel') return { ...facts, sentinel: await askSentinel(redis, ask) }
  if (ask.fast) return facts
  // Alone on the connection: what measures time waits for no other reply.
  const latencyMs = await medianPing(redis, replies)
  const isMaster = facts.role.known ? facts.role.value === 'master' : facts.endpoint
  const [{ config, refused }, probed] = await Promise.all([
    readConfig(redis, replies.config),
    isMaster ? probe(redis, ask, facts) : undefined,
  ])
  const acl = probed?.access?.aclRefused === true ? [{ command: 'ACL', how: 'NOPERM' as const }] : []
  return { ...facts, ...probed, latencyMs, config, refused: [...refusals(replies), ...refused, ...acl] }
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
    send(data && (ask.inCluster || !ask.fast), 'CLUSTER', 'INFO'),
    send(data && (ask.inCluster || !ask.fast), 'CLUSTER', 'NODES'),
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

/**
 * A server that is none of a Cluster answers CLUSTER by an error, which it counts and its operator sees. A fast run, which
 * comes every half minute, asks only where the client or the server speaks of a Cluster, or the server does not say.
 */
async function withCluster(redis: Redis, ask: ReadAsk, replies: Replies): Promise<Replies> {
  if (ask.kind !== 'data' || ask.inCluster || !ask.fast || !replies.ping.ok) return replies
  const mode = shownMode(replies)
  if (mode.known && mode.value !== 'cluster') return replies
  if (ask.skipCommands.has('CLUSTER')) return { ...replies, clusterInfo: REFUSED_BEFORE, clusterNodes: REFUSED_BEFORE }
  const [clusterInfo, clusterNodes] = await Promise.all([
    settle(redis.call('CLUSTER', 'INFO')),
    settle(redis.call('CLUSTER', 'NODES')),
  ])
  return { ...replies, clusterInfo, clusterNodes }
}

async function medianPing(redis: Redis, replies: Replies): Promise<Fact<number>> {
  if (!replies.ping.ok) return missingBy('PING', replies.ping)
  const taken = [replies.latencyMs]
  while (taken.length < PINGS) {
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
      access: await readAccess(redis, {
        key,
        need: ask.need,
        user: ask.user,
        mayTry: Promise.resolve(false),
        mayAskAcl,
        mayDryRun,
      }),
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
