import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { TraderEvent } from '../src/report.ts'
import { createTrader, type Trader } from '../src/trader.ts'
import { intentOf, openFloor, settled, truthOf, until, type Floor } from './rig.ts'

let floor: Floor

beforeEach(async () => {
  floor = await openFloor({ barMs: 86_400_000 })
})
afterEach(async () => {
  await floor?.[Symbol.asyncDispose]()
})

function connections(): number {
  return truthOf(floor.exchange, 'request').filter(entry => String(entry['method']).includes('userDataStream')).length
}

describe('the market stream', () => {
  test('breaks while bars close: each of them still becomes its intents, once', async () => {
    const options = floor.options('w1', { symbols: ['BTCUSDT'], barMs: 86_400_000, validMs: 60_000 })
    const trader: Trader = createTrader(options)
    await trader.start({ signal: AbortSignal.timeout(30_000) })
    const close = (bars: number): void => void floor.exchange.controls.setMarket({ symbol: 'BTCUSDT', bars })
    close(1)
    await until('one order', () => truthOf(floor.exchange, 'accepted').length === 1)
    floor.exchange.inject({ id: 'cut', match: { channel: 'market-stream' }, phase: 'stream', action: { type: 'drop' } })
    close(3)
    await until('all four orders', () => truthOf(floor.exchange, 'accepted').length === 4)
    const opens = new Set(
      options.events.flatMap((event: TraderEvent) =>
        event.type === 'transition' && event.to === 'PROPOSED' ? [event.key] : [],
      ),
    )
    expect(opens.size).toBe(4)
    expect(await trader.stop()).toBe(0)
    expect(truthOf(floor.exchange, 'accepted')).toHaveLength(4)
  })
})

describe('the user stream', () => {
  test('drops: it subscribes again, and the gap is reconciled', async () => {
    const worker = await floor.worker('w1')
    worker.parts.upkeep.start()
    floor.exchange.inject({ id: 'cut', match: { channel: 'user-stream' }, phase: 'stream', action: { type: 'drop' } })
    await until('it is noticed', () =>
      worker.events.some(event => event.type === 'notice' && event.notice === 'user-stream-down'),
    )
    const before = (await worker.parts.journal.reconciledAtMs()) ?? 0
    await until('it is reconciled', async () => ((await worker.parts.journal.reconciledAtMs()) ?? 0) > before)
    const intent = intentOf()
    await worker.trade(intent)
    expect(await settled(worker, intent.id)).toBe('FILLED')
    await worker[Symbol.asyncDispose]()
  })

  test('is silent while an answer is lost: the fills come by query, and the ledger is complete', async () => {
    const worker = await floor.worker('w1')
    floor.exchange.inject([
      { id: 'quiet', match: { channel: 'user-stream' }, phase: 'stream', action: { type: 'silence', ms: 20_000 } },
      {
        id: 'lost',
        match: { method: 'POST', path: '/api/v3/order' },
        phase: 'after',
        action: { type: 'reset' },
        times: 1,
      },
    ])
    const intent = intentOf()
    await worker.trade(intent)
    expect(await settled(worker, intent.id)).toBe('FILLED')
    const entry = await worker.parts.journal.read(intent.id)
    expect(entry?.filled).toBe('100000')
    await worker[Symbol.asyncDispose]()
  })

  test('is told to move: the new connection subscribes before the old one closes, and nothing is missed', async () => {
    const worker = await floor.worker('w1')
    const before = connections()
    floor.exchange.inject({
      id: 'move',
      match: { channel: 'user-stream' },
      phase: 'stream',
      action: { type: 'shutdown' },
    })
    await until('a second subscription', () => connections() > before)
    // The exchange closes the old one a second after it said so.
    await new Promise(resolve => setTimeout(resolve, 1500))
    const intent = intentOf()
    await worker.trade(intent)
    expect(await settled(worker, intent.id)).toBe('FILLED')
    await until('its events come over the new one', () =>
      worker.events.some(event => event.type === 'transition' && event.key === intent.id),
    )
    expect(worker.events.filter(event => event.type === 'notice' && event.notice === 'user-stream-down')).toEqual([])
    await worker[Symbol.asyncDispose]()
  })
})
