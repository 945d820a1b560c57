import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { catalogue, formatReport } from '../src/index.ts'
import type { CheckResult, Format, Level, Report, SkipReason } from '../src/index.ts'
import { createScrub } from '../src/scrub.ts'
import { PROFILES } from './harness.ts'
import { junitErrors, sarifErrors } from './validators.ts'

const FORMATS: readonly Format[] = ['table', 'json', 'junit', 'sarif', 'markdown']

/** The parts of a log the tests look at; its shape is judged by the schema. */
interface SarifLog {
  readonly runs: [
    {
      readonly tool: { readonly driver: { readonly rules: readonly { readonly id: string }[] } }
      readonly results: [
        {
          readonly kind: string
          readonly level: string
          readonly ruleIndex: number
          readonly locations: readonly unknown[]
        },
      ]
    },
  ]
}

function sample(changes: Partial<CheckResult> = {}, more: readonly CheckResult[] = []): Report {
  const result: CheckResult = {
    id: 'eviction-policy',
    group: 'memory',
    node: '127.0.0.1:6379',
    level: 'fail',
    rawLevel: 'fail',
    blocking: false,
    observed: 'volatile-lru',
    expected: 'noeviction',
    evidence: 'config',
    source: 'CONFIG GET maxmemory-policy',
    guarantees: ['record-stays'],
    message: 'Records disappear.',
    remedy: { text: 'Set it.', command: 'redis-cli CONFIG SET maxmemory-policy noeviction' },
    docs: 'redis-checks doctor --explain eviction-policy',
    data: {},
    ...changes,
  }
  return {
    schemaVersion: 1,
    tool: { name: '@safety/redis-checks', version: '0.1.0' },
    profile: 'idempotency.strict',
    startedAt: '2026-01-01T00:00:00.000Z',
    durationMs: 12,
    topology: 'standalone',
    level: 'fail',
    complete: true,
    guarantees: {
      'record-stays': 'broken',
      'survives-crash': 'not-disproved',
      'single-owner': 'not-disproved',
      'answers-in-time': 'not-disproved',
      'shared-state': 'not-disproved',
      'honest-report': 'not-disproved',
    },
    nodes: [],
    results: [result, ...more],
    skipped: [{ id: 'role', node: null, reason: 'not-selected', detail: 'left out <by> "options" & more' }],
    acknowledgements: [],
    summary: { counts: { pass: 0, info: 0, warn: 0, unknown: 0, fail: 1 }, sentence: 'One finding.' },
  }
}

/** Any code points, control characters and halves of pairs too: what a report from elsewhere may hold. */
const anyText = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '',
    ']]>',
    '<!--',
    '-->',
    '&#0;',
    '\u0000\u0008\u001f',
    '\ud800',
    'x\udfff',
    '\ufffe\uffff',
    '\r\n\t',
  ),
)
const anyNode = fc.option(fc.constantFrom('127.0.0.1:6379', '[2001:db8::1]:6379', '/tmp/redis <1> "&".sock', 'tést:1'))
const anyAcknowledgement = fc.record({ id: fc.constant('role'), reason: anyText, until: fc.constant('2999-01-01') })
const anyResult: fc.Arbitrary<CheckResult> = fc
  .record({
    entry: fc.constantFrom(...catalogue),
    node: anyNode,
    level: fc.constantFrom<Level>('pass', 'info', 'warn', 'unknown', 'fail'),
    blocking: fc.boolean(),
    observed: anyText,
    expected: anyText,
    evidence: fc.constantFrom<CheckResult['evidence']>(
      'probe',
      'config',
      'info',
      'trace',
      'options',
      'attested',
      'none',
    ),
    source: anyText,
    message: anyText,
    remedy: fc.record({ text: anyText, command: anyText }, { requiredKeys: ['text'] }),
    acknowledged: fc.option(anyAcknowledgement, { nil: undefined }),
  })
  .map(({ entry, acknowledged, ...rest }) => ({
    ...rest,
    id: entry.id,
    group: entry.group,
    rawLevel: rest.level,
    guarantees: entry.guarantees,
    docs: '',
    data: {},
    ...(acknowledged === undefined ? {} : { acknowledged }),
  }))
const anyReport: fc.Arbitrary<Report> = fc
  .record({
    profile: fc.constantFrom(...PROFILES),
    startedAt: fc.date({ min: new Date(0), max: new Date('9999-01-01'), noInvalidDate: true }),
    durationMs: fc.integer({ min: 0, max: 60_000 }),
    complete: fc.boolean(),
    results: fc.array(anyResult, { maxLength: 8 }),
    skipped: fc.array(
      fc.record({
        id: fc.constantFrom(...catalogue.map(({ id }) => id)),
        node: anyNode,
        reason: fc.constantFrom<SkipReason>('not-selected', 'unreachable'),
        detail: anyText,
      }),
      { maxLength: 4 },
    ),
    sentence: anyText,
  })
  .map(({ sentence, startedAt, ...rest }) => ({
    ...sample(),
    ...rest,
    startedAt: startedAt.toISOString(),
    summary: { counts: { pass: 0, info: 0, warn: 0, unknown: 0, fail: 1 }, sentence },
  }))

/** The elements of a JUnit report, in order. */
function elementsOf(text: string): string[] {
  return [...text.matchAll(/<([a-z-]+)[\s/>]/g)].map(([, name = '']) => name)
}

describe('formats', () => {
  test('JUnit has a suite per node, and failure, error and skipped by the weight of a result [claim 33]', async () => {
    const unknown = (id: string): CheckResult => ({ ...(sample().results[0] as CheckResult), id, level: 'unknown' })
    const text = formatReport(sample({}, [unknown('persistence'), unknown('memory-limit')]), 'junit')
    expect(elementsOf(text)).toEqual(
      'testsuites testsuite testcase failure testcase error testcase skipped testsuite testcase skipped'.split(' '),
    )
    expect(text).toContain('tests="3" failures="1" errors="1" skipped="1"')
    expect(await junitErrors(text)).toEqual([])
  })

  test('JUnit of any report validates against the schema, and its counts are those of its cases [claim 33]', async () => {
    const batches = fc.array(anyReport, { minLength: 25, maxLength: 25 })
    await fc.assert(
      fc.asyncProperty(batches, async reports => {
        const texts = reports.map(report => formatReport(report, 'junit'))
        expect(await junitErrors(...texts)).toEqual([])
        for (const text of texts) {
          const counted = (name: string): number => elementsOf(text).filter(element => element === name).length
          const claimed = (attribute: string): number =>
            [...text.matchAll(new RegExp(`<testsuite [^>]*\\b${attribute}="(\\d+)"`, 'g'))].reduce(
              (sum, [, count]) => sum + Number(count),
              0,
            )
          expect([claimed('tests'), claimed('failures'), claimed('errors'), claimed('skipped')]).toEqual(
            ['testcase', 'failure', 'error', 'skipped'].map(counted),
          )
        }
      }),
      { numRuns: 4 },
    )
  }, 120_000)

  test('the JUnit schema refuses what the format forbids', async () => {
    const suite = (attributes: string, content = ''): string =>
      `<testsuites><testsuite ${attributes}>${content}</testsuite></testsuites>`
    const good = 'name="a" tests="1"'
    const two = '<testcase name="b" classname="c"><failure/><skipped/></testcase>'
    const twice = `<testsuites><testsuite ${good}/><testsuite ${good}/></testsuites>`
    for (const text of [
      suite('tests="1"'),
      suite('name="a"'),
      suite('name="a" tests="-1"'),
      suite(`${good} timestamp="2026-01-01T00:00:00Z"`),
      suite(`${good} other="x"`),
      suite(good, '<testcase name="b"/>'),
      suite(good, two),
      suite(good, 'text'),
      twice,
      '<report/>',
      suite(good, '<testcase name="b" classname="&#8;"/>'),
    ]) {
      expect([text, (await junitErrors(text)).length > 0]).toEqual([text, true])
    }
    expect(await junitErrors(suite(good, '<testcase name="b" classname="c"/>'))).toEqual([])
  })

  test('SARIF has levels, kinds, rules, suppressions and locations [claim 33]', () => {
    const reason = 'accepted for the migration'
    const acknowledged = { id: 'eviction-policy', reason, until: '2999-01-01' }
    const text = formatReport(sample({ level: 'info', acknowledged }), 'sarif', { sarifFile: 'conf d/redis.conf' })
    expect(sarifErrors(text)).toEqual([])
    const [run] = (JSON.parse(text) as SarifLog).runs
    const [result] = run.results
    expect(result).toMatchObject({ kind: 'fail', level: 'note', suppressions: [{ justification: reason }] })
    expect(run.tool.driver.rules[result.ruleIndex]?.id).toBe('eviction-policy')
    expect(run.tool.driver.rules).toHaveLength(catalogue.length)
    expect(result.locations).toEqual([
      {
        logicalLocations: [{ fullyQualifiedName: 'redis://127.0.0.1:6379', kind: 'resource' }],
        physicalLocation: { artifactLocation: { uri: 'conf%20d/redis.conf' } },
      },
    ])
    const levels = (['fail', 'warn', 'info', 'unknown', 'pass'] as const).map(level => {
      const log = JSON.parse(formatReport(sample({ level }), 'sarif')) as SarifLog
      return `${log.runs[0].results[0].kind} ${log.runs[0].results[0].level}`
    })
    expect(levels).toEqual(['fail error', 'fail warning', 'fail note', 'review none', 'pass none'])
  })

  test('SARIF of any report validates against the OASIS schema, pointing at any file [claim 33]', () => {
    fc.assert(
      fc.property(anyReport, fc.option(anyText, { nil: undefined }), (report, sarifFile) => {
        const options = sarifFile === undefined ? {} : { sarifFile }
        expect(sarifErrors(formatReport(report, 'sarif', options))).toEqual([])
      }),
    )
    expect(sarifErrors('{"version":"2.1.0","runs":[{"tool":{"driver":{}}}]}')).not.toEqual([])
  })

  test('no secret appears in any format, plain or URL-encoded [claim 35]', () => {
    const secretText = fc.string({ minLength: 6, maxLength: 40 }).map(text => `~!${text}%/`)
    fc.assert(
      fc.property(secretText, fc.string(), fc.string(), (secret, before, after) => {
        const scrub = createScrub([secret])
        const observed = scrub(`${before}${secret}${after} ${encodeURIComponent(secret)}`)
        expect(observed).not.toContain(secret)
        for (const format of FORMATS) {
          const text = formatReport(sample({ observed, message: observed }), format, { all: true })
          expect(text).not.toContain(secret)
          expect(text).not.toContain(encodeURIComponent(secret))
        }
      }),
    )
  })

  test('server text is cut to 200 characters and its control characters are escaped', () => {
    const scrub = createScrub([])
    expect(scrub('x'.repeat(500))).toHaveLength(200)
    expect(scrub('a\u001b[31mred\r\n\u202ex')).toBe('a\\u001b[31mred\\u000d\\u000a\\u202ex')
  })

  test('a table shows the worst first with its remedy, passes as one count, and the verdict last', () => {
    const pass: CheckResult = { ...(sample().results[0] as CheckResult), id: 'role', level: 'pass' }
    const report = sample({}, [pass])
    report.summary.counts.pass = 1
    const lines = formatReport(report, 'table').trimEnd().split('\n')
    expect(lines[0]).toMatch(/^LEVEL +CHECK +NODE +OBSERVED +EXPECTED$/)
    expect(lines[1]).toMatch(/^FAIL +eviction-policy +127\.0\.0\.1:6379 +volatile-lru +noeviction$/)
    expect(lines.slice(2)).toEqual([
      '       Records disappear.',
      '       -> Set it.',
      '          redis-cli CONFIG SET maxmemory-policy noeviction',
      'PASS   1 check not disproved',
      'One finding.',
    ])
    expect(formatReport(report, 'table', { all: true })).toMatch(/^PASS +role/m)
    expect(formatReport(report, 'table', { color: true })).toContain('\u001b[31m')
  })

  test('Markdown escapes what would break its table', () => {
    const text = formatReport(sample({ observed: 'a | b <script> `x` [y](z)' }), 'markdown')
    expect(text).toContain('a \\| b &lt;script&gt; \\`x\\` \\[y\\](z)')
  })
})
