import { firstKnown, known, mapFact, missing, numberOf } from './fact.ts'
import type { Fact } from './fact.ts'
import type { Expectations } from './expectations.ts'
import type { Profile } from './level.ts'
import type { LossSignal } from './loss-signal.ts'
import type { NodeFacts } from './node-facts.ts'
import type { NodeReport, Topology } from './report.ts'

/** What is true for the whole run. */
export interface RunContext {
  readonly profile: Profile
  readonly expect: Expectations
  readonly nowMs: number
  readonly writeProbe: boolean
  readonly fast: boolean
  /** Epoch time of `expect.attest` entries that have run out is already taken out. */
  readonly attested: ReadonlyMap<string, string>
}

/** The deployment as it was found. */
export interface DeploymentFacts {
  readonly topology: Topology | 'unknown'
  /** How the client connects. */
  readonly clientKind: 'standalone' | 'sentinel' | 'cluster'
  readonly nodes: readonly NodeFacts[]
  /** Nodes that a reply names and that were not examined. */
  readonly notExamined: readonly string[]
  /** After the client's own keyPrefix. */
  readonly keyPrefix: string
}

export interface DeploymentSubject {
  readonly deployment: DeploymentFacts
  readonly context: RunContext
  /** The data nodes that answered. */
  readonly data: readonly NodeSubject[]
  readonly sentinels: readonly NodeSubject[]
}

/** One node in the eyes of a check. */
export interface NodeSubject {
  readonly node: NodeFacts
  readonly deployment: DeploymentFacts
  readonly context: RunContext
  readonly previous: NodeReport | undefined
  readonly signals: readonly LossSignal[]
  /** True in `idempotency.strict`. */
  readonly strict: boolean
  readonly isMaster: boolean
  /** Replicas this node names, and that are online. */
  readonly replicas: Fact<readonly ReplicaLine[]>
  /** A setting by CONFIG, else by INFO fields that show it, else as attested. */
  readonly setting: (name: string, ...infoFields: string[]) => Fact<string>
  readonly settingNumber: (name: string, ...infoFields: string[]) => Fact<number>
  /** The first INFO field that is shown; names of older and newer servers. */
  readonly info: (...fields: string[]) => Fact<string>
  readonly infoNumber: (...fields: string[]) => Fact<number>
  /** How much a counter grew since the previous report; a counter below the earlier one counts from zero. */
  readonly grew: (counter: string) => number | null
  /** Whether this server is Redis or Valkey of at least this Redis level. */
  readonly atLeast: (version: string) => boolean
}

export interface ReplicaLine {
  readonly address: string
  readonly state: string
  readonly lagSeconds: number | null
}

export function createSubject(
  node: NodeFacts,
  deployment: DeploymentFacts,
  context: RunContext,
  earlier: { readonly previous: NodeReport | undefined; readonly signals: readonly LossSignal[] },
): NodeSubject {
  const info = (...fields: string[]): Fact<string> => infoField(node, fields)
  const setting = (name: string, ...infoFields: string[]): Fact<string> => settingOf(node, context, name, infoFields)
  return {
    node,
    deployment,
    context,
    ...earlier,
    strict: context.profile === 'idempotency.strict',
    isMaster: node.role.known ? node.role.value === 'master' : node.endpoint,
    replicas: mapFact(node.info, replicaLines),
    setting,
    settingNumber: (name, ...fields) => numberOf(setting(name, ...fields)),
    info,
    infoNumber: (...fields) => numberOf(info(...fields)),
    grew(counter) {
      const before = earlier.previous?.counters[counter]
      if (before === undefined) return null
      const now = countersOf(node)[counter]
      if (now === undefined) return null
      return now < before ? now : now - before
    },
    atLeast: version => node.version.known && compareVersions(node.version.value, version) >= 0,
  }
}

function infoField(node: NodeFacts, fields: readonly string[]): Fact<string> {
  if (!node.info.known) return node.info
  for (const field of fields) {
    const value = node.info.value.get(field)
    if (value !== undefined) return known(value, 'info', `INFO ${field}`)
  }
  return missing('not-shown', `INFO ${fields[0] ?? ''}`, `INFO does not show ${fields.join(' or ')}`)
}

function settingOf(node: NodeFacts, context: RunContext, name: string, fields: readonly string[]): Fact<string> {
  const config = node.config.get(name) ?? missing('not-shown', `CONFIG ${name}`, `CONFIG does not show ${name}`)
  const attested = context.attested.get(name)
  return firstKnown<string>(
    config,
    ...(fields.length > 0 ? [infoField(node, fields)] : []),
    ...(attested === undefined ? [] : [known(attested, 'attested', `expect.attest ${name}`)]),
  )
}

/** The counters a later run compares with. */
export function countersOf(node: NodeFacts): Record<string, number> {
  if (!node.info.known) return {}
  const fields = node.info.value
  const counters: Record<string, number> = {}
  for (const name of ['evicted_keys', 'rejected_connections', 'uptime_in_seconds', 'rdb_saves', 'aof_rewrites']) {
    const value = Number(fields.get(name))
    if (fields.has(name) && !Number.isNaN(value)) counters[name] = value
  }
  counters['oom_errors'] = callsIn(fields.get('errorstat_OOM'), 'count')
  for (const command of ['flushall', 'flushdb', 'swapdb']) {
    if (fields.has('cmdstat_info') || fields.has(`cmdstat_${command}`)) {
      counters[`${command}_calls`] = callsIn(fields.get(`cmdstat_${command}`), 'calls')
    }
  }
  return counters
}

function callsIn(line: string | undefined, name: string): number {
  return Number(new RegExp(`(?:^|,)${name}=(\\d+)`).exec(line ?? '')?.[1] ?? 0)
}

function replicaLines(fields: ReadonlyMap<string, string>): ReplicaLine[] {
  const lines: ReplicaLine[] = []
  for (let index = 0; fields.has(`slave${index}`); index++) {
    const parts = new Map(
      (fields.get(`slave${index}`) ?? '').split(',').map(pair => pair.split('=') as [string, string]),
    )
    const lag = parts.get('lag')
    lines.push({
      address: `${parts.get('ip') ?? '?'}:${parts.get('port') ?? '?'}`,
      state: parts.get('state') ?? 'unknown',
      lagSeconds: lag === undefined || Number.isNaN(Number(lag)) ? null : Number(lag),
    })
  }
  return lines
}

/** Negative when `left` is older. Only the numbers count: `7.2.0-rc1` is 7.2.0. */
export function compareVersions(left: string, right: string): number {
  const parts = (text: string): number[] => text.split('.').map(part => Number.parseInt(part, 10) || 0)
  const [a, b] = [parts(left), parts(right)]
  for (let index = 0; index < 3; index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
