import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { runDemo } from '../src/demo/run-demo.ts'
import { startRedis } from '@safety/redis-core/testing'

const folder = mkdtempSync(join(tmpdir(), 'demo-options-'))
const temporary = join(folder, 'tmp')
mkdirSync(temporary)
process.env['TMPDIR'] = temporary
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function demo(
  args: readonly string[],
  redisUrl?: string,
): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  let stdout = ''
  let stderr = ''
  const exitCode = await runDemo(args, {
    redisUrl,
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
  })
  return { exitCode, stdout, stderr }
}

/** One line of a kline file; `at` counts minutes. */
function row(at: number): string {
  const openMs = 1_600_000_020_000 + at * 60_000
  return `${openMs},1,2,1,2,5,${openMs + 59_999},0,0,0,0,0`
}

/** What runs leave in the folder for temporary files, which for this file of tests is one of its own. */
function temporaryFiles(): string[] {
  return readdirSync(temporary)
}

describe('options of demo', () => {
  test.each<[string[], RegExp]>([
    [['--seconds', '19'], /--seconds.*20 to 600/],
    [['--seconds', '601'], /--seconds.*20 to 600/],
    [['--seconds', '20.5'], /--seconds.*20 to 600/],
    [['--seconds', 'soon'], /--seconds.*20 to 600/],
    [['--seconds'], /--seconds/],
    [['--seed', '-1'], /--seed/],
    [['--seed', '9007199254740993'], /--seed/],
    [['--mutant', 'no-brain'], /--mutant.*no-claim, retry-unknown, trust-not-found/],
    [['--candles', 'BTCUSDT'], /--candles.*SYMBOL=file/],
    [['--candles', 'DOGEUSDT=x.csv'], /--candles.*BTCUSDT, ETHUSDT, BNBUSDT/],
    [['--candles', 'BTCUSDT=/nowhere/x.csv'], /--candles.*ENOENT/],
    [['--report', '/nowhere/report.html'], /--report.*ENOENT/],
    [['--report', folder], /--report.*folder/],
    [['--keep', '/proc/nowhere'], /--keep/],
    [['--jsno'], /--jsno/],
    [['extra'], /too many arguments/],
  ])('%j exits 2 with one line that names the option', async (args, line) => {
    const { exitCode, stdout, stderr } = await demo(args)
    expect(stderr).toMatch(line)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
  })

  test('--help prints every option and the exit codes and exits 0', async () => {
    const { exitCode, stdout } = await demo(['--help'])
    expect(exitCode).toBe(0)
    for (const option of ['--seconds', '--seed', '--json', '--report', '--keep', '--mutant', '--candles', '130']) {
      expect(stdout).toContain(option)
    }
  })

  test('a malformed line of a candle file exits 2 with file and line, and leaves no folder behind', async () => {
    const file = join(folder, 'bad.csv')
    writeFileSync(file, `${[row(0), row(1), `${row(2).slice(0, 13)},1,2,x`].join('\n')}\n`)
    const { exitCode, stderr } = await demo(['--candles', `BTCUSDT=${file}`])
    expect(exitCode).toBe(2)
    expect(stderr).toMatch(/bad\.csv line 3: /)
    expect(temporaryFiles()).toEqual([])
  })

  test('a candle file that ends before trading begins exits 2 and says how many bars it has', async () => {
    const file = join(folder, 'short.csv')
    writeFileSync(file, Array.from({ length: 1000 }, (_, at) => `${row(at)}\n`).join(''))
    const { exitCode, stderr } = await demo(['--candles', `BTCUSDT=${file}`])
    expect(exitCode).toBe(2)
    expect(stderr).toMatch(/--candles.*short\.csv has 1000 bars, and trading starts at bar 1001\n$/)
  })

  test('a given Redis that refuses, or wants another password, exits 3 without showing the password', async () => {
    const closed = createServer()
    await new Promise<void>(resolve => closed.listen(0, '127.0.0.1', resolve))
    const { port } = closed.address() as { port: number }
    await new Promise(resolve => closed.close(resolve))
    const refused = await demo([], `redis://127.0.0.1:${port}`)
    expect(refused).toMatchObject({ exitCode: 3, stdout: '' })
    expect(refused.stderr).toContain(`127.0.0.1:${port}`)

    const server = await startRedis({ args: ['--requirepass', 'right'] })
    try {
      const wrong = await demo([], `redis://:hunter2@127.0.0.1:${server.port}`)
      expect(wrong.exitCode).toBe(3)
      expect(wrong.stderr).toMatch(/Redis at 127\.0\.0\.1:\d+ cannot be used: .*WRONGPASS/)
      expect(wrong.stderr).not.toContain('hunter2')
    } finally {
      await server[Symbol.asyncDispose]()
    }
  })

  test('--keep into a folder that exists is accepted by the check of options', async () => {
    const kept = join(folder, 'kept')
    mkdirSync(kept)
    const { exitCode } = await demo(['--keep', kept, '--seconds', '1'])
    expect(exitCode).toBe(2)
  })
})
