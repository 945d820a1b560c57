import type { Level, Profile } from './level.ts'
import type { CheckResult, Report } from './report.ts'
import type { DeploymentFacts } from './subject.ts'

interface Judged {
  readonly results: readonly CheckResult[]
  readonly level: Report['level']
  readonly complete: boolean
  readonly answered: boolean
  readonly deployment: DeploymentFacts
  readonly profile: Profile
}

/** Counts, and one sentence for a person who reads nothing else. */
export function summarize(judged: Judged): Report['summary'] {
  const counts: Record<Level, number> = { pass: 0, info: 0, warn: 0, unknown: 0, fail: 0 }
  for (const { level } of judged.results) counts[level] += 1
  return { counts, sentence: sentenceOf(judged, counts) }
}

function sentenceOf(
  { results, level, complete, answered, deployment, profile }: Judged,
  counts: Record<Level, number>,
): string {
  if (!answered) {
    const [first] = deployment.nodes
    const why = first === undefined || first.failure === null ? '' : ` (${first.id}: ${first.failure.text})`
    return `No node answered${why}: nothing is known about this Redis.`
  }
  const nodes = `${deployment.nodes.length} ${deployment.nodes.length === 1 ? 'node' : 'nodes'}`
  const partly = complete ? '' : ' The report is not complete.'
  const failing = idsAt(results, 'fail')
  if (failing.length > 0) {
    return `${profile}: ${count(counts.fail, 'finding breaks', 'findings break')} a guarantee on ${nodes}: ${list(failing)}.${partly}`
  }
  if (counts.unknown > 0) {
    return `${profile}: nothing disproved on ${nodes}, but ${count(counts.unknown, 'fact was', 'facts were')} not readable: ${list(idsAt(results, 'unknown'))}.${partly}`
  }
  if (level === 'warn') {
    return `${profile}: no guarantee is broken on ${nodes}; ${count(counts.warn, 'finding weakens', 'findings weaken')} one: ${list(idsAt(results, 'warn'))}.${partly}`
  }
  return `${profile}: not disproved on ${nodes} by ${count(counts.pass, 'check', 'checks')}.${partly}`
}

function idsAt(results: readonly CheckResult[], level: Level): string[] {
  return [...new Set(results.filter(result => result.level === level).map(result => result.id))]
}

function list(ids: readonly string[]): string {
  return ids.length <= 5 ? ids.join(', ') : `${ids.slice(0, 5).join(', ')} and ${ids.length - 5} more`
}

function count(amount: number, one: string, many: string): string {
  return `${amount} ${amount === 1 ? one : many}`
}
