import { expect, test } from 'vitest'
import { createPaperExchange } from '../src/index.ts'
import type { PaperExchange, TruthEntry } from '../src/index.ts'
import { clientOf, encode, send, sign } from './paper-client.ts'
import type { Client } from './paper-client.ts'

const STORM = [
  { id: 'a', match: { method: 'POST', share: 0.2 }, phase: 'after', action: { type: 'reset' } },
  { id: 'b', match: { method: 'POST', share: 0.2 }, phase: 'before', action: { type: 'status', status: 503 } },
  { id: 'c', match: { method: 'POST', share: 0.2, attempt: 2 }, phase: 'after', action: { type: 'garbage' } },
  { id: 'd', match: { method: 'POST', side: 'SELL', share: 0.3 }, phase: 'before', action: { type: 'duplicate' } },
]

interface Intent {
  id: string
  side: 'BUY' | 'SELL'
  quantity: string
}

const INTENTS: Intent[] = Array.from({ length: 40 }, (_, index) => ({
  id: `intent-${index}`,
  side: index % 3 === 0 ? 'SELL' : 'BUY',
  quantity: (0.001 * (1 + (index % 7))).toFixed(3),
}))

const start = (accounts: string[]): Promise<PaperExchange> =>
  createPaperExchange({ clock: 'manual', barMs: 86_400_000, seed: 7, orders10s: 100_000, faults: STORM, accounts })

/** Each intent is tried twice, as a client that knows no better does. */
const trade = async (client: Client, { id, side, quantity }: Intent): Promise<void> => {
  const order = { symbol: 'BTCUSDT', side, type: 'MARKET', quantity, newClientOrderId: id }
  await client.signed('POST', 'order', order)
  await client.signed('POST', 'order', order)
}

/** What an account met and got, by intent, without what tells accounts and moments apart. */
const fate = (exchange: PaperExchange, account: string): Record<string, unknown[]> => {
  const fates: Record<string, unknown[]> = {}
  const idOfOrder = new Map<number, string>()
  const note = (id: string, what: unknown): void => void (fates[id] ??= []).push(what)
  for (const entry of exchange.truth({ account, limit: 1000 }).entries as TruthEntry[]) {
    if (entry.type === 'fault' && entry.clientOrderId !== null) note(entry.clientOrderId, [entry.faultId, entry.action])
    if (entry.type === 'accepted') {
      idOfOrder.set(entry.orderId, entry.clientOrderId)
      note(entry.clientOrderId, 'accepted')
    }
    if (entry.type === 'fill') note(idOfOrder.get(entry.orderId) ?? '', [entry.price, entry.qty, entry.commission])
  }
  return fates
}

const shuffled = (order: number): Intent[] =>
  INTENTS.map((intent, index) => ({ intent, at: (index * 17 + order * 7) % INTENTS.length }))
    .sort((left, right) => left.at - right.at)
    .map(({ intent }) => intent)

test('two accounts sending equal ids in different order meet equal faults and the fills they would get alone [claim 14]', async () => {
  await using together = await start(['one', 'two'])
  const [one, two] = [clientOf(together, 'one'), clientOf(together, 'two')]
  const [left, right] = [shuffled(1), shuffled(2)]
  for (let index = 0; index < INTENTS.length; index++) {
    await Promise.all([trade(one, left[index] as Intent), trade(two, right[index] as Intent)])
  }
  await using alone = await start(['solo'])
  for (const intent of INTENTS) await trade(clientOf(alone, 'solo'), intent)
  const expected = fate(alone, 'solo')
  expect(fate(together, 'one')).toEqual(expected)
  expect(fate(together, 'two')).toEqual(expected)
  const met = new Set(
    Object.values(expected)
      .flat()
      .filter(Array.isArray)
      .map(([id]) => id),
  )
  expect(STORM.filter(({ id }) => !met.has(id))).toEqual([])
})

test('an account without an id meets shares by its own count, whatever others do', async () => {
  const fault = {
    id: 's',
    match: { path: '/api/v3/account', share: 0.5 },
    phase: 'before',
    action: { type: 'status', status: 502 },
  }
  const run = async (noise: boolean): Promise<number[]> => {
    await using exchange = await createPaperExchange({ clock: 'manual', faults: [fault], accounts: ['one', 'two'] })
    const statuses: number[] = []
    for (let call = 0; call < 20; call++) {
      if (noise) await clientOf(exchange, 'two').signed('GET', 'account')
      const query = encode({ timestamp: exchange.controls.clock().nowMs })
      const { apiKey, secret } = clientOf(exchange, 'one').account
      const url = `${exchange.urls.rest}/api/v3/account?${query}&signature=${sign(secret, query)}`
      statuses.push((await send('GET', url, { headers: { 'x-mbx-apikey': apiKey } })).status)
    }
    return statuses
  }
  const quiet = await run(false)
  expect(await run(true)).toEqual(quiet)
  expect(new Set(quiet)).toEqual(new Set([200, 502]))
})
