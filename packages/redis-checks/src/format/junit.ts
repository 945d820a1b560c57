import { weightOfUnknown, parseCaps } from '../level.ts'
import { checks } from '../catalogue.gen.ts'
import type { CheckResult, Report } from '../report.ts'

const caps = new Map(checks.map(check => [check.id, parseCaps(check.caps)]))

/** A suite per node, a case per check: fail is a failure, an unknown that weighs fail an error, another unknown skipped. */
export function toJunit(report: Report): string {
  const nodes = [...new Set([...report.results.map(({ node }) => node), ...report.skipped.map(({ node }) => node)])]
  const suites = nodes.map(node => suiteOf(report, node))
  const seconds = (report.durationMs / 1000).toFixed(3)
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="redis-checks ${xml(report.profile)}" time="${seconds}">`,
    ...suites,
    '</testsuites>',
    '',
  ].join('\n')
}

function suiteOf(report: Report, node: string | null): string {
  const results = report.results.filter(result => result.node === node)
  const skipped = report.skipped.filter(skip => skip.node === node)
  const outcomes = results.map(result => outcomeOf(report, result))
  const count = (kind: string): number => outcomes.filter(outcome => outcome === kind).length
  const attributes = [
    `name="${xml(node ?? 'deployment and client')}"`,
    `tests="${results.length + skipped.length}"`,
    `failures="${count('failure')}"`,
    `errors="${count('error')}"`,
    `skipped="${count('skipped') + skipped.length}"`,
    `timestamp="${xml(report.startedAt.replace(/\.\d+Z$/, ''))}"`,
  ]
  return [
    `  <testsuite ${attributes.join(' ')}>`,
    ...results.map((result, index) => caseOf(result, outcomes[index] ?? 'pass')),
    ...skipped.map(
      ({ id, reason, detail }) =>
        `    <testcase classname="skipped" name="${xml(id)}"><skipped message="${xml(`${reason}: ${detail}`)}"/></testcase>`,
    ),
    '  </testsuite>',
  ].join('\n')
}

function outcomeOf({ profile }: Report, { id, level }: CheckResult): 'pass' | 'failure' | 'error' | 'skipped' {
  if (level === 'fail') return 'failure'
  if (level !== 'unknown') return 'pass'
  const weight = weightOfUnknown(caps.get(id)?.[profile] ?? 'off', profile === 'idempotency.strict' ? 'fail' : 'warn')
  return weight === 'fail' ? 'error' : 'skipped'
}

function caseOf(result: CheckResult, outcome: ReturnType<typeof outcomeOf>): string {
  const open = `    <testcase classname="${xml(result.group)}" name="${xml(result.id)}"`
  if (outcome === 'pass' && (result.level === 'pass' || result.level === 'info')) return `${open}/>`
  const text = xml(
    `${result.observed}; expected ${result.expected}. ${result.message} ${result.remedy.text} ${result.remedy.command ?? ''}`.trim(),
  )
  if (outcome === 'pass') return `${open}><system-out>${text}</system-out></testcase>`
  const message = `message="${xml(result.observed)}"`
  if (outcome === 'skipped') return `${open}><skipped ${message}/></testcase>`
  return `${open}><${outcome} type="${result.level}" ${message}>${text}</${outcome}></testcase>`
}

/** XML 1.0 knows no other characters, not even as references. */
const NO_CHARACTER = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu

function xml(text: string): string {
  return text
    .replaceAll(NO_CHARACTER, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&apos;')
}
