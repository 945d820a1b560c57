import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { intentOf, openFloor, settled, type Floor, type Worker } from './rig.ts'

let floor: Floor

beforeAll(async () => {
  floor = await openFloor()
})
afterAll(async () => {
  await floor?.[Symbol.asyncDispose]()
})

const order = { method: 'POST', path: '/api/v3/order' }

/** Lets two workers carry intents on and answers how many orders the exchange accepted beyond the first of each. */
async function duplicatesWith(mutant: string | undefined, faults: (id: string) => object[]): Promise<number> {
  const more = { recvWindowMs: 4000, ...(mutant === undefined ? {} : { mutant }) }
  const workers: Worker[] = [await floor.worker('w1', more), await floor.worker('w2', more)]
  const intents = Array.from({ length: 6 }, () => intentOf({ validUntilMs: Date.now() + 15_000 }))
  for (const intent of intents) {
    floor.exchange.inject(faults(intent.id))
    await Promise.all(workers.map(worker => worker.trade(intent)))
  }
  for (const intent of intents) await settled(workers[0]!, intent.id, 40_000)
  // Whatever is still held on its way in has entered by then.
  await new Promise(resolve => setTimeout(resolve, 3000))
  for (const worker of workers) await worker[Symbol.asyncDispose]()
  floor.exchange.controls.removeFaults(undefined)
  return intents.reduce((sum, { id }) => sum + floor.accepted(id) - 1, 0)
}

describe('each guard is needed: broken, the exchange sees duplicates; whole, it sees none', () => {
  const hidden = (id: string): object[] => [
    { id: `hide-${id}`, match: { ...order, clientOrderId: id, attempt: 1 }, phase: 'after', action: { type: 'reset' } },
    { id: `lag-${id}`, match: { clientOrderId: id }, phase: 'event', action: { type: 'lag', ms: 2500 } },
  ]
  const slow = (id: string): object[] => [
    {
      id: `slow-${id}`,
      match: { ...order, clientOrderId: id, attempt: 1 },
      phase: 'before',
      action: { type: 'delay', ms: 200 },
    },
  ]

  test('without the claim two workers both send', async () => {
    expect(await duplicatesWith(undefined, slow)).toBe(0)
    expect(await duplicatesWith('no-claim', slow)).toBeGreaterThan(0)
  })

  test('an unknown that is retried buys twice', async () => {
    expect(await duplicatesWith(undefined, hidden)).toBe(0)
    expect(await duplicatesWith('retry-unknown', hidden)).toBeGreaterThan(0)
  })

  test('a first "not found" that is believed buys twice', async () => {
    // Held before the engine past the client's patience: queries see nothing yet, and then it becomes an order.
    const held = (id: string): object[] => [
      {
        id: `held-${id}`,
        match: { ...order, clientOrderId: id, attempt: 1 },
        phase: 'before',
        action: { type: 'delay', ms: 2500 },
      },
    ]
    expect(await duplicatesWith(undefined, held)).toBe(0)
    expect(await duplicatesWith('trust-not-found', held)).toBeGreaterThan(0)
  })
})
