import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { executorBehind, intentOf, openFloor, settled, truthOf, until, type Floor, type Worker } from './rig.ts'

let floor: Floor
let first: Worker
let second: Worker

beforeAll(async () => {
  floor = await openFloor()
  first = await floor.worker('w1')
  second = await floor.worker('w2')
})

afterAll(async () => {
  await first?.[Symbol.asyncDispose]()
  await second?.[Symbol.asyncDispose]()
  await floor?.[Symbol.asyncDispose]()
})

afterEach(() => void floor.exchange.controls.removeFaults(undefined))

function returns(worker: Worker, key: string): object[] {
  return worker.events.filter(event => event.type === 'return' && event.key === key)
}

describe('two workers [claim 5]', () => {
  test('of one bar make one order; the other replays it or finds it busy', async () => {
    const intents = Array.from({ length: 20 }, () => intentOf())
    await Promise.all(intents.flatMap(intent => [first.trade(intent), second.trade(intent)]))
    for (const intent of intents) {
      expect(await settled(first, intent.id)).toBe('FILLED')
      expect(floor.accepted(intent.id)).toBe(1)
      const ran = [...returns(first, intent.id), ...returns(second, intent.id)]
      const executed = ran.filter(event => 'replayed' in event && event.replayed === false)
      // The stream may have closed the record before the answer did; then even the executor replays.
      expect(executed.length).toBeLessThanOrEqual(1)
      // A busy machine may delay an answer past the request's time limit: doubt, and no second order.
      const orders = new Set(ran.flatMap(event => ('value' in event ? [event.value] : [])))
      expect(orders.size).toBeLessThanOrEqual(1)
    }
    const all = intents.flatMap(({ id }) => [...returns(first, id), ...returns(second, id)])
    expect(all.filter(event => 'outcome' in event && event.outcome === 'ran').length).toBeGreaterThan(0)
  })

  test('give the same placement, whoever is asked later', async () => {
    const intent = intentOf()
    await first.trade(intent)
    await settled(first, intent.id)
    const [mine, theirs] = [await first.parts.safety.place(intent), await second.parts.safety.place(intent)]
    expect(mine).toMatchObject({ kind: 'placed', replayed: true, placement: { outcome: 'ordered' } })
    expect(theirs).toEqual(mine)
    expect(floor.accepted(intent.id)).toBe(1)
  })

  test('make two orders of two bars with equal parameters', async () => {
    const [a, b] = [intentOf(), intentOf()]
    expect({ ...a, id: '', barOpenMs: 0, validUntilMs: 0 }).toEqual({ ...b, id: '', barOpenMs: 0, validUntilMs: 0 })
    await Promise.all([first.trade(a), second.trade(b)])
    expect(await settled(first, a.id)).toBe('FILLED')
    expect(await settled(second, b.id)).toBe('FILLED')
    expect(floor.accepted(a.id) + floor.accepted(b.id)).toBe(2)
  })

  test('that disagree about an intent are told so, and the second order is not sent', async () => {
    const intent = intentOf()
    await first.trade(intent)
    await settled(first, intent.id)
    expect(await second.parts.safety.place({ ...intent, quantity: '0.002' })).toMatchObject({ kind: 'mismatch' })
    expect(floor.accepted(intent.id)).toBe(1)
  })
})

describe('an id that is open on the exchange [claim 6]', () => {
  test('is adopted when the exchange refuses it as a duplicate', async () => {
    const intent = intentOf({ type: 'LIMIT', price: '30000.00', quantity: '0.001', validUntilMs: Date.now() + 600_000 })
    const { api, clockSync } = first.parts.link
    // Somebody sent it before, outside of every guard.
    const sent = await api.place(intent, clockSync.now())
    expect(sent.ok).toBe(true)
    await second.trade(intent)
    const entry = await until('adopted', async () => {
      const read = await second.parts.journal.read(intent.id)
      return read?.state === 'ACCEPTED' ? read : undefined
    })
    expect(entry.orderId).toBe(sent.ok ? sent.value.orderId : '')
    expect(floor.accepted(intent.id)).toBe(1)
    expect(await first.parts.safety.place(intent)).toMatchObject({
      placement: { outcome: 'ordered', orderId: entry.orderId },
    })
    await api.cancel(intent.symbol, intent.id)
    expect(await settled(second, intent.id)).toBe('CANCELED')
  })

  test('whose query fails is in doubt, not absent, and known when a query answers', async () => {
    const intent = intentOf({ type: 'LIMIT', price: '30000.00', quantity: '0.001', validUntilMs: Date.now() + 600_000 })
    const { api, clockSync } = first.parts.link
    floor.exchange.inject([
      // Events come late, so that only a query can tell.
      { id: 'late', match: { clientOrderId: intent.id }, phase: 'event', action: { type: 'lag', ms: 20_000 } },
      {
        id: 'no-query',
        match: { method: 'GET', path: '/api/v3/order' },
        phase: 'before',
        action: { type: 'status', status: 503, code: -1001, msg: 'Internal error' },
      },
    ])
    expect((await api.place(intent, clockSync.now())).ok).toBe(true)
    await second.parts.journal.propose(intent, { missed: false })
    // Once by the refusal as a duplicate, then by the lookup of whoever asks next.
    expect(await second.parts.safety.place(intent)).toMatchObject({ kind: 'in-doubt' })
    expect(await second.parts.safety.place(intent)).toMatchObject({ kind: 'in-doubt' })
    expect(await second.parts.journal.read(intent.id)).toMatchObject({ state: 'UNKNOWN' })
    floor.exchange.controls.removeFaults('no-query')
    second.parts.resolver.take(intent.id)
    await until('it is looked up', async () => (await second.parts.journal.read(intent.id))?.state === 'ACCEPTED')
    expect(second.path(intent.id)).not.toContain('ABSENT')
    expect(floor.accepted(intent.id)).toBe(1)
    await api.cancel(intent.symbol, intent.id)
  })

  test('and is seen between reserve and dispatch, is the answer, and nothing is sent', async () => {
    const intent = intentOf({ type: 'LIMIT', price: '30000.00', quantity: '0.001', validUntilMs: Date.now() + 600_000 })
    const { journal, adopter, link } = second.parts
    floor.exchange.inject({
      id: 'late',
      match: { clientOrderId: intent.id },
      phase: 'event',
      action: { type: 'lag', ms: 20_000 },
    })
    expect((await link.api.place(intent, link.clockSync.now())).ok).toBe(true)
    const seen = await until('the order is listed', async () => {
      const found = await link.api.order(intent.symbol, intent.id)
      return found.ok ? found.value : undefined
    })
    await journal.propose(intent, { missed: false })
    // The breaker stands between the two steps; here the order is seen while it lets the call through.
    const executor = executorBehind(floor, second, async work => {
      await adopter.order({ ...seen, id: intent.id }, 'stream')
      return { open: false, value: (await work()).value }
    })
    const placement = await executor.run(intent, { fence: 1, attempt: 1, signal: new AbortController().signal })
    expect(placement).toEqual({ outcome: 'ordered', orderId: seen.orderId })
    const requests = truthOf(floor.exchange, 'request').filter(
      entry => entry['method'] === 'POST' && entry['clientOrderId'] === intent.id,
    )
    expect(requests).toHaveLength(1)
    await link.api.cancel(intent.symbol, intent.id)
  })
})

describe('a LIMIT order', () => {
  test('is cancelled when its validity ends, and what was filled stays', async () => {
    const intent = intentOf({ type: 'LIMIT', price: '30000.00', quantity: '0.001', validUntilMs: Date.now() + 1500 })
    await first.trade(intent)
    expect(await settled(first, intent.id)).toBe('CANCELED')
    const cancels = truthOf(floor.exchange, 'canceled').filter(entry => JSON.stringify(entry).includes(intent.id))
    expect(cancels).toHaveLength(1)
  })
})
