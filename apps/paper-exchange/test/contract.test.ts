import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { compareShape } from '../src/contract/shape.ts'
import { explain, readKnownDifferences } from '../src/contract/known-differences.ts'
import { createPaperExchange } from '../src/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'paper-exchange-'))
afterAll(() => rmSync(folder, { recursive: true }))

async function runContract(args: string[]): Promise<{ code: number | null; stdout: string }> {
  const { BINANCE_TESTNET_KEY: _key, BINANCE_TESTNET_SECRET: _secret, ...env } = process.env
  const main = fileURLToPath(new URL('../src/contract.ts', import.meta.url))
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'inherit'], env })
  let stdout = ''
  child.stdout.on('data', chunk => (stdout += String(chunk)))
  await once(child, 'close')
  return { code: child.exitCode, stdout }
}

describe('the contract suite [claim 22]', () => {
  test('passes here with about forty cases or more, and says that the testnet was not run', async () => {
    const { code, stdout } = await runContract([])
    expect(code).toBe(0)
    expect(Number(stdout.match(/^paper: (\d+) cases, 0 explained and 0 unexplained/)?.[1])).toBeGreaterThanOrEqual(40)
    expect(stdout).toMatch(/testnet: not run; set BINANCE_TESTNET_KEY and BINANCE_TESTNET_SECRET/)
  })

  test('a planted difference exits 1 and is named, and the suite leaves no order behind', async () => {
    await using exchange = await createPaperExchange({})
    const wrong = { type: 'status', status: 400, code: -9999, msg: 'Planted.' }
    exchange.inject({ match: { path: '/api/v3/avgPrice', nth: 2 }, phase: 'after', action: wrong })
    const ready = join(folder, 'ready.json')
    writeFileSync(ready, JSON.stringify({ event: 'ready', ...exchange.urls, accounts: exchange.accounts }))
    const { code, stdout } = await runContract(['--against', ready, '--json'])
    expect(code).toBe(1)
    const { ok, reports } = JSON.parse(stdout) as { ok: boolean; reports: { unexplained: object[] }[] }
    expect(ok).toBe(false)
    expect(reports[0]?.unexplained).toContainEqual({
      venue: 'paper',
      case: 'average price',
      path: 'status',
      expected: '200',
      actual: '400',
    })
    expect(exchange.controls.state('demo')).toMatchObject({ value: { openOrders: [] } })
  })

  test('a missing field, an extra one, a wrong type and too few rows are each found', () => {
    const shape = { fields: { a: 'number', rows: { rows: { fields: { p: 'decimal' } }, atLeast: 1 } } } as const
    expect(compareShape(shape, { a: 1, rows: [{ p: '1.0' }] })).toEqual([])
    expect(compareShape(shape, { a: '1', rows: [{ p: '1.0', q: 2 }, { p: 'x' }] }).map(({ path }) => path)).toEqual([
      'a',
      'rows.0.q',
      'rows.1.p',
    ])
    expect(compareShape(shape, { rows: [] }).map(({ path }) => path)).toEqual(['a', 'rows'])
  })

  test('only an explained difference is known', () => {
    const known = readKnownDifferences(new URL('known-differences.json', import.meta.url))
    const difference = { venue: 'testnet', case: 'klines', path: 'body', expected: '', actual: '' }
    expect(explain(known, difference)?.why).toMatch(/reset/)
    expect(explain(known, { ...difference, venue: 'paper' })).toBeUndefined()
    expect(explain(known, { ...difference, path: 'status' })).toBeUndefined()
  })
})
