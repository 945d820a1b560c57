import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { whenReady } from '@safety/redis-core'
import { readBook } from '../src/orders/book.ts'
import { acceptedOrders, openFloor, truthOf, until, type Floor } from './rig.ts'
import { startWorkerProcess, type WorkerProcess } from './worker-process.ts'

let floor: Floor
const processes: WorkerProcess[] = []

beforeEach(async () => {
  // Bars close when the test says so.
  floor = await openFloor({ barMs: 86_400_000, symbols: ['BTCUSDT'] })
})
afterEach(async () => {
  for (const { child, exited } of processes.splice(0)) {
    child.kill('SIGKILL')
    await exited
  }
  await floor?.[Symbol.asyncDispose]()
})

function start(name: string, more: Record<string, unknown> = {}, killAt?: string): WorkerProcess {
  const config = floor.config({ symbols: ['BTCUSDT'], barMs: 86_400_000, validMs: 20_000, ...more })
  const started = startWorkerProcess(name, config, killAt)
  processes.push(started)
  return started
}

async function book(): Promise<Awaited<ReturnType<typeof readBook>>> {
  const redis = floor.redis.client()
  try {
    await whenReady(redis)
    return await readBook(redis, floor.book)
  } finally {
    redis.disconnect()
  }
}

async function allSettled(intents: number): Promise<Awaited<ReturnType<typeof readBook>>> {
  return until('every intent is settled', async () => {
    const now = await book()
    const open = Object.values(now.records).filter(record => record.believes === 'unknown')
    return Object.keys(now.records).length >= intents && open.length === 0 ? now : undefined
  })
}

function closeBars(bars: number): void {
  floor.exchange.controls.setMarket({ symbol: 'BTCUSDT', bars })
}

function ordersSent(): number {
  return truthOf(floor.exchange, 'request').filter(entry => entry['method'] === 'POST').length
}

describe('a worker that dies by SIGKILL [claim 7]', () => {
  test.each([
    'trader:before-reserve',
    'idempotency:after-claim',
    'trader:after-reserve',
    'trader:after-dispatch',
    'trader:after-answer',
    'trader:before-record',
    'idempotency:before-finish',
  ])('at %s leaves at most one order, and its restart explains the intent', async point => {
    const doomed = start('w1', {}, point)
    await doomed.ready()
    closeBars(1)
    expect(await doomed.exited).toMatchObject({ signal: 'SIGKILL' })
    const second = start('w1b')
    await second.ready()
    const { records, inDoubt } = await allSettled(1)
    const [[id, record]] = Object.entries(records) as [string, { believes: string }][] as [
      [string, { believes: string }],
    ]
    const orders = acceptedOrders(floor.exchange, id).length
    expect(orders).toBeLessThanOrEqual(1)
    expect(record.believes).toBe(orders === 1 ? 'ordered' : 'refused')
    expect(inDoubt.open).toBe(0)
  })

  test('with its request out and unanswered leaves one order, found at the restart', async () => {
    floor.exchange.inject({
      id: 'hang',
      match: { method: 'POST', path: '/api/v3/order' },
      phase: 'after',
      action: { type: 'hang', ms: 5000 },
    })
    const doomed = start('w1', { requestTimeoutMs: 5000 })
    await doomed.ready()
    closeBars(1)
    await until('the request is out', () => ordersSent() === 1)
    doomed.child.kill('SIGKILL')
    await doomed.exited
    floor.exchange.controls.removeFaults(undefined)
    const second = start('w1b')
    await second.ready()
    const { records } = await allSettled(1)
    const [[id, record]] = Object.entries(records) as [string, { believes: string }][] as [
      [string, { believes: string }],
    ]
    expect(acceptedOrders(floor.exchange, id)).toHaveLength(1)
    expect(record.believes).toBe('ordered')
    expect(ordersSent()).toBe(1)
  })

  test('while another worker lives: the other one settles what it left', async () => {
    const doomed = start('w1', {}, 'trader:after-dispatch')
    await doomed.ready()
    closeBars(1)
    await doomed.exited
    const other = start('w2')
    await other.ready()
    const { records } = await allSettled(1)
    expect(Object.values(records)).toHaveLength(1)
    expect(Object.values(records)[0]!.believes).toBe('ordered')
    expect(other.events).toContainEqual(
      expect.objectContaining({ type: 'transition', to: 'UNKNOWN', reason: 'left-behind' }),
    )
  })
})

describe('a worker that comes back', () => {
  async function awayFor(
    bars: number,
    more: Record<string, unknown>,
  ): Promise<Record<string, { believes: string; reason: string }>> {
    const before = start('w1')
    await before.ready()
    closeBars(1)
    await allSettled(1)
    before.send({ type: 'stop' })
    expect(await before.exited).toEqual({ code: 0, signal: null })
    closeBars(bars)
    const after = start('w1b', more)
    await after.ready()
    return (await allSettled(1 + bars)).records
  }

  test('runs the intents of the bars it missed while they are valid', async () => {
    const records = await awayFor(2, {})
    expect(Object.values(records).map(record => record.believes)).toEqual(['ordered', 'ordered', 'ordered'])
  })

  test('writes down as DENIED(missed) those that are not valid any more', async () => {
    // By its clock bars last 100 ms, so the missed ones arrived longer ago than they stay valid.
    const records = await awayFor(2, { barMs: 100, validMs: 100 })
    const reasons = Object.values(records).map(record => record.reason)
    expect(reasons.filter(reason => reason === 'DENIED missed')).toHaveLength(2)
  })
})
