import { isClientCheck } from './check.ts'
import type { Check } from './check.ts'
import { checks } from './catalogue.gen.ts'
import type { ClientSubject } from './client-subject.ts'
import { remedyToSee } from './finding.ts'
import type { Finding, LevelFinding, Remedy } from './finding.ts'
import { lowerTo, parseCaps } from './level.ts'
import type { Cap } from './level.ts'
import type { LossSignal } from './loss-signal.ts'
import type { NodeFacts } from './node-facts.ts'
import type { ResolvedOptions } from './options.ts'
import type { CheckResult, Skipped } from './report.ts'
import type { Scrub } from './scrub.ts'
import { shellLine } from './shell.ts'
import { createSubject } from './subject.ts'
import type { DeploymentFacts, DeploymentSubject, NodeSubject, RunContext } from './subject.ts'

export interface Assessment {
  readonly results: CheckResult[]
  readonly skipped: Skipped[]
  readonly crashed: { readonly id: string; readonly node: string | null; readonly message: string }[]
}

export interface AssessAsk {
  readonly deployment: DeploymentFacts
  readonly client: ClientSubject | null
  readonly options: ResolvedOptions
  readonly context: RunContext
  readonly signals: readonly LossSignal[]
  readonly scrub: Scrub
  /** How redis-cli logs in to a node of this deployment; no address, no secret. */
  readonly cliFlags: (kind: NodeFacts['kind']) => readonly string[]
}

interface Collector extends Assessment {
  readonly ask: AssessAsk
}

/** Runs every check of the catalogue over the facts. Each id ends in a result or is skipped, for each node in scope. */
export function assess(ask: AssessAsk): Assessment {
  const collector: Collector = { ask, results: [], skipped: [], crashed: [] }
  const subjects = ask.deployment.nodes.map(node => subjectOf(ask, node))
  const deployment: DeploymentSubject = {
    deployment: ask.deployment,
    context: ask.context,
    data: subjects.filter(({ node }) => node.reachable && node.kind === 'data'),
    sentinels: subjects.filter(({ node }) => node.reachable && node.kind === 'sentinel'),
  }
  for (const check of checks) {
    const reason = leftOut(ask, check)
    if (reason === undefined) runCheck(collector, check, subjects, deployment)
    else collector.skipped.push({ id: check.id, node: null, ...reason })
  }
  return collector
}

function subjectOf({ deployment, options, context, signals }: AssessAsk, node: NodeFacts): NodeSubject {
  const previous = options.previous?.nodes.find(earlier => earlier.id === node.id)
  const own = signals.filter(signal => signal.node === node.id)
  return createSubject(node, deployment, context, { previous, signals: own })
}

function leftOut({ options, context }: AssessAsk, check: Check): Pick<Skipped, 'reason' | 'detail'> | undefined {
  const { only, skip, profile } = options
  if (skip.has(check.id) || (only !== undefined && !only.has(check.id))) {
    return { reason: 'not-selected', detail: 'left out by the options' }
  }
  if (context.fast && check.fast !== true) return { reason: 'not-selected', detail: 'not part of the fast run' }
  if (parseCaps(check.caps)[profile] === 'off') {
    return { reason: 'not-applicable', detail: `not run in ${profile}` }
  }
  return undefined
}

function runCheck(
  collector: Collector,
  check: Check,
  subjects: readonly NodeSubject[],
  deployment: DeploymentSubject,
): void {
  const { client } = collector.ask
  if (isClientCheck(check)) {
    if (client === null)
      return skipOne(collector, check, null, 'not-selected', 'the options of the client are not judged')
    if (!check.on.includes(client.role)) {
      return skipOne(collector, check, null, 'not-applicable', `not judged for the role ${client.role}`)
    }
    return judge(collector, check, null, () => check.judge(client))
  }
  if (check.on === 'deployment') return judge(collector, check, null, () => check.judge(deployment))
  const scope = subjects.filter(subject => isInScope(check.on, subject))
  if (scope.length === 0)
    return skipOne(collector, check, null, 'not-applicable', `there is no ${SCOPE_NAMES[check.on]}`)
  for (const subject of scope) {
    const { node } = subject
    if (!node.reachable && check.id !== 'reachable') {
      skipOne(collector, check, node.id, 'unreachable', node.failure?.text ?? 'did not answer')
    } else judge(collector, check, node.id, () => check.judge(subject))
  }
}

const SCOPE_NAMES = { data: 'data node', masters: 'master', sentinels: 'sentinel', all: 'node' } as const

function isInScope(on: keyof typeof SCOPE_NAMES, { node, isMaster }: NodeSubject): boolean {
  if (on === 'all') return true
  if (on === 'sentinels') return node.kind === 'sentinel'
  return node.kind === 'data' && (on === 'data' || isMaster)
}

function skipOne(
  collector: Collector,
  check: Check,
  node: string | null,
  reason: Skipped['reason'],
  detail: string,
): void {
  collector.skipped.push({ id: check.id, node, reason, detail: collector.ask.scrub(detail) })
}

function judge(collector: Collector, check: Check, node: string | null, run: () => Finding): void {
  let finding: Finding
  try {
    finding = run()
  } catch (error) {
    const message = collector.ask.scrub(error instanceof Error ? error.message : String(error))
    collector.crashed.push({ id: check.id, node, message })
    finding = {
      kind: 'unknown',
      because: 'crashed',
      observed: `the check crashed: ${message}`,
      message: 'The check itself failed, which says nothing about Redis.',
      source: check.id,
    }
  }
  if (finding.kind === 'skip') return skipOne(collector, check, node, finding.reason, finding.detail)
  collector.results.push(toResult(collector.ask, check, node, finding))
}

function toResult(
  ask: AssessAsk,
  check: Check,
  node: string | null,
  finding: Exclude<Finding, { kind: 'skip' }>,
): CheckResult {
  const { options, scrub } = ask
  const cap: Cap = parseCaps(check.caps)[options.profile]
  const given: Partial<LevelFinding> = finding.kind === 'level' ? finding : {}
  const level = finding.kind === 'level' ? lowerTo(finding.level, cap) : 'unknown'
  const remedy = finding.remedy ?? (finding.kind === 'unknown' ? remedyToSee(finding.because) : check.remedy)
  return {
    id: check.id,
    group: check.group,
    node,
    level,
    rawLevel: level,
    blocking: check.blocking === true && level === 'fail',
    ...(finding.kind === 'unknown' ? { unknownBecause: finding.because } : {}),
    observed: scrub(finding.observed),
    expected: scrub(given.expected ?? check.expected),
    evidence: finding.kind === 'level' ? finding.evidence : 'none',
    source: finding.source,
    guarantees: [...check.guarantees],
    message: scrub(finding.message),
    remedy: addressed(ask, remedy, node),
    docs: docsOf(check.id),
    data: scrubbed(given.data ?? {}, scrub),
  }
}

// oxlint-disable-next-line no-control-regex -- they are what is refused
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/

/** The command of a remedy goes to the node it is about. */
function addressed({ deployment, cliFlags }: AssessAsk, remedy: Remedy, about: string | null): CheckResult['remedy'] {
  const { text, command } = remedy
  const id = remedy.node ?? about
  // It may hold names a server gave; one that no terminal shows as it is, is not offered for typing.
  if (command === undefined || UNPRINTABLE.test(command)) return { text }
  if (id === null || !command.startsWith('redis-cli ')) return { text, command }
  const colon = id.lastIndexOf(':')
  const where = colon === -1 ? ['-s', id] : ['-h', id.slice(0, colon), '-p', id.slice(colon + 1)]
  const kind = deployment.nodes.find(node => node.id === id)?.kind ?? 'data'
  return { text, command: shellLine('redis-cli', ...where, ...cliFlags(kind)) + command.slice('redis-cli'.length) }
}

function scrubbed(data: CheckResult['data'], scrub: Scrub): CheckResult['data'] {
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) => [name, typeof value === 'string' ? scrub(value) : value]),
  )
}

export function docsOf(id: string): string {
  return `redis-checks doctor --explain ${id}`
}

/** Ids whose findings may pass by themselves. */
export const TRANSIENT: ReadonlySet<string> = new Set([
  'reachable',
  'loading',
  'failover-in-progress',
  'cluster-state',
  'replica-count',
])
