import { describe, expect, test } from 'vitest'
import { expectedIntents, tradingWindow } from '../src/demo/setting.ts'
import { planStorm, sharesInOrder, type StormPlan } from '../src/demo/storm.ts'
import { NAIVE_SPLIT } from '../src/demo/worker-init.ts'

const FIRST_BAR_MS = 1_700_000_100_000
const ACCOUNTS = ['naive', 'guarded']

function plan(seed: number, seconds = 40): StormPlan {
  const window = tradingWindow(seconds, FIRST_BAR_MS)
  return planStorm({
    seed,
    intents: expectedIntents(window),
    bars: window.bars,
    barMs: 500,
    accounts: ACCOUNTS,
    split: NAIVE_SPLIT,
  })
}

describe('storm planner', () => {
  test('a run of 40 s has 56 bars and 168 intents with 168 ids', () => {
    const window = tradingWindow(40, FIRST_BAR_MS)
    const intents = expectedIntents(window)
    expect(window).toEqual({ bars: 56, fromBarMs: FIRST_BAR_MS, untilBarMs: FIRST_BAR_MS + 55 * 60_000 })
    expect(intents).toHaveLength(168)
    expect(new Set(intents.map(intent => intent.id)).size).toBe(168)
  })

  test('ids of the intents follow the published vector', () => {
    const ids = expectedIntents(tradingWindow(20, 1_700_000_040_000)).map(intent => intent.id)
    expect(ids).toContain('H22WHHDCLYV54Z3QLJBAB4LROM')
  })

  test('equal seeds give equal plans and different seeds different ones [claim 21]', () => {
    expect(plan(7)).toEqual(plan(7))
    expect(plan(7)).not.toEqual(plan(8))
  })

  test('no rule for requests or events names an account, so equal intents meet equal faults', () => {
    for (const rule of plan(1).standing) expect(rule.match.account).toBeUndefined()
  })

  test('each rule acts on exactly its share when an earlier one takes precedence', () => {
    const shares = [0.06, 0.04, 0.04, 0.03, 0.1, 0.03, 0.03, 0.03, 0.02]
    let untouched = 1
    for (const [at, declared] of sharesInOrder(shares).entries()) {
      const acts = untouched * declared
      expect(acts).toBeCloseTo(shares[at]!, 4)
      untouched -= acts
    }
  })

  test('the storm has the request faults of the design, on first attempts only, in both phases', () => {
    const rules = plan(1).standing.filter(rule => rule.match.share !== undefined && rule.phase !== 'event')
    expect(rules.map(rule => `${rule.phase} ${rule.action.type}`)).toEqual([
      'after reset',
      'after hang',
      'after status',
      'after truncate',
      'after hide',
      'before hang',
      'before status',
      'before delay',
      'before delay',
    ])
    for (const rule of rules) expect(rule.match).toMatchObject({ method: 'POST', path: '/api/v3/order', attempt: 1 })
  })

  test('every seed plans two kills, two rate limits, a drop, a silence per account and one Redis outage in time', () => {
    for (const seconds of [20, 40, 600]) {
      for (let seed = 0; seed < 20; seed += 1) {
        const { standing, timed, kills, redisOutage } = plan(seed, seconds)
        const tradingMs = (seconds - 12) * 1000
        expect(kills.map(kill => kill.targets.length)).toEqual([2, 3])
        expect(kills[0]!.bar).toBeLessThan(kills[1]!.bar)
        // Two bars of patience and a second of absence still fit into the trading time.
        expect((kills[1]!.bar + 1) * 500).toBeLessThan(tradingMs)
        expect(standing.filter(rule => rule.action.type === 'limit').map(rule => rule.id)).toEqual([
          'limit-1',
          'limit-2',
        ])
        expect(timed.map(({ rule }) => rule.id).sort()).toEqual([
          'drop-guarded',
          'drop-naive',
          'silence-guarded',
          'silence-naive',
        ])
        for (const { atMs } of timed) expect(atMs).toBeLessThan(tradingMs)
        expect(redisOutage.atMs + redisOutage.forMs).toBeLessThan(tradingMs)
      }
    }
  })

  test('an intent is the target of at most one planned fault', () => {
    for (let seed = 0; seed < 200; seed += 1) {
      const ids = plan(seed, 20).standing.flatMap(rule => rule.match.clientOrderId ?? [])
      expect(new Set(ids).size).toBe(ids.length)
    }
  })
})
