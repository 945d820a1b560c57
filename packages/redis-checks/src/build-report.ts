import { createRequire } from 'node:module'

import { checks } from './catalogue.gen.ts'
import type { Assessment } from './assess.ts'
import { parseCaps, severityOf, weightOfUnknown, worstOf } from './level.ts'
import type { Level, Profile } from './level.ts'
import { INALIENABLE } from './options.ts'
import type { ResolvedOptions } from './options.ts'
import { GUARANTEES } from './report.ts'
import type { AcknowledgementState, CheckResult, Guarantee, NodeReport, Report } from './report.ts'
import type { Scrub } from './scrub.ts'
import { countersOf } from './subject.ts'
import type { DeploymentFacts } from './subject.ts'
import { summarize } from './summary.ts'

const ORDER: Record<Level, number> = { fail: 0, unknown: 1, warn: 2, info: 3, pass: 4 }
const caps = new Map(checks.map(check => [check.id, parseCaps(check.caps)]))
const { version } = createRequire(import.meta.url)('../package.json') as { version: string }

export interface BuildAsk {
  readonly deployment: DeploymentFacts
  readonly assessment: Assessment
  readonly options: ResolvedOptions
  readonly startedMs: number
  readonly nowMs: number
  readonly durationMs: number
  readonly scrub: Scrub
}

/** The verdict over the results of one run. */
export function buildReport(ask: BuildAsk): Report {
  const { deployment, assessment, options, scrub } = ask
  const acknowledgements = acknowledge(assessment.results, options, ask.nowMs)
  return {
    schemaVersion: 1,
    tool: { name: '@safety/redis-checks', version, node: process.versions.node },
    profile: options.profile,
    startedAt: new Date(ask.startedMs).toISOString(),
    durationMs: Math.round(ask.durationMs * 10) / 10,
    topology: deployment.topology,
    ...conclude(assessment.results, deployment, options),
    nodes: deployment.nodes.map(node => nodeReport(node, scrub)),
    skipped: [...assessment.skipped],
    acknowledgements,
  }
}

/** Everything that follows from the results, worst first. */
export function conclude(
  unsorted: readonly CheckResult[],
  deployment: DeploymentFacts,
  { profile, unknownAs }: Pick<ResolvedOptions, 'profile' | 'unknownAs'>,
): Pick<Report, 'level' | 'complete' | 'guarantees' | 'results' | 'summary'> {
  const results = [...unsorted].sort(byWorst)
  const answered = deployment.nodes.some(node => node.reachable)
  const complete = answered && !results.some(result => breaksCompleteness(result, profile))
  const level = worstOf(results.map(result => levelAtWeight(result, profile, unknownAs)))
  const guarantees = judgeGuarantees(results, deployment, profile)
  const summary = summarize({ results, level, complete, answered, deployment, profile })
  return { level, complete, guarantees, results, summary }
}

/** What a result weighs: its level, an unknown the lower of its cap and `unknownAs`. */
export function levelAtWeight(
  result: CheckResult,
  profile: Profile,
  unknownAs: 'warn' | 'fail',
): Exclude<Level, 'unknown'> {
  if (result.level !== 'unknown') return result.level
  return weightOfUnknown(caps.get(result.id)?.[profile] ?? 'off', unknownAs)
}

export function severityAtWeight(result: CheckResult, profile: Profile, unknownAs: 'warn' | 'fail'): number {
  return severityOf(levelAtWeight(result, profile, unknownAs))
}

function breaksCompleteness(result: CheckResult, profile: Profile): boolean {
  if (result.level !== 'unknown') return false
  return result.id === 'node-coverage' || caps.get(result.id)?.[profile] === 'fail'
}

function byWorst(a: CheckResult, b: CheckResult): number {
  return (
    ORDER[a.level] - ORDER[b.level] ||
    compareTexts(a.group, b.group) ||
    compareTexts(a.id, b.id) ||
    compareTexts(a.node ?? '', b.node ?? '')
  )
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Applies what was acknowledged; changes the results. */
function acknowledge(results: CheckResult[], options: ResolvedOptions, nowMs: number): AcknowledgementState[] {
  return options.acknowledge.map(given => {
    const node = given.node ?? null
    if (options.profile === 'idempotency.strict' && INALIENABLE.includes(given.id)) {
      return { id: given.id, node, state: 'refused' }
    }
    if (Date.parse(given.until) <= nowMs) return { id: given.id, node, state: 'expired' }
    let used = false
    for (const result of results) {
      const covered = result.id === given.id && (node === null || result.node === node)
      if (!covered || result.level === 'pass' || result.level === 'info') continue
      result.level = 'info'
      result.blocking = false
      result.acknowledged = { ...given }
      used = true
    }
    return { id: given.id, node, state: used ? 'applied' : 'unused' }
  })
}

function judgeGuarantees(
  results: readonly CheckResult[],
  deployment: DeploymentFacts,
  profile: Profile,
): Report['guarantees'] {
  const silentMaster = deployment.nodes.some(
    node => !node.reachable && node.kind === 'data' && (node.endpoint || deployment.topology === 'cluster'),
  )
  const noneAnswered = !deployment.nodes.some(node => node.reachable && node.kind === 'data')
  const judged = GUARANTEES.map(guarantee => {
    const own = results.filter(result => result.guarantees.includes(guarantee))
    const has = (level: Level): boolean => own.some(result => result.level === level)
    const unread = own.some(result => result.level === 'unknown' && caps.get(result.id)?.[profile] === 'fail')
    const state = has('fail')
      ? 'broken'
      : unread || silentMaster || noneAnswered
        ? 'unknown'
        : has('warn')
          ? 'weakened'
          : 'not-disproved'
    return [guarantee, state] as const
  })
  return Object.fromEntries(judged) as Record<Guarantee, Report['guarantees'][Guarantee]>
}

function nodeReport(node: DeploymentFacts['nodes'][number], scrub: Scrub): NodeReport {
  return {
    id: node.id,
    role: node.role.known ? node.role.value : 'unknown',
    reachable: node.reachable,
    product: node.product.known ? scrub(node.product.value) : null,
    version: node.version.known ? scrub(node.version.value) : null,
    runId: node.runId.known ? scrub(node.runId.value) : null,
    refused: node.refused.map(refusal => ({ ...refusal })),
    counters: countersOf(node),
    marker: node.marker?.known === true ? { id: scrub(node.marker.value.id), seq: node.marker.value.seq } : null,
  }
}
