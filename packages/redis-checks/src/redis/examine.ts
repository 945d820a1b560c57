import { systemClock } from '@safety/redis-core'
import type { Clock } from '@safety/redis-core'

import type { AccessNeed } from '../expectations.ts'
import type { ClusterMember, NodeFacts } from '../node-facts.ts'
import type { DeploymentFacts } from '../subject.ts'
import { isRefusal } from './connections.ts'
import type { Connections } from './connections.ts'
import { idOf, throughNat } from './dial-plan.ts'
import type { Address, DialPlan } from './dial-plan.ts'
import { absentNode } from './describe-node.ts'
import type { ReadAsk } from './describe-node.ts'
import { readNode } from './read-node.ts'
import { settle } from './reply.ts'

export interface ExamineAsk {
  readonly plan: DialPlan
  readonly connections: Connections
  readonly fast: boolean
  readonly clock: Clock
  readonly keyPrefix: string
  readonly need: AccessNeed
  readonly writeProbe: boolean
  readonly replicas: number | undefined
  readonly markerTtlMs: number
  readonly timeoutMs: number
  readonly nodeTimeoutMs: number
  readonly signal: AbortSignal | undefined
  /** What a watch learnt on earlier runs, by node. */
  readonly refusedBefore: ReadonlyMap<string, ReadonlySet<string>>
  readonly markerTags: ReadonlyMap<string, string>
}

interface Candidate {
  readonly address: Address
  readonly kind: 'data' | 'sentinel'
  readonly endpoint: boolean
}

const AT_ONCE = 8

/**
 * Reads every node behind the client. What does not answer in time is a finding, never an exception.
 *
 * @throws the reason of `signal`
 */
export async function examine(ask: ExamineAsk): Promise<DeploymentFacts> {
  // Ends what is pending: connecting as well as reading.
  const abort = (): void => ask.connections.close()
  ask.signal?.addEventListener('abort', abort, { once: true })
  try {
    return await examineAll(ask)
  } finally {
    ask.signal?.removeEventListener('abort', abort)
  }
}

async function examineAll(ask: ExamineAsk): Promise<DeploymentFacts> {
  const startedMs = systemClock.monotonic()
  const leftMs = (): number => Math.max(0, ask.timeoutMs - (systemClock.monotonic() - startedMs))
  const seen = new Map<string, NodeFacts>()
  let queue: Candidate[] = ask.plan.seeds.map(address => ({
    address,
    kind: ask.plan.kind === 'sentinel' ? ('sentinel' as const) : ('data' as const),
    endpoint: ask.plan.kind === 'standalone',
  }))
  const notExamined: string[] = []
  // The nodes a client starts from name others, and those may name more.
  while (queue.length > 0) {
    const fresh = unique(queue).filter(({ address }) => !seen.has(idOf(address)))
    for (let index = 0; index < fresh.length; index += AT_ONCE) {
      ask.signal?.throwIfAborted()
      const batch = fresh.slice(index, index + AT_ONCE)
      const facts = await Promise.all(batch.map(candidate => readCandidate(ask, candidate, leftMs())))
      for (const node of facts) seen.set(node.id, node)
    }
    queue = [...seen.values()]
      .flatMap(node => namedBy(node, ask.plan))
      .filter(({ address }) => !seen.has(idOf(address)))
  }
  ask.signal?.throwIfAborted()
  const nodes = withoutTwins([...seen.values()])
  for (const node of nodes) if (!node.reachable) notExamined.push(node.id)
  return {
    topology: topologyOf(ask.plan, nodes),
    clientKind: ask.plan.kind,
    nodes,
    notExamined,
    keyPrefix: ask.keyPrefix,
  }
}

async function readCandidate(ask: ExamineAsk, candidate: Candidate, leftMs: number): Promise<NodeFacts> {
  const { address, kind } = candidate
  const limitMs = Math.min(ask.nodeTimeoutMs, leftMs)
  if (limitMs < 1)
    return absentNode(candidate, { ok: false, how: 'timeout', code: 'ERR', text: 'no time was left for it' })
  const endMs = systemClock.monotonic() + limitMs
  const remainingMs = (): number => endMs - systemClock.monotonic()
  const opened = await ask.connections.open(address, kind, limitMs)
  if (!opened.ok) return absentNode(candidate, opened.reply)
  const read: ReadAsk = {
    ...candidate,
    inCluster: ask.plan.kind === 'cluster',
    fast: ask.fast,
    clock: ask.clock,
    masterName: ask.plan.masterName,
    prefix: ask.keyPrefix,
    user: ask.plan.user,
    need: ask.need,
    writeProbe: ask.writeProbe,
    replicas: ask.replicas,
    markerTtlMs: ask.markerTtlMs,
    skipCommands: ask.refusedBefore.get(idOf(address)) ?? new Set(),
    markerTag: ask.markerTags.get(idOf(address)),
  }
  // What is pending when the time is up is rejected, and shows as missing facts of a node that answered in part.
  const timer = systemClock.setTimeout(() => opened.redis.disconnect(), Math.max(1, remainingMs()))
  try {
    const facts = await readNode(opened.redis, read)
    if (facts.failure === null) return facts
    const leftMs = ask.signal?.aborted === true ? 0 : remainingMs()
    return { ...facts, failure: await trueReason(ask, candidate, facts.failure, { opened, leftMs }) }
  } finally {
    timer.cancel()
  }
}

/** Redis hangs up on long commands of a stranger, and a broken pipe then hides the refusal: a short one shows it. */
async function trueReason(
  ask: ExamineAsk,
  { address, kind }: Candidate,
  failure: NonNullable<NodeFacts['failure']>,
  { opened, leftMs }: { readonly opened: { lastError(): string | undefined }; readonly leftMs: number },
): Promise<NodeFacts['failure']> {
  const reason = opened.lastError()
  if (reason !== undefined && isRefusal(reason)) return { ...failure, text: reason, auth: true }
  if (failure.auth || failure.because === 'timeout') return failure
  if (leftMs < 1) return { ...failure, text: 'it did not answer in time', because: 'timeout' }
  const again = await ask.connections.open(address, kind, leftMs)
  const reply = again.ok ? await settle(again.redis.call('PING')) : again.reply
  if (!reply.ok && reply.how === 'auth') return { ...failure, text: reply.text, auth: true }
  return reason === undefined ? failure : { ...failure, text: reason }
}

/** The nodes a reply names, at the addresses where they are reachable from here. */
function namedBy(node: NodeFacts, plan: DialPlan): Candidate[] {
  const mapped = (text: string): Address => throughNat(parseAddress(text), plan.natMap)
  if (node.sentinel !== null) {
    const { master, replicas, others } = node.sentinel
    return [
      ...(master.known ? [{ address: mapped(master.value), kind: 'data' as const, endpoint: true }] : []),
      ...(replicas.known
        ? replicas.value.map(text => ({ address: mapped(text), kind: 'data' as const, endpoint: false }))
        : []),
      ...(others.known
        ? others.value.map(text => ({ address: mapped(text), kind: 'sentinel' as const, endpoint: false }))
        : []),
    ]
  }
  if (node.clusterMembers.known && node.mode.known && node.mode.value === 'cluster' && plan.kind === 'cluster') {
    return node.clusterMembers.value.map(member => ({
      address: member.flags.includes('myself') ? parseAddress(node.id) : mapped(addressOf(member)),
      kind: 'data' as const,
      endpoint: false,
    }))
  }
  if (plan.kind !== 'standalone' || !node.info.known) return []
  const named: Candidate[] = []
  for (let index = 0; node.info.value.has(`slave${index}`); index++) {
    const line = node.info.value.get(`slave${index}`) ?? ''
    const [, host, port] = /ip=([^,]+),port=(\d+)/.exec(line) ?? []
    if (host !== undefined && port !== undefined && port !== '0') {
      named.push({ address: { host, port: Number(port) }, kind: 'data', endpoint: false })
    }
  }
  return named
}

function addressOf({ host, port }: ClusterMember): string {
  return `${host}:${port}`
}

function parseAddress(text: string): Address {
  const colon = text.lastIndexOf(':')
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) }
}

function unique(candidates: readonly Candidate[]): Candidate[] {
  const byId = new Map<string, Candidate>()
  for (const candidate of candidates) {
    const id = idOf(candidate.address)
    // A sentinel may name a master that another names as a replica: the endpoint is remembered.
    const earlier = byId.get(id)
    if (earlier === undefined || (candidate.endpoint && !earlier.endpoint)) byId.set(id, candidate)
  }
  return [...byId.values()]
}

/** Two names with one run id are one node. */
function withoutTwins(nodes: readonly NodeFacts[]): NodeFacts[] {
  const seen = new Set<string>()
  return nodes.filter(({ runId }) => {
    if (!runId.known) return true
    if (seen.has(runId.value)) return false
    seen.add(runId.value)
    return true
  })
}

function topologyOf(plan: DialPlan, nodes: readonly NodeFacts[]): DeploymentFacts['topology'] {
  const answered = nodes.filter(node => node.reachable)
  if (plan.kind === 'sentinel') return 'sentinel'
  if (plan.kind === 'cluster')
    return answered.length === 0 ? 'unknown' : modeIs(answered, 'cluster') ? 'cluster' : 'standalone'
  if (answered.length === 0) return 'unknown'
  if (modeIs(answered, 'cluster')) return 'cluster'
  const hasReplicas = nodes.length > 1 || answered.some(node => node.role.known && node.role.value === 'replica')
  return hasReplicas ? 'replication' : 'standalone'
}

function modeIs(nodes: readonly NodeFacts[], mode: string): boolean {
  return nodes.some(node => node.mode.known && node.mode.value === mode)
}
