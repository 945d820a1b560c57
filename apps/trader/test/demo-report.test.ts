import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { keepEvidence } from '../src/demo/keep.ts'
import { reportPage } from '../src/demo/report.ts'
import { historyPromise } from '../src/demo/setting.ts'
import { buildTimeline } from '../src/demo/timeline.ts'
import { at, exampleEvidence, FIRST, SECOND } from './demo-evidence.ts'

describe('report page', () => {
  const page = reportPage(exampleEvidence())

  test('the page loads nothing: no script, no link, no image, no style from elsewhere, no address at all', () => {
    expect(page).not.toMatch(/<(script|link|img|iframe|object|embed|image|use|base)\b/i)
    expect(page).not.toMatch(/\b(src|href|srcset|action|xlink:href)\s*=/i)
    expect(page).not.toMatch(/url\(|@import|https?:\/\/|\/\//i)
  })

  test('the page has the table, the verdict, the invariants with their evidence, the faults and the picture', () => {
    expect(page).toContain('orders accepted, duplicate')
    expect(page).toContain('55, 7')
    expect(page).toContain('class="verdict pass"')
    expect(page).toContain('a client order id has at most one accepted order')
    expect(page).toContain(`1 accepted: clientOrderId ${FIRST}, orderId 11`)
    expect(page).toContain('after-reset')
    expect(page).toMatch(/<svg class="timeline"[^>]*role="img"/)
    expect(page).toMatch(/class="duplicate"[^>]*><title>duplicate order 12/)
  })

  test('texts from outside are escaped', () => {
    expect(page).toContain('DENIED &lt;redis away&gt;')
    expect(page).not.toContain('<redis away>')
  })

  test('the page is styled for dark and for light', () => {
    expect(page).toContain('color-scheme:light dark')
    expect(page).toContain('@media (prefers-color-scheme:dark)')
  })

  test('every tag that is opened is closed', () => {
    const open: string[] = []
    for (const [, slash, name, selfClosing] of page.matchAll(/<(\/?)([a-z][a-z0-9]*)\b[^>]*?(\/?)>/gi)) {
      if (['meta', 'br'].includes(name!) || selfClosing === '/') continue
      if (slash === '') open.push(name!)
      else expect(open.pop()).toBe(name)
    }
    expect(open).toEqual([])
  })
})

describe('timeline', () => {
  const timeline = buildTimeline(exampleEvidence())
  const lane = (name: string): (typeof timeline.lanes)[number] => timeline.lanes.find(each => each.name === name)!

  test('the second order of an intent is a duplicate mark in the lane of the worker that sent it', () => {
    expect(lane('naive-1').marks.map(({ kind, atMs }) => [kind, atMs])).toEqual([
      ['order', 510],
      ['duplicate', 720],
    ])
    expect(lane('guarded-1').marks.map(({ kind }) => kind)).toEqual(['order'])
  })

  test('a killed worker is away until it is started again', () => {
    expect(lane('naive-1').bands).toEqual([
      { kind: 'away', fromMs: 2000, toMs: 3100, title: 'naive-1 killed with a request out' },
    ])
  })

  test('doubt lasts from UNKNOWN to the state that ends it, and refusals and outages are shown', () => {
    expect(lane('in doubt').bands).toEqual([
      { kind: 'doubt', fromMs: 515, toMs: 640, title: `${FIRST} in doubt, then ACCEPTED` },
    ])
    expect(lane('guarded-2').marks).toEqual([
      { kind: 'refused', atMs: 1005, title: `not run: ${SECOND} (DENIED <redis away>)` },
    ])
    expect(lane('Redis').bands.map(({ fromMs, toMs }) => [fromMs, toMs])).toEqual([[4000, 5600]])
  })
})

describe('kept evidence', () => {
  const folder = mkdtempSync(join(tmpdir(), 'demo-keep-'))
  keepEvidence(folder, exampleEvidence(), historyPromise)
  const lines = (file: string): Record<string, unknown>[] =>
    readFileSync(join(folder, file), 'utf8')
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, unknown>)
  const history = lines('guarded/history.jsonl')
  const naiveLedger = lines('naive/ledger.jsonl')
  const truth = lines('truth.jsonl')
  const journal = lines('naive/journal.jsonl')
  rmSync(folder, { recursive: true })

  test('history.jsonl begins with its header, counts its events and ends with their number', () => {
    expect(history[0]).toMatchObject({
      schema: 'safety-chaos.history/1',
      mode: 'live',
      seed: 3,
      durability: 'A',
      sink: 'plain',
      promise: { leaseMs: 2000, settleMs: 4000 },
    })
    const events = history.slice(1, -1)
    expect(events.map(event => event['i'])).toEqual(events.map((_, index) => index + 1))
    expect(history.at(-1)).toEqual({ type: 'end', lines: events.length })
    const times = events.map(event => event['tUs'] as number)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
  })

  test('the history has what the effects checker reads: operations, doubts, workers and the outage', () => {
    const events = history.slice(1, -1)
    const of = (type: string): Record<string, unknown>[] => events.filter(event => event['type'] === type)
    expect(of('invoke')[0]).toMatchObject({
      op: 'guarded-1#1',
      f: 'order',
      key: FIRST,
      fp: 'BTCUSDT|BUY|1',
      p: 'guarded-1',
    })
    expect(of('return')[0]).toMatchObject({ op: 'guarded-1#1', outcome: 'ran', value: '13' })
    expect(of('doubt')[0]).toMatchObject({ key: FIRST, tUs: at(515) })
    expect(of('fault-start')).toHaveLength(1)
    expect(of('fault-stop')[0]).toMatchObject({ evidence: 1 })
    expect(of('worker').map(event => event['event'])).toEqual(['started', 'started'])
  })

  test('the ledger names for each accepted order the operation that sent it', () => {
    expect(naiveLedger).toEqual([
      { i: 1, tUs: at(510), effect: '11', key: FIRST, op: 'naive-1#1', p: 'naive-1', intent: FIRST, accepted: true },
      { i: 2, tUs: at(720), effect: '12', key: FIRST, op: 'naive-1#1', p: 'naive-1', intent: FIRST, accepted: true },
    ])
  })

  test('truth log and journal are kept beside them', () => {
    expect(truth).toHaveLength(6)
    expect(journal).toEqual([{ id: FIRST, status: 'ordered', orderId: '12', changes: {} }])
  })
})
