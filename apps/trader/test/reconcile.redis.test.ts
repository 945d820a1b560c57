import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { balancesInUnits } from '../src/reconcile.ts'
import { intentOf, openFloor, settled, until, type Floor, type Worker } from './rig.ts'

let floor: Floor
let worker: Worker

beforeAll(async () => {
  floor = await openFloor()
})
beforeEach(async () => {
  worker = await floor.worker('w1')
  return async () => worker[Symbol.asyncDispose]()
})
afterAll(async () => {
  await floor?.[Symbol.asyncDispose]()
})

function alerts(of: Worker): string[] {
  return of.events.flatMap(event => (event.type === 'alert' ? [event.alert] : []))
}

async function reconciled(of: Worker): Promise<Readonly<Record<string, string>>> {
  return until(
    'a reconciliation that could compare both sides',
    async () => {
      const result = await of.parts.reconciler.run('test')
      return result.done ? result.drift : undefined
    },
    30_000,
    300,
  )
}

describe('reconciliation [claim 13]', () => {
  test('adopts an order of ours that the journal does not know, fills included, and alerts', async () => {
    const intent = intentOf()
    worker.parts.stream.close()
    const { api, clockSync } = worker.parts.link
    const sent = await api.place(intent, clockSync.now())
    expect(sent.ok).toBe(true)
    await worker.parts.reconciler.run('test')
    expect(alerts(worker)).toContain('Orphan')
    expect((await worker.parts.journal.read(intent.id))?.state).toBe('FILLED')
    expect(await reconciled(worker)).toEqual({})
    // And nobody sends it again.
    expect(await worker.parts.safety.place(intent)).toMatchObject({ kind: 'placed', replayed: true })
    expect(floor.accepted(intent.id)).toBe(1)
  })

  test('leaves a foreign order alone and alerts once', async () => {
    const foreign = { ...intentOf({ type: 'LIMIT', price: '30000.00' }), id: 'web_by-hand' }
    const { api, clockSync } = worker.parts.link
    expect((await api.place(foreign, clockSync.now())).ok).toBe(true)
    await worker.parts.reconciler.run('test')
    await worker.parts.reconciler.run('test')
    expect(alerts(worker).filter(alert => alert === 'ForeignOrder').length).toBeGreaterThanOrEqual(1)
    const open = await api.openOrders('BTCUSDT')
    expect(open.ok && open.value.map(order => order.clientOrderId)).toContain('web_by-hand')
    await api.cancel('BTCUSDT', 'web_by-hand')
  })

  test('a fill between subscribing and the snapshot is in the ledger [claim 12]', async () => {
    const intent = intentOf()
    // A second worker on the same book: its stream is open, its events wait, and now something fills.
    const options = floor.options('w2')
    const { assemble } = await import('../src/assembly.ts')
    const { createTraderMetrics } = await import('../src/observe/trader-metrics.ts')
    const parts = await assemble(options, createTraderMetrics(), AbortSignal.timeout(20_000))
    await parts.stream.start({ signal: AbortSignal.timeout(20_000) })
    await worker[Symbol.asyncDispose]()
    const sent = await parts.link.api.place(intent, parts.link.clockSync.now())
    expect(sent.ok).toBe(true)
    await parts.reconciler.run('start')
    parts.events.open()
    await parts.events.settled()
    expect((await parts.journal.read(intent.id))?.filled).toBe('100000')
    const second: Worker = { ...worker, parts, events: options.events }
    expect(await reconciled(second)).toEqual({})
    parts.stream.close()
    await parts.safety[Symbol.asyncDispose]()
    parts.redis.disconnect()
    worker = await floor.worker('w1')
  })

  test('two orders of one id raise DuplicateOrder once, and both are in the ledger', async () => {
    const intent = intentOf()
    const { api, clockSync } = worker.parts.link
    await worker.trade(intent)
    await settled(worker, intent.id)
    // A MARKET order frees its id as it fills: a careless repeat buys again.
    expect((await api.place(intent, clockSync.now())).ok).toBe(true)
    await worker.parts.reconciler.run('test')
    await worker.parts.reconciler.run('test')
    expect(alerts(worker).filter(alert => alert === 'DuplicateOrder')).toHaveLength(1)
    expect(await reconciled(worker)).toEqual({})
  })

  test('a balance that no fill explains is a drift, and is told once', async () => {
    await worker.trade(intentOf())
    await reconciled(worker)
    await worker.parts.redis.hincrby(worker.parts.keys.ledger, 'BTC', 1)
    expect(await reconciled(worker)).toEqual({ BTC: '-0.00000001' })
    await reconciled(worker)
    expect(alerts(worker).filter(alert => alert === 'Drift')).toHaveLength(1)
    await worker.parts.redis.hincrby(worker.parts.keys.ledger, 'BTC', -1)
  })

  test('a wiped account halts entries until the baseline is accepted', async () => {
    const before = intentOf()
    await worker.trade(before)
    await settled(worker, before.id)
    await until('the order is old enough to be missed', async () => {
      const recent = await worker.parts.journal.recentOrders(worker.parts.link.clockSync.now() - 1700, 0)
      return recent.some(order => order.id === before.id)
    })
    floor.exchange.controls.wipe('demo')
    await worker.parts.reconciler.run('test')
    expect(alerts(worker)).toContain('AccountReset')
    const halted = intentOf()
    await worker.trade(halted)
    expect(await settled(worker, halted.id)).toBe('DENIED')
    expect((await worker.parts.journal.read(halted.id))?.reason).toBe('halted-account-reset')
    expect(floor.accepted(halted.id)).toBe(0)

    const account = await worker.parts.link.api.account()
    if (!account.ok) throw new Error('no account')
    const order = { who: 'tester', why: 'the account was wiped on purpose' }
    await worker.parts.journal.setBaseline(balancesInUnits(account.value), worker.parts.link.clockSync.atLeast(), order)
    const after = intentOf()
    await worker.trade(after)
    expect(await settled(worker, after.id)).toBe('FILLED')
    expect(await reconciled(worker)).toEqual({})
  })
})
