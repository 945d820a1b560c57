import { describe, expect, test } from 'vitest'
import { createFaultBook, isShared, type FaultBook, type FaultSubject } from '../src/faults/fault-book.ts'
import { createHarness } from './engine-harness.ts'

const order = (account: string, clientOrderId?: string): FaultSubject => ({
  channel: 'rest',
  account,
  method: 'POST',
  path: '/api/v3/order',
  symbol: 'BTCUSDT',
  side: 'BUY',
  clientOrderId,
  sinceStartMs: 0,
})

function bookOf(...faults: object[]): FaultBook {
  const book = createFaultBook({ seed: '1' })
  const added = book.add(faults)
  if (!added.ok) throw new Error(added.msg)
  return book
}

const reset = { phase: 'after', action: { type: 'reset' } } as const
const ids = (count: number): string[] => Array.from({ length: count }, (_, index) => `intent-${index}`)
const shuffled = <T>(values: readonly T[], salt: string): T[] =>
  values.toSorted((one, other) =>
    isShared(salt, JSON.stringify(one) + JSON.stringify(other), 0.5, { ordinal: 1 }) ? 1 : -1,
  )

describe('decisions [claim 14]', () => {
  test('two accounts sending equal ids in shuffled order meet equal faults', () => {
    const storm = [
      { id: 'reset', match: { method: 'POST', share: 0.2 }, ...reset },
      {
        id: 'hang',
        match: { method: 'POST', share: 0.3, attempt: 1 },
        phase: 'before',
        action: { type: 'hang', ms: 9 },
      },
      { id: 'hide', match: { clientOrderId: 'intent-7' }, phase: 'after', action: { type: 'hide', ms: 9 } },
    ]
    const met = (requests: readonly (readonly [string, string])[]): Record<string, string[]> => {
      const book = bookOf(...storm)
      const faults: Record<string, string[]> = {}
      for (const [account, id] of requests) {
        ;(faults[`${account} ${id}`] ??= []).push(book.decide(order(account, id))?.fault.id ?? '-')
      }
      return faults
    }
    const once = ids(200).flatMap(id => [id, id])
    const alone = met(once.map(id => ['one', id] as const))
    const mixed = shuffled([...once.map(id => ['two', id] as const), ...once.map(id => ['one', id] as const)], 'a')
    const together = met(mixed)
    for (const id of ids(200)) {
      expect(together[`one ${id}`]).toEqual(alone[`one ${id}`])
      expect(together[`two ${id}`]).toEqual(alone[`one ${id}`])
    }
    const all = Object.values(alone).flat()
    expect(all.filter(fault => fault === 'reset').length / all.length).toBeCloseTo(0.2, 1)
    expect(all.filter(fault => fault === 'hang').length).toBeGreaterThan(20)
  })

  test('two accounts sending equal orders in shuffled order get the fills they would get alone', () => {
    const orders = ids(20).map((newClientOrderId, index) => ({
      newClientOrderId,
      side: index % 2 === 0 ? ('BUY' as const) : ('SELL' as const),
      type: 'MARKET' as const,
      quantity: index % 3 === 0 ? '1.5' : '0.01',
    }))
    const fills = (accounts: readonly string[]): Record<string, unknown[]> => {
      const harness = createHarness({ accounts, barMs: 500, orders10s: 1000 })
      const found: Record<string, unknown[]> = {}
      for (const wave of [orders.slice(0, 10), orders.slice(10)]) {
        const sent = accounts.flatMap(account => wave.map(one => ({ account, ...one })))
        for (const one of accounts.length > 1 ? interleave(sent) : sent) harness.order(one)
        harness.timeline.advance(3000)
      }
      for (const entry of harness.engine.truth.query({ type: 'fill', limit: 10_000 }).entries) {
        if (entry.type !== 'fill') continue
        ;(found[entry.account] ??= []).push([
          entry.price,
          entry.qty,
          entry.commission,
          entry.commissionAsset,
          entry.time,
        ])
      }
      return found
    }
    // Within an account the order stays; only the accounts' requests are mixed.
    const interleave = <T extends { account: string }>(sent: T[]): T[] => {
      const lanes = [sent.filter(one => one.account === 'one'), sent.filter(one => one.account === 'two')]
      const mixed: T[] = []
      for (let turn = 0; mixed.length < sent.length; turn++) {
        const lane = isShared('mix', String(turn), 0.5, { ordinal: turn }) ? 0 : 1
        const next = lanes[lane]?.shift() ?? lanes[1 - lane]?.shift()
        if (next !== undefined) mixed.push(next)
      }
      return mixed
    }
    const alone = fills(['one'])['one']
    const together = fills(['one', 'two'])
    expect(alone?.length).toBeGreaterThan(20)
    expect(together).toEqual({ one: alone, two: alone })
  })

  test('share depends on seed, fault, id and attempt', () => {
    const pattern = (seed: string, fault: string, attempt: number): string =>
      ids(64)
        .map(clientOrderId => (isShared(seed, fault, 0.5, { clientOrderId, ordinal: 1, attempt }) ? '1' : '0'))
        .join('')
    const patterns = [pattern('1', 'f', 1), pattern('2', 'f', 1), pattern('1', 'g', 1), pattern('1', 'f', 2)]
    expect(new Set(patterns).size).toBe(4)
    expect(pattern('1', 'f', 1)).toBe(patterns[0])
    for (const share of [0, 1]) {
      expect(ids(50).some(clientOrderId => isShared('1', 'f', share, { clientOrderId, ordinal: 1 }))).toBe(share === 1)
    }
  })
})

describe('matching', () => {
  const fired = (book: FaultBook, subjects: readonly FaultSubject[]): number[] =>
    subjects.flatMap((subject, index) => (book.decide(subject) === undefined ? [] : [index + 1]))
  const six = Array.from({ length: 6 }, () => order('one'))

  test('nth acts once, on that request of each account; every on every so many; times ends it', () => {
    expect(fired(bookOf({ match: { nth: 3 }, ...reset }), six)).toEqual([3])
    expect(fired(bookOf({ match: { every: 2 }, ...reset }), six)).toEqual([2, 4, 6])
    expect(fired(bookOf({ match: { every: 2 }, times: 2, ...reset }), six)).toEqual([2, 4])
    const book = bookOf({ match: { nth: 2 }, ...reset })
    expect(fired(book, [order('one'), order('two'), order('two'), order('one')])).toEqual([3, 4])
    expect(book.list()).toMatchObject([{ fired: 2, times: 1 }])
  })

  test('the first match in insertion order acts, and the others still count the request', () => {
    const book = bookOf({ id: 'a', match: { nth: 1 }, ...reset }, { id: 'b', match: { nth: 2 }, ...reset })
    expect(book.decide(order('one'))?.fault.id).toBe('a')
    expect(book.decide(order('one'))?.fault.id).toBe('b')
    expect(book.decide(order('one'))).toBeUndefined()
  })

  test('attempt counts requests with this client order id on this route', () => {
    const book = bookOf({ match: { attempt: 2 }, ...reset })
    expect(book.decide(order('one', 'x'))).toBeUndefined()
    expect(book.decide({ ...order('one', 'x'), method: 'GET' })).toBeUndefined()
    expect(book.decide(order('one', 'y'))).toBeUndefined()
    expect(book.decide(order('one', 'x'))?.attempt).toBe(2)
    expect(book.decide(order('one'))).toBeUndefined()
  })

  test.each([
    ['account', 'two'],
    ['method', 'GET'],
    ['path', '/api/v3/account'],
    ['symbol', 'ETHUSDT'],
    ['side', 'SELL'],
    ['clientOrderId', 'other'],
    ['channel', 'ws-api'],
  ])('%s must be equal', (field, other) => {
    const subject = order('one', 'x')
    const equal = subject[field as keyof FaultSubject]
    expect(bookOf({ match: { [field]: equal }, ...reset }).decide(subject)).toBeDefined()
    expect(bookOf({ match: { [field]: other }, ...reset }).decide(subject)).toBeUndefined()
  })

  test('fromMs is included, untilMs is not', () => {
    const book = bookOf({ match: { fromMs: 10, untilMs: 20 }, ...reset })
    expect([9, 10, 19, 20].map(sinceStartMs => book.decide({ ...order('one'), sinceStartMs }) !== undefined)).toEqual([
      false,
      true,
      true,
      false,
    ])
  })

  test('event faults meet events, request faults requests, and stream faults wait only for a named event', () => {
    const book = bookOf(
      { id: 'lag', match: { event: 'executionReport' }, action: { type: 'lag', ms: 5 } },
      { id: 'drop', match: {}, action: { type: 'drop' }, times: 1 },
      { id: 'silence', match: { event: 'kline' }, action: { type: 'silence', ms: 5 } },
      { id: 'reset', match: {}, ...reset },
    )
    const event = { channel: 'user-stream', account: 'one', sinceStartMs: 0 } as const
    expect(book.decide({ ...event, event: 'executionReport' })).toMatchObject({ fault: { id: 'lag' }, phase: 'event' })
    expect(book.decide({ ...event, event: 'outboundAccountPosition' })).toBeUndefined()
    expect(book.decide({ channel: 'market-stream', event: 'kline', sinceStartMs: 0 })?.fault.id).toBe('silence')
    expect(book.decide(order('one'))?.fault.id).toBe('reset')
    expect([book.fireNow('drop')?.id, book.fireNow('drop'), book.fireNow('silence'), book.fireNow('nope')]).toEqual([
      'drop',
      undefined,
      undefined,
      undefined,
    ])
  })

  test('a decision of the engine is logged with its request', () => {
    const { engine } = createHarness()
    expect(engine.faults.add({ id: 'f', match: {}, ...reset })).toEqual({ ok: true, ids: ['f'] })
    engine.decideFault({ channel: 'rest', account: 'demo', clientOrderId: 'x' }, { requestSeq: 9 })
    expect(engine.truth.query({ type: 'fault' }).entries).toMatchObject([
      { account: 'demo', faultId: 'f', action: 'reset', phase: 'after', requestSeq: 9, clientOrderId: 'x' },
    ])
  })
})

describe('schema', () => {
  const add = (input: unknown): ReturnType<FaultBook['add']> => createFaultBook({ seed: '1' }).add(input)

  test('the example of the page is read, ids are given where absent and never reused', () => {
    const book = createFaultBook({ seed: '1' })
    const example = JSON.parse(
      '{"id":"f1","match":{"method":"POST","path":"/api/v3/order","share":0.2},"phase":"after","action":{"type":"reset"},"times":3}',
    )
    expect(book.add(example)).toEqual({ ok: true, ids: ['f1'] })
    expect(book.add([{ action: { type: 'drop' } }, { match: { nth: 2 }, ...reset }])).toEqual({
      ok: true,
      ids: ['f2', 'f3'],
    })
    expect(book.list()).toMatchObject([{ times: 3 }, { phase: 'stream', times: null }, { phase: 'after', times: 1 }])
    expect(book.add({ ...example })).toEqual({ ok: false, msg: 'id: f1 is already in use' })
    expect([book.remove('f1'), book.remove('f1'), book.list().length]).toEqual([true, false, 2])
    book.clear()
    expect(book.list()).toEqual([])
  })

  test('one bad fault refuses the whole array and adds none', () => {
    const book = createFaultBook({ seed: '1' })
    const result = book.add([
      { match: {}, ...reset },
      { match: { share: 2 }, ...reset },
    ])
    expect(result).toMatchObject({ ok: false, msg: expect.stringContaining('1: match.share') })
    expect(book.list()).toEqual([])
  })

  test.each([
    ['hang', { ms: 5 }, ['before', 'after']],
    ['delay', { ms: 5 }, ['before', 'after']],
    ['reset', {}, ['before', 'after']],
    ['close', {}, ['before', 'after']],
    ['status', { status: 503, code: -1007, msg: 'm', retryAfterS: 1, html: '<p>' }, ['before', 'after']],
    ['truncate', { bytes: 5 }, ['after']],
    ['garbage', {}, ['after']],
    ['duplicate', { times: 2 }, ['before']],
    ['hide', { ms: 5 }, ['after']],
    ['limit', { retryAfterS: 2, ban: true }, ['before']],
    ['drop', {}, ['stream']],
    ['silence', { ms: 5 }, ['stream']],
    ['shutdown', {}, ['stream']],
    ['repeat', {}, ['event']],
    ['reorder', {}, ['event']],
    ['lag', { ms: 5 }, ['event']],
  ])('%s acts in its phases only', (type, fields, phases) => {
    for (const phase of ['before', 'after', 'stream', 'event']) {
      expect([type, phase, add({ phase, action: { type, ...fields } }).ok]).toEqual([
        type,
        phase,
        phases.includes(phase),
      ])
    }
    expect(add({ action: { type, ...fields } }).ok).toBe(phases.length === 1)
    expect(add({ phase: phases[0], action: { type, ...fields, other: 1 } }).ok).toBe(false)
  })

  test.each([
    [{ action: { type: 'nope' }, phase: 'before' }],
    [{ action: { type: 'hang' }, phase: 'before' }],
    [{ action: { type: 'lag', ms: -1 } }],
    [{ ...reset, match: { nth: 0 } }],
    [{ ...reset, match: { colour: 'red' } }],
    [{ ...reset, times: 0 }],
    [{ ...reset, id: 'two words' }],
    ['text'],
    [null],
  ])('%j is refused with the field', input => {
    const result = add(input)
    expect(result.ok).toBe(false)
    if (!result.ok) expect(result.msg.length).toBeGreaterThan(5)
  })
})
