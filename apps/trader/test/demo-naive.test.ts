import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createManualClock } from '@safety/redis-core/testing'
import { afterAll, describe, expect, test } from 'vitest'
import { openBookFile, readBookFile, sumOfChanges } from '../src/naive/book-file.ts'
import { changesOf, ExchangeError } from '../src/naive/create-order.ts'
import { createNaiveMetrics } from '../src/naive/naive-metrics.ts'
import { orderWithRetry } from '../src/naive/order-with-retry.ts'

const folder = mkdtempSync(join(tmpdir(), 'demo-naive-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function attempts(error: Error, failures: number): Promise<{ atMs: number[]; result: string }> {
  const clock = createManualClock()
  const atMs: number[] = []
  const started = clock.now()
  const running = orderWithRetry(
    clock,
    async attempt => {
      atMs.push(clock.now() - started)
      if (attempt <= failures) throw error
      return 'placed'
    },
    () => {},
  ).catch((last: unknown) => (last === error ? 'gave up' : 'another error'))
  for (let step = 0; step < 20; step += 1) await clock.advance(50)
  return { atMs, result: await running }
}

describe('naive side', () => {
  test('any error is tried again after 200 ms and then 400 ms, three times in all', async () => {
    const error = new ExchangeError('binance 503', -1007)
    expect(await attempts(error, 1)).toEqual({ atMs: [0, 200], result: 'placed' })
    expect(await attempts(error, 9)).toEqual({ atMs: [0, 200, 600], result: 'gave up' })
  })

  test('only -2010 and -1013 are final', async () => {
    for (const code of [-2010, -1013]) {
      expect(await attempts(new ExchangeError('refused', code), 9)).toEqual({ atMs: [0], result: 'gave up' })
    }
    for (const code of [-1021, -2015, -1003, undefined]) {
      expect((await attempts(new ExchangeError('refused', code), 9)).atMs).toHaveLength(3)
    }
  })

  test('the book keeps what was written before a kill and leaves out the line the kill cut', () => {
    const file = join(folder, 'book.jsonl')
    expect(readBookFile(file)).toEqual([])
    const book = openBookFile(file)
    book.append({ id: 'A', status: 'ordered', orderId: '1', changes: { BTC: '0.00100000', USDT: '-60.00000000' } })
    book.append({ id: 'B', status: 'ordered', orderId: '2', changes: { BTC: '-0.00040000', USDT: '24.00000000' } })
    book.append({ id: 'C', status: 'failed', reason: 'binance 429' })
    appendFileSync(file, '{"id":"D","status":"orde')
    const entries = readBookFile(file)
    expect(entries.map(entry => entry.id)).toEqual(['A', 'B', 'C'])
    expect(sumOfChanges(entries)).toEqual({ BTC: '0.00060000', USDT: '-36.00000000' })
  })

  test('booked changes are exact and include the commission', () => {
    const rules = { baseAsset: 'BTC', quoteAsset: 'USDT' } as Parameters<typeof changesOf>[2]
    const intent = { side: 'BUY' } as Parameters<typeof changesOf>[1]
    const fills = [
      { price: '60000.10', qty: '0.00100', commission: '0.00000100', commissionAsset: 'BTC' },
      { price: '60000.20', qty: '0.00066', commission: '0.00000066', commissionAsset: 'BTC' },
    ]
    const answer = { orderId: 1, status: 'FILLED', fills }
    expect(changesOf(answer, intent, rules)).toEqual({ BTC: '0.00165834', USDT: '-99.60023200' })
    const sold = changesOf(
      { ...answer, fills: [{ ...fills[0]!, commission: '0.06', commissionAsset: 'USDT' }] },
      { ...intent, side: 'SELL' },
      rules,
    )
    expect(sold).toEqual({ BTC: '-0.00100000', USDT: '59.94010000' })
  })

  test('errors counted by message make one more series for each new message', async () => {
    const metrics = createNaiveMetrics()
    const before = await metrics.series()
    for (let order = 0; order < 50; order += 1) metrics.failed(`Error submitting BUY order for 0.0016${order} BTCUSDT`)
    metrics.failed('Error submitting BUY order for 0.00160 BTCUSDT')
    expect((await metrics.series()) - before).toBe(50)
  })
})
