import type { Clock } from '@safety/redis-core'

import { firstKnown, known, mapFact, missing } from '../fact.ts'
import type { Fact } from '../fact.ts'
import type { AccessNeed } from '../expectations.ts'
import type { ClusterMember, MarkerFacts, NodeFacts, Refusal } from '../node-facts.ts'
import { parseClusterNodes } from './cluster-nodes.ts'
import { idOf } from './dial-plan.ts'
import type { Address } from './dial-plan.ts'
import { linesOf, missingBy, pairsOf, refusalOf, textOf, toFact } from './reply.ts'
import type { Reply } from './reply.ts'

export interface ReadAsk {
  readonly address: Address
  readonly kind: 'data' | 'sentinel'
  readonly endpoint: boolean
  /** Whether the client takes it for a node of a Cluster. */
  readonly inCluster: boolean
  readonly fast: boolean
  readonly clock: Clock
  readonly masterName: string | undefined
  readonly prefix: string
  readonly user: string
  readonly need: AccessNeed
  readonly writeProbe: boolean
  readonly replicas: number | undefined
  readonly markerTtlMs: number
  /** Commands a watch was refused before: not sent again. */
  readonly skipCommands: ReadonlySet<string>
  /** Hash tag of the marker, from the last full run. */
  readonly markerTag: string | undefined
}

/** What a node answered to the one pipeline of reads. */
export interface Replies {
  readonly ping: Reply
  readonly hello: Reply
  readonly info: Reply
  readonly role: Reply
  readonly time: Reply
  readonly config: Reply
  readonly clusterInfo: Reply
  readonly clusterNodes: Reply
  readonly marker: Reply
  readonly latencyMs: number
  readonly localMs: number
}

/** A run without a write probe reads the marker an earlier one left. */
export function readsMarker(ask: ReadAsk): boolean {
  return ask.markerTag !== undefined && (ask.fast || !ask.writeProbe)
}

/** The facts a set of replies shows. */
export function describeNode(ask: ReadAsk, replies: Replies): NodeFacts {
  const { ping, hello, info: infoReply } = replies
  const info = toFact('INFO', infoReply, 'info', linesOf)
  const greeting = toFact('HELLO', hello, 'info', pairsOf)
  const gone = [ping, hello, infoReply].every(
    reply => !reply.ok && (reply.how === 'unreachable' || reply.how === 'timeout' || reply.how === 'auth'),
  )
  const failed = gone && !ping.ok ? ping : undefined
  const field = (name: string): Fact<string> => mapFact(info, fields => fields.get(name))
  const greeted = (name: string): Fact<string> => mapFact(greeting, fields => fields.get(name))
  return {
    id: idOf(ask.address),
    kind: ask.kind,
    endpoint: ask.endpoint,
    reachable: failed === undefined,
    failure:
      failed === undefined
        ? null
        : {
            text: failed.text,
            because: failed.how === 'timeout' ? 'timeout' : 'unreachable',
            auth: failed.how === 'auth',
          },
    role: roleOf(ask, replies, field('role'), greeted('role')),
    mode: modeOf(info, greeting),
    product: productOf(info, greeting),
    version: firstKnown(field('valkey_version'), field('redis_version'), greeted('version')),
    runId: field('run_id'),
    latencyMs: ping.ok ? known(replies.latencyMs, 'probe', 'PING') : missingBy('PING', ping),
    loading: loadingOf(ping, info),
    skewMs: skewOf(replies, info),
    info,
    config: new Map(),
    clusterInfo: toFact('CLUSTER INFO', replies.clusterInfo, 'info', linesOf),
    clusterMembers: toFact('CLUSTER NODES', replies.clusterNodes, 'info', membersOf),
    sentinel: null,
    access: null,
    probe: null,
    marker: readsMarker(ask) ? markerOf(replies.marker) : null,
    refused: refusals(replies),
  }
}

/** Standalone or cluster, as far as a server says. */
export function shownMode({ info, hello }: Pick<Replies, 'info' | 'hello'>): Fact<string> {
  return modeOf(toFact('INFO', info, 'info', linesOf), toFact('HELLO', hello, 'info', pairsOf))
}

function modeOf(info: Fact<ReadonlyMap<string, string>>, greeting: Fact<Map<string, string>>): Fact<string> {
  return firstKnown(
    mapFact(info, fields => fields.get('server_mode') ?? fields.get('redis_mode')),
    mapFact(greeting, fields => fields.get('mode')),
  )
}

function roleOf(ask: ReadAsk, replies: Replies, shown: Fact<string>, greeted: Fact<string>): NodeFacts['role'] {
  if (ask.kind === 'sentinel') return known('sentinel', 'info', 'topology')
  const asked = toFact('ROLE', replies.role, 'info', value => (Array.isArray(value) ? textOf(value[0]) : undefined))
  return mapFact(firstKnown(shown, greeted, asked), text =>
    text === 'master'
      ? 'master'
      : text === 'slave' || text === 'replica'
        ? 'replica'
        : text === 'sentinel'
          ? 'sentinel'
          : undefined,
  )
}

function productOf(info: Fact<ReadonlyMap<string, string>>, greeting: Fact<Map<string, string>>): Fact<string> {
  const named = mapFact(info, fields => {
    const name = fields.get('server_name')
    if (name !== undefined) return name
    if (fields.has('valkey_version')) return 'valkey'
    return fields.has('dragonfly_version')
      ? 'dragonfly'
      : fields.has('keydb_version')
        ? 'keydb'
        : fields.has('redis_version')
          ? 'redis'
          : undefined
  })
  return firstKnown(
    named,
    mapFact(greeting, fields => fields.get('server')),
  )
}

function loadingOf(ping: Reply, info: Fact<ReadonlyMap<string, string>>): Fact<boolean> {
  if (!ping.ok && ping.code === 'LOADING') return known(true, 'probe', 'PING')
  return firstKnown(
    mapFact(info, fields => (fields.has('loading') ? fields.get('loading') !== '0' : undefined)),
    ping.ok ? known(false, 'probe', 'PING') : missingBy('PING', ping),
  )
}

function skewOf(replies: Replies, info: Fact<ReadonlyMap<string, string>>): Fact<number> {
  const time = toFact('TIME', replies.time, 'probe', value => {
    const [seconds, micros] = Array.isArray(value) ? value.map(part => Number(textOf(part))) : []
    return seconds === undefined || micros === undefined ? undefined : seconds * 1000 + micros / 1000
  })
  const shown = mapFact(info, fields => {
    const micros = Number(fields.get('server_time_usec'))
    return Number.isNaN(micros) ? undefined : micros / 1000
  })
  return mapFact(firstKnown(time, shown), serverMs => serverMs - replies.localMs)
}

function membersOf(value: unknown): ClusterMember[] | undefined {
  const text = textOf(value)
  return text === '' ? undefined : parseClusterNodes(text)
}

function markerOf(reply: Reply): Fact<MarkerFacts> {
  return toFact('marker', reply, 'probe', value => {
    const fields = pairsOf(value)
    const id = fields?.get('id')
    if (fields === undefined || id === undefined) return undefined
    return { id, seq: Number(fields.get('seq')), createdMs: Number(fields.get('createdMs')), serverMs: 0 }
  })
}

/** The commands that were refused; CONFIG, which knows its own refusals, is not among them. */
export function refusals(replies: Replies): Refusal[] {
  const asked: [string, Reply][] = [
    ['HELLO', replies.hello],
    ['INFO', replies.info],
    ['ROLE', replies.role],
    ['TIME', replies.time],
    ['CLUSTER', replies.clusterInfo],
  ]
  return asked.flatMap(([command, reply]) => refusalOf(command, reply))
}

/** The facts of a node that did not answer. */
export function absentNode(
  ask: Pick<ReadAsk, 'address' | 'kind' | 'endpoint'>,
  reply: Reply & { readonly ok: false },
): NodeFacts {
  const because = reply.how === 'timeout' ? 'timeout' : 'unreachable'
  const gone = missing(because, 'connection', reply.text)
  return {
    id: idOf(ask.address),
    kind: ask.kind,
    endpoint: ask.endpoint,
    reachable: false,
    failure: { text: reply.text, because, auth: reply.how === 'auth' },
    role: ask.kind === 'sentinel' ? known('sentinel', 'info', 'topology') : gone,
    mode: gone,
    product: gone,
    version: gone,
    runId: gone,
    latencyMs: gone,
    loading: gone,
    skewMs: gone,
    info: gone,
    config: new Map(),
    clusterInfo: gone,
    clusterMembers: gone,
    sentinel: null,
    access: null,
    probe: null,
    marker: null,
    refused: [],
  }
}
