import { mkdtempSync, rmSync, writeFileSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseCandles } from '@safety/paper-exchange'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTrader } from '../src/trader.ts'
import { openFloor, truthOf, until, type Floor } from './rig.ts'

let floor: Floor
let folder: string

/** A price that swings, so that the averages cross again and again: 1000 bars of history, then eight swings. */
function swings(): string {
  const rows: string[] = []
  let last = 50_000
  for (let bar = 0; bar < 1000 + 8 * 120; bar += 1) {
    const close = Math.round(50_000 + 4000 * Math.sin((2 * Math.PI * bar) / 120))
    const openMs = 1_613_692_800_000 + bar * 60_000
    rows.push(
      [openMs, last, Math.max(last, close), Math.min(last, close), close, 10, openMs + 59_999, 0, 0, 0, 0, 0].join(','),
    )
    last = close
  }
  return `${rows.join('\n')}\n`
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trader-ema-'))
  const file = join(folder, 'swings.csv')
  writeFileSync(file, swings())
  floor = await openFloor({
    barMs: 86_400_000,
    symbols: ['BTCUSDT'],
    candles: { BTCUSDT: parseCandles(readFileSync(file, 'utf8')) },
  })
})
afterAll(async () => {
  await floor?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

test('ema-cross enters and exits by turns over many swings, sells never more than it holds, and dust does not end it', async () => {
  const options = floor.options('w1', {
    strategy: 'ema-cross',
    symbols: ['BTCUSDT'],
    barMs: 86_400_000,
    validMs: 600_000,
  })
  const trader = createTrader(options)
  await trader.start({ signal: AbortSignal.timeout(30_000) })
  const orders = (): string[] => truthOf(floor.exchange, 'accepted').map(entry => String(entry['side']))
  for (let bar = 0; bar < 6 * 120; bar += 1) {
    floor.exchange.controls.setMarket({ symbol: 'BTCUSDT', bars: 1 })
    await new Promise(resolve => setTimeout(resolve, 12))
  }
  await until('several entries and exits', () => orders().length >= 8)
  await until(
    'nothing is open',
    () =>
      options.events.filter(event => event.type === 'transition' && event.to === 'FILLED').length >= orders().length,
  )
  orders().forEach((side, at) => expect(side).toBe(at % 2 === 0 ? orders()[0] : orders()[1]))
  expect(new Set(orders())).toEqual(new Set(['BUY', 'SELL']))
  expect(orders()[0]).toBe('BUY')
  expect(options.events.filter(event => event.type === 'transition' && event.to === 'DENIED')).toEqual([])
  expect(await trader.stop()).toBe(0)
})
