import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { createClient, listen, send, subscribe } from './paper-client.ts'
import { startPaper } from './paper-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'paper-exchange-'))
afterAll(() => rmSync(folder, { recursive: true }))

const START_MS = 1_700_000_100_000
const FAULTS = [
  { match: { method: 'POST', share: 0.3 }, phase: 'after', action: { type: 'status', status: 503 } },
  { match: { method: 'POST', share: 0.2 }, phase: 'before', action: { type: 'duplicate' } },
  { match: { event: 'executionReport', share: 0.3 }, phase: 'event', action: { type: 'lag', ms: 700 } },
]

/** One fixed session against a process with a manual clock; gives its truth log. */
async function session(name: string, seed: string, node?: string): Promise<string> {
  const truth = join(folder, `${name}.jsonl`)
  await using paper = await startPaper(
    ['--port', '0', '--clock', 'manual', '--seed', seed, '--account', 'one', '--truth', truth],
    node,
  )
  const { ready } = paper
  let serverMs = START_MS
  const control = (path: string, body: unknown): Promise<unknown> =>
    send('POST', `${ready.control}/${path}`, {
      body: JSON.stringify(body),
      headers: { 'x-paper-token': ready.controlToken },
    })
  const client = createClient({ rest: ready.rest, nowMs: () => serverMs }, ready.accounts[0] as never)
  await control('faults', FAULTS)
  await using ear = await listen(ready.wsApi)
  await subscribe(ear, client.account, serverMs)
  for (let step = 0; step < 30; step++) {
    const symbol = ['BTCUSDT', 'ETHUSDT', 'BNBUSDT'][step % 3] ?? ''
    const side = step % 2 === 0 ? 'BUY' : 'SELL'
    await client.signed('POST', 'order', {
      symbol,
      side,
      type: 'MARKET',
      quoteOrderQty: 100 + step,
      newClientOrderId: `m${step}`,
    })
    const { json: book } = await client.open('GET', 'depth', { symbol, limit: 5 })
    const price = side === 'BUY' ? book.bids[1][0] : book.asks[1][0]
    await client.signed('POST', 'order', { symbol, side, type: 'LIMIT', timeInForce: 'GTC', quantity: '0.1', price })
    const far = { symbol, side: 'BUY', type: 'LIMIT', quantity: '0.1', price: book.bids[4][0] }
    await client.signed('POST', 'order', { ...far, timeInForce: 'IOC' })
    await client.signed('POST', 'order', { ...far, timeInForce: 'GTC', newClientOrderId: 'again' })
    if (step % 5 === 4) await client.signed('DELETE', 'openOrders', { symbol })
    if (step === 10) await control('market', { symbol: 'BTCUSDT', price: '61234.56' })
    if (step === 20) await control('wipe', { account: 'one' })
    await control('clock', { advanceMs: 7000 })
    serverMs += 7000
  }
  expect(await paper.stop()).toBe(0)
  return readFileSync(truth, 'utf8')
}

/** Another Node that can run TypeScript, or nothing. */
function otherNode(): string | undefined {
  for (const candidate of (process.env['PATH'] ?? '').split(':').map(path => join(path, 'node'))) {
    try {
      const version = execFileSync(candidate, ['--version'], { encoding: 'utf8' }).trim()
      const [, major = 0, minor = 0] = version.match(/^v(\d+)\.(\d+)/)?.map(Number) ?? []
      const runsTypeScript = (major === 22 && minor >= 18) || (major === 24 && minor >= 11) || major >= 26
      if (runsTypeScript && version !== process.version) return candidate
    } catch {
      // No Node in this folder.
    }
  }
  return undefined
}

describe('equal seed and requests on a manual clock [claim 16]', () => {
  test('two processes, on two Node versions where there are two, write truth logs equal to the last byte', async () => {
    // The second one runs on another Node version where the machine has one.
    const [first, second] = [await session('first', '1'), await session('second', '1', otherNode())]
    expect(first.split('\n').length).toBeGreaterThan(300)
    const kinds = new Set(
      first
        .trim()
        .split('\n')
        .map(line => (JSON.parse(line) as { type: string }).type),
    )
    expect([...kinds].sort()).toEqual([
      'accepted',
      'answer',
      'canceled',
      'clock',
      'event',
      'expired',
      'fault',
      'fill',
      'market',
      'rejected',
      'request',
      'wipe',
    ])
    expect(second === first).toBe(true)
    expect((await session('third', '2')) === first).toBe(false)
  })
})
