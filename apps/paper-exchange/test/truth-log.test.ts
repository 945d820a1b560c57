import { describe, expect, test } from 'vitest'
import { audit } from '../src/audit/audit.ts'
import { parseTruth, TruthFileError } from '../src/truth/read-truth.ts'
import { createTruthLog } from '../src/truth/truth-log.ts'
import { createHarness } from './engine-harness.ts'

function someLog(): ReturnType<typeof createTruthLog> {
  const log = createTruthLog({ nowMs: () => 5 })
  for (let index = 0; index < 10; index++) {
    log.append({ type: 'wipe', account: index % 2 === 0 ? 'a' : 'b', reason: 'opened', balances: {} })
    log.append({ type: 'clock', account: null, mode: 'manual', advanceMs: index, skewMs: 0 })
  }
  return log
}

describe('truth log', () => {
  test('pages follow each other without loss for any filter', () => {
    const log = someLog()
    for (const filter of [{}, { account: 'a' }, { type: 'clock' }, { account: 'b', type: 'wipe' }] as const) {
      const whole = log.query(filter)
      expect(whole.next).toBeNull()
      const seqs: number[] = []
      let after: number | null = 0
      while (after !== null) {
        const page = log.query({ ...filter, after, limit: 2 })
        expect(page.entries.length).toBeLessThanOrEqual(2)
        seqs.push(...page.entries.map(entry => entry.seq))
        after = page.next
      }
      expect(seqs).toEqual(whole.entries.map(entry => entry.seq))
      expect(seqs.length).toBeGreaterThan(4)
    }
  })

  test('an entry cannot be changed afterwards', () => {
    const entry = someLog().all()[0] as { account: string }
    expect(() => {
      entry.account = 'other'
    }).toThrow(TypeError)
  })

  test('lines begin with seq, atMs, type and account', () => {
    const lines: string[] = []
    const log = createTruthLog({ nowMs: () => 5, sink: line => lines.push(line) })
    log.append({ account: null, type: 'clock', mode: 'manual', advanceMs: 1, skewMs: 0 })
    expect(lines).toEqual(['{"seq":1,"atMs":5,"type":"clock","account":null,"mode":"manual","advanceMs":1,"skewMs":0}'])
  })
})

describe('truth file', () => {
  const written = (): string[] => {
    const { accepted, lines } = createHarness()
    accepted({ type: 'MARKET', quantity: '0.5', newClientOrderId: 'x' })
    return lines
  }

  test('what was written reads back and is judged the same', () => {
    const entries = parseTruth(`${written().join('\n')}\n`)
    expect(entries.map(entry => JSON.stringify(entry))).toEqual(written())
    expect(audit(entries, { account: 'demo' }).ok).toBe(true)
  })

  test.each<[string, (lines: string[]) => string[], number, RegExp]>([
    ['a line cut out', lines => lines.toSpliced(2, 1), 3, /seq 4 follows 2/],
    ['a broken line', lines => lines.with(1, '{"seq":2'), 2, /no JSON/],
    ['an unknown type', lines => lines.with(1, '{"seq":2,"atMs":1,"type":"x","account":null}'), 2, /type/],
    [
      'a float for an amount',
      lines => lines.with(2, (lines[2] ?? '').replace(/"qty":"[\d.]+"/, '"qty":0.5')),
      3,
      /qty/,
    ],
  ])('%s is refused with its line', (_, change, line, message) => {
    const lines = change(written())
    let error: unknown
    try {
      parseTruth(lines.join('\n'))
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(TruthFileError)
    expect(error).toMatchObject({ line, message: expect.stringMatching(message) })
  })
})
