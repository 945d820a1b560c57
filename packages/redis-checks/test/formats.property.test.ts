import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'

import { formatReport } from '../src/index.ts'
import type { CheckResult, Format, Report } from '../src/index.ts'
import { createScrub } from '../src/scrub.ts'

const FORMATS: readonly Format[] = ['table', 'json', 'junit', 'sarif', 'markdown']

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

/** Well-formed: every tag closed in order, attributes quoted, no bare markup or control characters. */
function assertXml(text: string): string[] {
  const open: string[] = []
  const names: string[] = []
  let at = 0
  const body = text.replace(/^<\?xml [^?]*\?>\n/, '')
  const tag = /<(\/?)([a-z-]+)((?:\s[a-z]+="[^"<>]*")*)(\/?)>/g
  for (const match of body.matchAll(tag)) {
    const between = body.slice(at, match.index)
    expect(between).not.toMatch(/[<>]|&(?!amp;|lt;|gt;|quot;|apos;)/)
    expect(match[3]).not.toMatch(/&(?!amp;|lt;|gt;|quot;|apos;)/)
    at = match.index + match[0].length
    const [, closing, name = '', , selfClosing] = match
    if (closing === '/') expect(open.pop()).toBe(name)
    else names.push(name)
    if (closing !== '/' && selfClosing !== '/') open.push(name)
  }
  expect(body.slice(at)).toBe('\n')
  expect(open).toEqual([])
  return names
}

const sarif = z.strictObject({
  $schema: z.url(),
  version: z.literal('2.1.0'),
  runs: z.tuple([
    z.strictObject({
      tool: z.strictObject({
        driver: z.strictObject({
          name: z.string().min(1),
          version: z.string(),
          rules: z.array(
            z.looseObject({ id: z.string().min(1), shortDescription: z.object({ text: z.string().min(1) }) }),
          ),
        }),
      }),
      invocations: z.array(z.strictObject({ executionSuccessful: z.boolean(), startTimeUtc: z.iso.datetime() })),
      results: z.array(
        z.strictObject({
          ruleId: z.string(),
          ruleIndex: z.int().min(0),
          kind: z.enum(['fail', 'pass', 'review']),
          level: z.enum(['error', 'warning', 'note', 'none']),
          message: z.strictObject({ text: z.string().min(1) }),
          locations: z.array(
            z.strictObject({
              logicalLocations: z.array(z.strictObject({ fullyQualifiedName: z.string(), kind: z.string() })),
              physicalLocation: z
                .strictObject({ artifactLocation: z.strictObject({ uri: z.string().regex(/^\S+$/) }) })
                .optional(),
            }),
          ),
          suppressions: z
            .array(
              z.strictObject({ kind: z.literal('external'), status: z.literal('accepted'), justification: z.string() }),
            )
            .optional(),
          properties: z.record(z.string(), z.unknown()),
        }),
      ),
      properties: z.record(z.string(), z.unknown()),
    }),
  ]),
})

describe('formats', () => {
  test('JUnit is well-formed with suite, case, failure, error and skipped for any text [claim 33]', () => {
    const unknown = (id: string): CheckResult => ({ ...(sample().results[0] as CheckResult), id, level: 'unknown' })
    const text = formatReport(sample({}, [unknown('persistence'), unknown('memory-limit')]), 'junit')
    expect(assertXml(text)).toEqual(
      'testsuites testsuite testcase failure testcase error testcase skipped testsuite testcase skipped'.split(' '),
    )
    expect(text).toContain('tests="3" failures="1" errors="1" skipped="1"')
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), observed => {
        assertXml(formatReport(sample({ observed: createScrub([])(observed) }), 'junit'))
      }),
    )
  })

  test('SARIF keeps to the 2.1.0 schema: levels, kinds, rules, suppressions, locations [claim 33]', () => {
    const reason = 'accepted for the migration'
    const acknowledged = { id: 'eviction-policy', reason, until: '2999-01-01' }
    const log = sarif.parse(
      JSON.parse(formatReport(sample({ level: 'info', acknowledged }), 'sarif', { sarifFile: 'conf d/redis.conf' })),
    )
    const [run] = log.runs
    const [result] = run.results
    expect(result).toMatchObject({ kind: 'fail', level: 'note', suppressions: [{ justification: reason }] })
    expect(run.tool.driver.rules[result?.ruleIndex ?? -1]?.id).toBe('eviction-policy')
    expect(result?.locations[0]?.logicalLocations[0]?.fullyQualifiedName).toBe('redis://127.0.0.1:6379')
    expect(result?.locations[0]?.physicalLocation?.artifactLocation.uri).toBe('conf%20d/redis.conf')
    const reviewed = sarif.parse(JSON.parse(formatReport(sample({ level: 'unknown' }), 'sarif')))
    expect(reviewed.runs[0].results[0]).toMatchObject({ kind: 'review', level: 'none' })
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
