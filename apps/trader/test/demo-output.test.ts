import { describe, expect, test } from 'vitest'
import { createProgress, drawProgress } from '../src/demo/progress.ts'
import { judge } from '../src/demo/judge.ts'
import type { DemoDocument, SideResult } from '../src/demo/result.ts'
import { driftText, formatTable, formatVerdict } from '../src/demo/table.ts'
import { systemClock } from '@safety/redis-core'

const NAIVE: SideResult = {
  expected: 168,
  accepted: 187,
  duplicates: 31,
  orphans: 5,
  lost: 3,
  refused: 9,
  drift: { BTC: '-0.04123400', ETH: '0.10000000', BNB: '0.00000000', USDT: '12.00000000' },
  requestsDuringRetryAfter: 31,
  inDoubt: null,
  series: 412,
  kills: 2,
  redisOutages: 0,
}
const GUARDED: SideResult = {
  expected: 168,
  accepted: 155,
  duplicates: 0,
  orphans: 0,
  lost: 0,
  refused: 13,
  drift: { BTC: '0.00000000', ETH: '0.00000000', BNB: '0.00000000', USDT: '0.00000000' },
  requestsDuringRetryAfter: 0,
  inDoubt: { seen: 34, resolved: 34, open: 0 },
  series: 188,
  kills: 2,
  redisOutages: 1,
}
const MET = { naive: 60, guarded: 70 }

function document(guarded: SideResult): DemoDocument {
  const judgement = judge({ guarded, met: MET, broken: [], unsound: [] })
  return {
    schema: 'trader.demo/1',
    seed: 1,
    seconds: 40,
    redis: 'started',
    redisChecks: {
      profile: 'idempotency.standard',
      level: 'warn',
      complete: true,
      sentence: 'idempotency.standard: no guarantee is broken on 1 node, 1 is weakened: memory-limit.',
    },
    faults: { planned: 140, fired: 130 },
    sides: { naive: NAIVE, guarded },
    ...judgement,
  }
}

describe('table', () => {
  test('the table has the rows and columns of the design', () => {
    expect(formatTable({ naive: NAIVE, guarded: GUARDED })).toBe(
      [
        '                                  naive     guarded',
        'intents expected                    168         168',
        'orders accepted, duplicate      187, 31      155, 0',
        'orphans, lost, refused          5, 3, 9    0, 0, 13',
        'position drift             BTC -0.0412…           0',
        'requests during Retry-After          31           0',
        'in doubt: seen, resolved, open        -   34, 34, 0',
        'metric series                       412         188',
      ].join('\n'),
    )
  })

  test('drift names the first asset that is off, and a drift below the shown digits is not called 0', () => {
    expect(driftText(GUARDED)).toBe('0')
    expect(driftText({ ...GUARDED, drift: { ...GUARDED.drift, BNB: '0.00000001' } })).toBe('BNB 0.0000…')
    expect(driftText({ ...GUARDED, drift: { ...GUARDED.drift, USDT: '-3.50000000' } })).toBe('USDT -3.5')
  })

  test('large figures move a column instead of running into each other', () => {
    const wide = { ...NAIVE, drift: { ...NAIVE.drift, BTC: '-1234567890123456789012345678.12345678' } }
    const row = formatTable({ naive: wide, guarded: GUARDED }).split('\n')[4]!
    expect(row).toMatch(/^position drift {2}BTC -1234567890123456789012345678\.1234… +0$/)
  })
})

describe('verdict', () => {
  test('no duplicate, no loss, no drift passes with exit code 0', () => {
    expect(judge({ guarded: GUARDED, met: MET, broken: [], unsound: [] })).toEqual({
      verdict: 'pass',
      reasons: [],
      exitCode: 0,
    })
  })

  test.each<[string, Partial<SideResult>, string]>([
    ['one duplicate', { duplicates: 1 }, 'guarded: 1 duplicate order'],
    ['two lost intents', { lost: 2 }, 'guarded: 2 intents lost'],
    [
      'the last decimal of drift',
      { drift: { ...GUARDED.drift, ETH: '0.00000001' } },
      'guarded: ETH drifts by 0.00000001',
    ],
    ['an order without a record', { orphans: 1 }, 'guarded: 1 accepted order without a record'],
  ])('%s fails with exit code 1 and says so', (_, change, reason) => {
    const judged = judge({ guarded: { ...GUARDED, ...change }, met: MET, broken: [], unsound: [] })
    expect(judged).toEqual({ verdict: 'fail', reasons: [reason], exitCode: 1 })
  })

  test('fewer than 10 faults on either side, or an intent in doubt, is inconclusive with exit code 4', () => {
    const few = judge({ guarded: GUARDED, met: { naive: 9, guarded: 70 }, broken: [], unsound: [] })
    expect(few).toMatchObject({ verdict: 'inconclusive', exitCode: 4 })
    expect(few.reasons).toEqual(['naive: only 9 faults met it, fewer than 10'])
    const open = judge({
      guarded: { ...GUARDED, inDoubt: { seen: 34, resolved: 33, open: 1 } },
      met: MET,
      broken: [],
      unsound: [],
    })
    expect(open).toEqual({
      verdict: 'inconclusive',
      reasons: ['guarded: 1 intent is still in doubt'],
      exitCode: 4,
    })
  })

  test('a broken promise outweighs a doubt, and both are named', () => {
    const judged = judge({
      guarded: { ...GUARDED, duplicates: 1, inDoubt: { seen: 1, resolved: 0, open: 1 } },
      met: MET,
      broken: [],
      unsound: ['naive: the books of the exchange do not add up (A7)'],
    })
    expect(judged.exitCode).toBe(1)
    expect(judged.reasons).toHaveLength(3)
  })

  test('the words below the table name every reason', () => {
    const failed = formatVerdict(document({ ...GUARDED, duplicates: 2 }))
    expect(failed).toBe('fail: the guarded side broke its promise\n  guarded: 2 duplicate orders')
    expect(formatVerdict(document(GUARDED))).toMatch(/^pass: 130 faults; /)
  })
})

describe('progress bar', () => {
  test('nothing at all is written to a stream that is no terminal', () => {
    const written: string[] = []
    const progress = createProgress({ write: text => written.push(text) }, systemClock)
    progress.phase('storm')
    progress.run(40_000)
    progress.end()
    expect(written).toEqual([])
  })

  test('a terminal shows the phase and is clean again at the end', () => {
    const written: string[] = []
    const progress = createProgress({ isTTY: true, columns: 80, write: text => written.push(text) }, systemClock)
    progress.phase('starting Redis')
    progress.end()
    progress.phase('too late')
    expect(written[0]).toContain('starting Redis')
    expect(written.at(-1)).toBe('\r\u001B[2K')
  })

  test('the bar fills with time and never exceeds the width of the terminal', () => {
    expect(drawProgress({ doneMs: 20_000, totalMs: 40_000, phase: 'storm', columns: 80 })).toBe(
      `[${'#'.repeat(15)}${'.'.repeat(15)}] 20 of 40 s  storm`,
    )
    expect(drawProgress({ doneMs: 90_000, totalMs: 40_000, phase: 'storm', columns: 20 })).toHaveLength(19)
  })
})
