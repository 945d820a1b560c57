import { Big } from 'big.js'
import { describe, expect, test } from 'vitest'
import { audit } from '../src/audit/audit.ts'
import { parseClaims, type AuditClaims } from '../src/audit/claims.ts'
import type { InvariantId } from '../src/audit/report.ts'
import type { TruthEntry } from '../src/truth/entry.ts'
import { createHarness, must } from './engine-harness.ts'

interface Story {
  entries: TruthEntry[]
  claims: AuditClaims
}

/** A run that breaks nothing: a taker, a maker that fills, a cancel, a refusal, a doubt, and what an honest trader says about it. */
function honest(): Story {
  const { accepted, best, engine, refused, timeline } = createHarness({ barMs: 86_400_000 })
  const request = (clientOrderId: string): void => {
    engine.append({
      type: 'request',
      account: 'demo',
      method: 'POST',
      path: '/api/v3/order',
      clientOrderId,
      signedAtMs: timeline.nowMs(),
      duringRetryAfter: false,
    })
  }
  const send = (newClientOrderId: string, order: object): void => {
    request(newClientOrderId)
    accepted({ newClientOrderId, signedAtMs: timeline.nowMs(), ...order })
    timeline.advance(1000)
  }
  must(engine.setPaused(undefined, true))
  send('taker', { type: 'MARKET', quantity: '1.5' })
  const price = new Big(best().bid).minus('100').toFixed(8)
  send('maker', { price, quantity: '0.2' })
  must(engine.setPrice('BTCUSDT', price))
  send('cancel', { price: '50000', quantity: '0.05' })
  must(engine.cancelOrder({ account: 'demo', symbol: 'BTCUSDT', origClientOrderId: 'cancel' }))
  request('refused')
  refused({ newClientOrderId: 'refused', type: 'MARKET', quantity: '90' })
  request('doubt')
  send('open', { side: 'SELL', symbol: 'ETHUSDT', price: '4000', quantity: '1' })
  const now = must(engine.state('demo')).balances
  const start: Record<string, string> = { USDT: '100000', BTC: '2', ETH: '20', BNB: '100' }
  const net = (asset: string): string => {
    const { free = '0', locked = '0' } = now[asset] ?? {}
    return new Big(free)
      .plus(locked)
      .minus(start[asset] ?? 0)
      .toFixed()
  }
  return {
    entries: structuredClone<TruthEntry[]>([...engine.truth.all()]),
    claims: {
      account: 'demo',
      intents: ['taker', 'maker', 'cancel', 'refused', 'doubt', 'open'],
      records: {
        taker: { believes: 'ordered' },
        maker: { believes: 'ordered' },
        cancel: { believes: 'ordered' },
        refused: { believes: 'refused', reason: '-2010' },
        doubt: { believes: 'unknown' },
        open: { believes: 'unknown' },
      },
      ledger: { USDT: net('USDT'), BTC: net('BTC') },
      killAtMs: timeline.nowMs(),
      permitMs: 0,
    },
  }
}

type Edit = (story: Story) => number | undefined
const find = <T extends TruthEntry['type']>(
  { entries }: Story,
  type: T,
  match: (entry: Extract<TruthEntry, { type: T }>) => boolean = () => true,
): Extract<TruthEntry, { type: T }> => {
  const found = entries.find(entry => entry.type === type && match(entry as Extract<TruthEntry, { type: T }>))
  return found as Extract<TruthEntry, { type: T }>
}
const edit = (entry: TruthEntry, change: object): number => Object.assign(entry, change).seq
const append = (story: Story, entry: TruthEntry): number => {
  const seq = story.entries.length + 1
  story.entries.push({ ...entry, seq })
  return seq
}
const claim = (story: Story, change: Partial<AuditClaims>): void => void (story.claims = { ...story.claims, ...change })

/** Each edit breaks one invariant and returns the `seq` that must be evidence, if an entry can show it. */
const EDITS: readonly [InvariantId, string, Edit][] = [
  [
    'A1',
    'an id accepted twice',
    story => {
      const first = find(story, 'accepted', entry => entry.clientOrderId === 'cancel')
      const seq = append(story, { ...first, orderId: 900 })
      append(story, { ...find(story, 'canceled'), orderId: 900 })
      return seq
    },
  ],
  [
    'A2',
    'an accepted order on record as refused',
    story => {
      claim(story, { records: { ...story.claims.records, taker: { believes: 'refused', reason: 'it said so' } } })
      return find(story, 'accepted', entry => entry.clientOrderId === 'taker').seq
    },
  ],
  [
    'A2',
    'an accepted order on no record',
    story => {
      const { taker, ...records } = story.claims.records ?? {}
      claim(story, { records })
      expect(taker).toBeDefined()
      return find(story, 'accepted', entry => entry.clientOrderId === 'taker').seq
    },
  ],
  [
    'A3',
    'an intent nobody knows',
    story => {
      claim(story, { intents: [...(story.claims.intents ?? []), 'lost'] })
      return undefined
    },
  ],
  [
    'A3',
    'an intent on record as ordered that never was',
    story => {
      claim(story, { records: { ...story.claims.records, doubt: { believes: 'ordered' } } })
      return find(story, 'request', entry => entry.clientOrderId === 'doubt').seq
    },
  ],
  [
    'A3',
    'an intent refused without a reason',
    story => {
      claim(story, { records: { ...story.claims.records, refused: { believes: 'refused' } } })
      return find(story, 'rejected').seq
    },
  ],
  [
    'A4',
    'a ledger off by the last decimal',
    story => {
      const usdt = new Big(story.claims.ledger?.['USDT'] ?? 0).plus('0.00000001').toFixed()
      claim(story, { ledger: { ...story.claims.ledger, USDT: usdt } })
      return undefined
    },
  ],
  [
    'A4',
    'an asset missing from the ledger',
    story => {
      const { BTC, ...ledger } = story.claims.ledger ?? {}
      expect(BTC).toBeDefined()
      claim(story, { ledger })
      return undefined
    },
  ],
  ['A5', 'a request into a running Retry-After', story => edit(find(story, 'request'), { duringRetryAfter: true })],
  [
    'A6',
    'an order signed after the kill',
    story => {
      const { signedAtMs, seq } = find(story, 'accepted', entry => entry.clientOrderId === 'open')
      claim(story, { killAtMs: (signedAtMs ?? 0) - 500, permitMs: 499 })
      return seq
    },
  ],
  [
    'A7',
    'a commission that was not charged',
    story => {
      edit(find(story, 'fill'), { commission: '0.00000000' })
      return firstPosition(story, 'BTC')
    },
  ],
  [
    'A7',
    'a trade id given twice',
    story => {
      const [first, second] = story.entries.filter(entry => entry.type === 'fill')
      return second && edit(second, { id: first?.id })
    },
  ],
  [
    'A7',
    'a lock no open order explains',
    story => {
      const position = find(
        story,
        'event',
        entry => entry.event === 'outboundAccountPosition' && 'ETH' in entry.balances,
      )
      return edit(position, { balances: { ETH: { free: '18.00000000', locked: '2.00000000' } } })
    },
  ],
  [
    'A7',
    'a negative balance',
    story => {
      const position = find(
        story,
        'event',
        entry => entry.event === 'outboundAccountPosition' && 'ETH' in entry.balances,
      )
      return edit(position, { balances: { ETH: { free: '-1.00000000', locked: '21.00000000' } } })
    },
  ],
  [
    'A7',
    'a fill above its limit',
    story => {
      edit(
        find(story, 'accepted', entry => entry.clientOrderId === 'maker'),
        { price: '1.00000000' },
      )
      return story.entries.filter(entry => entry.type === 'fill').at(-1)?.seq
    },
  ],
  ['A7', 'a fill of an order that was never accepted', story => edit(find(story, 'fill'), { orderId: 77 })],
]

const firstPosition = (story: Story, asset: string): number | undefined =>
  story.entries.find(
    entry => entry.type === 'event' && entry.event === 'outboundAccountPosition' && asset in entry.balances,
  )?.seq

describe('invariants [claim 18]', () => {
  test('an honest run breaks nothing, and its totals add up', () => {
    const { entries, claims } = honest()
    const report = audit(entries, claims)
    expect(report.invariants.filter(verdict => !verdict.ok)).toEqual([])
    expect(report).toMatchObject({
      ok: true,
      totals: {
        accepted: 4,
        duplicates: 0,
        orphans: 0,
        lost: 0,
        refused: 1,
        inDoubt: 2,
        requestsDuringRetryAfter: 0,
        afterKill: 0,
      },
    })
    expect(new Set(Object.values(report.drift))).toEqual(new Set(['0.00000000']))
    expect(report.invariants.map(verdict => verdict.id)).toEqual(['A1', 'A2', 'A3', 'A4', 'A5', 'A6', 'A7'])
  })

  test.each(EDITS)('%s alone is convicted by %s', (id, _, change) => {
    const story = honest()
    const seq = change(story)
    const report = audit(story.entries, story.claims)
    expect(report.invariants.filter(verdict => !verdict.ok).map(verdict => verdict.id)).toEqual([id])
    expect(report.ok).toBe(false)
    const verdict = report.invariants.find(one => one.id === id)
    expect(verdict?.count).toBeGreaterThan(0)
    if (seq !== undefined) expect(verdict?.evidence).toContain(seq)
  })

  test('every invariant has an edit', () => {
    expect(new Set(EDITS.map(([id]) => id))).toEqual(new Set(['A1', 'A2', 'A3', 'A4', 'A5', 'A6', 'A7']))
  })

  test('drift is the ledger minus the real change, to the last decimal', () => {
    const { entries, claims } = honest()
    const ledger = {
      ...claims.ledger,
      BTC: new Big(claims.ledger?.['BTC'] ?? 0).minus('0.04120001').toFixed(),
      DOGE: '1.123456789',
    }
    const { drift, invariants } = audit(entries, { account: 'demo', ledger })
    expect(drift).toEqual({
      BNB: '0.00000000',
      BTC: '-0.04120001',
      DOGE: '1.123456789',
      ETH: '0.00000000',
      USDT: '0.00000000',
    })
    expect(invariants.find(verdict => verdict.id === 'A4')?.count).toBe(2)
  })

  test('what is not claimed is not judged', () => {
    const story = honest()
    append(story, { ...find(story, 'accepted'), orderId: 901, clientOrderId: 'unheard', signedAtMs: 9e15 })
    expect(audit(story.entries, { account: 'demo' })).toMatchObject({
      ok: true,
      drift: {},
      totals: { accepted: 5, orphans: 0, lost: 0 },
    })
  })

  test('another account is not judged', () => {
    const { entries, claims } = honest()
    expect(audit(entries, { ...claims, account: 'other', intents: [], ledger: {} })).toMatchObject({
      ok: true,
      totals: { accepted: 0 },
    })
  })

  test('fromSeq leaves out what came before, and the ledger starts there', () => {
    const story = honest()
    const cancel = find(story, 'accepted', entry => entry.clientOrderId === 'open')
    const report = audit(story.entries, {
      account: 'demo',
      fromSeq: cancel.seq,
      intents: ['open'],
      records: { open: { believes: 'ordered' } },
      ledger: {},
    })
    expect(report).toMatchObject({ ok: true, totals: { accepted: 1 } })
  })

  test('a wipe starts the ledger anew', () => {
    const harness = createHarness()
    harness.accepted({ type: 'MARKET', quantity: '1' })
    must(harness.engine.wipe('demo'))
    const ledger = { BTC: '0.999' }
    expect(harness.engine.audit({ account: 'demo', ledger }).drift['BTC']).toBe('0.99900000')
    expect(harness.engine.audit({ account: 'demo', ledger: {} }).ok).toBe(true)
    harness.accepted({ side: 'SELL', type: 'MARKET', quantity: '0.5' })
    expect(harness.engine.audit({ account: 'demo', ledger: {} }).drift['BTC']).toBe('0.50000000')
  })

  test('an intent may carry any name', () => {
    const { entries } = honest()
    const { totals } = audit(entries, { account: 'demo', intents: ['constructor', '__proto__'], records: {} })
    expect(totals.lost).toBe(2)
  })
})

describe('claims', () => {
  test('claims from outside are read or refused with the field', () => {
    expect(
      parseClaims({ account: 'a', ledger: { BTC: '-0.1' }, records: { x: { believes: 'refused', reason: null } } }).ok,
    ).toBe(true)
    for (const [input, field] of [
      [{}, 'account'],
      [{ account: 'a', ledger: { BTC: 1 } }, 'ledger.BTC'],
      [{ account: 'a', ledger: { BTC: '1e3' } }, 'ledger.BTC'],
      [{ account: 'a', records: { x: { believes: 'maybe' } } }, 'records.x.believes'],
      [{ account: 'a', fromSeq: 0 }, 'fromSeq'],
    ] as const) {
      const parsed = parseClaims(input)
      expect(parsed.ok ? '' : parsed.msg).toContain(field)
    }
  })
})
