import { checks } from '../catalogue.gen.ts'
import type { CheckResult, Report } from '../report.ts'

const SCHEMA = 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json'
const LEVELS = { fail: 'error', warn: 'warning', info: 'note', unknown: 'none', pass: 'none' } as const

/** SARIF 2.1.0: a rule per check; an unknown is `kind: review`, what was acknowledged is suppressed. */
export function toSarif(report: Report, file?: string): string {
  const index = new Map(checks.map((check, position) => [check.id, position]))
  const log = {
    $schema: SCHEMA,
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'redis-checks',
            ...(report.tool['version'] === undefined ? {} : { version: report.tool['version'] }),
            rules: checks.map(check => ({
              id: check.id,
              name: check.id,
              shortDescription: { text: check.title },
              fullDescription: { text: check.why },
              help: { text: [check.remedy.text, check.remedy.command].filter(Boolean).join('\n') },
              properties: { group: check.group, thresholds: check.thresholds },
            })),
          },
        },
        invocations: [{ executionSuccessful: report.complete, startTimeUtc: report.startedAt }],
        results: report.results.map(result => resultOf(result, index.get(result.id) ?? 0, file)),
        properties: { profile: report.profile, summary: report.summary.sentence },
      },
    ],
  }
  return `${JSON.stringify(log, null, 2)}\n`
}

function resultOf(result: CheckResult, ruleIndex: number, file: string | undefined): object {
  const { level, acknowledged, node } = result
  const remedy = [result.remedy.text, result.remedy.command].filter(Boolean).join(' ')
  // With another kind than fail the level must be none.
  const kind = level === 'pass' ? 'pass' : level === 'unknown' ? 'review' : 'fail'
  return {
    ruleId: result.id,
    ruleIndex,
    kind,
    level: LEVELS[level],
    message: { text: `${result.observed}; expected ${result.expected}. ${result.message} ${remedy}` },
    locations: [
      {
        logicalLocations: [{ fullyQualifiedName: node === null ? 'deployment' : `redis://${node}`, kind: 'resource' }],
        ...(file === undefined
          ? {}
          : { physicalLocation: { artifactLocation: { uri: encodeURI(file.toWellFormed()) } } }),
      },
    ],
    ...(acknowledged === undefined
      ? {}
      : { suppressions: [{ kind: 'external', status: 'accepted', justification: acknowledged.reason }] }),
    properties: { evidence: result.evidence, source: result.source, group: result.group },
  }
}
