import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createTrader, type Trader } from '../src/trader.ts'
import type { TraderEvent } from '../src/report.ts'
import { intentOf, openFloor, settled, truthOf, until, type Floor, type Worker } from './rig.ts'

let floor: Floor

beforeEach(async () => {
  floor = await openFloor({ barMs: 86_400_000 }, 'always')
})
afterEach(async () => {
  await floor?.[Symbol.asyncDispose]()
})

const order = { method: 'POST', path: '/api/v3/order' }

function posts(): number {
  return truthOf(floor.exchange, 'request').filter(entry => entry['method'] === 'POST').length
}

describe('Redis goes away [claim 8]', () => {
  let first: Worker
  let second: Worker

  beforeEach(async () => {
    first = await floor.worker('w1')
    second = await floor.worker('w2')
    return async () => {
      await first[Symbol.asyncDispose]()
      await second[Symbol.asyncDispose]()
    }
  })

  test('killed under load and back with its append-only file: no duplicate, nothing lost, no drift', async () => {
    floor.exchange.inject([
      { id: 'reset', match: { ...order, share: 0.3 }, phase: 'after', action: { type: 'reset' } },
      { id: 'busy', match: { ...order, share: 0.3 }, phase: 'before', action: { type: 'delay', ms: 150 } },
    ])
    const intents = Array.from({ length: 30 }, () => intentOf({ validUntilMs: Date.now() + 60_000 }))
    const known: string[] = []
    const trading = (async () => {
      for (const intent of intents) {
        // Proposals during the outage fail, as the runner sees them fail; it would offer them again.
        const offers = await Promise.allSettled([first.trade(intent), second.trade(intent)])
        if (offers.some(offer => offer.status === 'fulfilled')) known.push(intent.id)
        await new Promise(resolve => setTimeout(resolve, 60))
      }
    })()
    await new Promise(resolve => setTimeout(resolve, 600))
    await floor.redis.kill()
    await new Promise(resolve => setTimeout(resolve, 700))
    await floor.redis.restart({ data: 'keep' })
    await trading
    floor.exchange.controls.removeFaults(undefined)
    await until(
      'Redis is usable again',
      () => first.parts.redis.status === 'ready' && second.parts.redis.status === 'ready',
    )
    expect(known.length).toBeGreaterThan(5)
    for (const id of known) {
      expect(['FILLED', 'LAPSED']).toContain(await settled(first, id, 60_000))
      expect(floor.accepted(id)).toBeLessThanOrEqual(1)
    }
    for (const intent of intents) expect(floor.accepted(intent.id)).toBeLessThanOrEqual(1)
    const drift = await until(
      'both sides could be compared',
      async () => {
        const result = await first.parts.reconciler.run('test')
        return result.done ? result.drift : undefined
      },
      30_000,
      300,
    )
    expect(drift).toEqual({})
  })

  test('while it is away an entry says not-run, is not sent, and never looks like a duplicate', async () => {
    await floor.redis.kill()
    const before = posts()
    const placed = await first.parts.safety.place(intentOf())
    expect(placed).toMatchObject({ kind: 'not-placed', store: true })
    expect(posts()).toBe(before)
    await floor.redis.restart({ data: 'keep' })
  })

  test('while it is away cancels pass: a resting order is cancelled when its validity ends', async () => {
    const resting = intentOf({ type: 'LIMIT', price: '30000.00', validUntilMs: Date.now() + 3000 })
    await first.trade(resting)
    await until('it rests', async () => (await first.parts.journal.read(resting.id))?.state === 'ACCEPTED')
    await until(
      'the worker knows that it rests',
      () => first.path(resting.id).includes('ACCEPTED') || second.path(resting.id).includes('ACCEPTED'),
    )
    await new Promise(resolve => setTimeout(resolve, 700))
    await floor.redis.kill()
    await until('it is cancelled', () =>
      truthOf(floor.exchange, 'canceled').some(entry => JSON.stringify(entry).includes(resting.id)),
    )
    await floor.redis.restart({ data: 'keep' })
    await until('usable', () => first.parts.redis.status === 'ready')
    expect(await settled(first, resting.id)).toBe('CANCELED')
  })
})

describe('a bar that closes while Redis is away [claim 8]', () => {
  test('denies its entry at once and decides it again, once, when Redis is back', async () => {
    const options = floor.options('w1', { symbols: ['BTCUSDT'], barMs: 86_400_000, validMs: 60_000 })
    const trader: Trader = createTrader(options)
    await trader.start({ signal: AbortSignal.timeout(30_000) })
    const moves = (to: string): TraderEvent[] =>
      options.events.filter(event => event.type === 'transition' && event.to === to)
    await floor.redis.kill()
    floor.exchange.controls.setMarket({ symbol: 'BTCUSDT', bars: 1 })
    const [denied] = await until('the entry is denied', () =>
      moves('DENIED').length > 0 ? moves('DENIED') : undefined,
    )
    expect(denied).toMatchObject({ reason: 'redis-away' })
    expect(posts()).toBe(0)
    await floor.redis.restart({ data: 'keep' })
    await until('it is decided', () => moves('FILLED').length > 0)
    expect(truthOf(floor.exchange, 'accepted')).toHaveLength(1)
    expect(await trader.stop()).toBe(0)
  })
})
