import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { whenReady } from '@safety/redis-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { readBook } from '../src/orders/book.ts'
import { openFloor, truthOf, until, type Floor } from './rig.ts'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const secret = 'S3CR3Tdoesnotappearanywhere'

interface Run {
  readonly child: ChildProcess
  readonly exited: Promise<number | null>
  output(): string
}

let floor: Floor
let folder: string
const running: Run[] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trader-command-'))
  floor = await openFloor({ barMs: 86_400_000, symbols: ['BTCUSDT'] })
})
afterEach(async () => {
  floor.exchange.controls.removeFaults(undefined)
  for (const run of running.splice(0)) {
    run.child.kill('SIGKILL')
    await run.exited
  }
})
afterAll(async () => {
  await floor?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

function trader(args: readonly string[], env: Record<string, string> = {}): Run {
  const child = spawn(process.execPath, [main, 'trader', '--no-web', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', TRADER_STATE_DIR: join(folder, 'state'), ...env },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  const run = {
    child,
    exited: new Promise<number | null>(resolve => child.once('close', resolve)),
    output: () => output,
  }
  running.push(run)
  return run
}

function exchangeEnv(): Record<string, string> {
  const { urls, accounts } = floor.exchange
  return {
    REDIS_URL: floor.redis.url,
    TRADER_REST_URL: urls.rest,
    TRADER_WS_API_URL: urls.wsApi,
    TRADER_STREAMS_URL: urls.streams,
    TRADER_API_KEY: accounts[0]!.apiKey,
    TRADER_API_SECRET: accounts[0]!.secret,
    TRADER_BOOK: floor.book,
    TRADER_BAR_MS: '86400000',
    TRADER_REQUEST_TIMEOUT_MS: '3000',
    TRADER_STALE_DATA_MS: '600000',
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

function oneLine(text: string): void {
  expect(text.trim().split('\n')).toHaveLength(1)
  expect(text).not.toMatch(/\n\s+at /)
}

describe('the command trader: what it refuses [claim 19]', () => {
  test.each<[string, string[], Record<string, string>, RegExp]>([
    ['an unknown option', ['--nonsense'], {}, /--nonsense/],
    ['an unknown strategy', ['--strategy', 'hope'], {}, /--strategy/],
    ['no number of workers', ['--workers', '0'], {}, /--workers/],
    ['a candle file that is not there', ['--candles', 'BTCUSDT=/no/such/file'], {}, /--candles/],
    ['a missing secret', [], { TRADER_REST_URL: 'http://127.0.0.1:1', TRADER_API_KEY: secret }, /TRADER_WS_API_URL/],
    ['a live trader without --live', ['--mode', 'live'], { TRADER_API_SECRET: secret }, /TRADER_|--live/],
    ['a baseline nobody accepts', ['--accept-baseline', '--why', 'x'], {}, /--who/],
    ['a wrong setting', [], { TRADER_READ_LAG_MS: secret }, /TRADER_READ_LAG_MS/],
  ])('%s exits 2 and names it, in one line and without a secret', async (_, args, env, named) => {
    const run = trader(args, env)
    expect(await run.exited).toBe(2)
    expect(run.output()).toMatch(named)
    oneLine(run.output())
    expect(run.output()).not.toContain(secret)
  })

  test('a candle file with a broken line exits 2 and names file and line', async () => {
    const { writeFileSync } = await import('node:fs')
    const file = join(folder, 'broken.csv')
    writeFileSync(file, '1613692800000,1,2,0.5,1.5,10,1613692859999,0,0,0,0,0\nnonsense\n')
    const run = trader(['--candles', `BTCUSDT=${file}`, '--symbols', 'BTCUSDT'])
    expect(await run.exited).toBe(2)
    expect(run.output()).toContain('broken.csv')
    expect(run.output()).toMatch(/2/)
  })

  test('Redis away exits 3', async () => {
    const run = trader([], { ...exchangeEnv(), REDIS_URL: `redis://127.0.0.1:${await freePort()}` })
    expect(await run.exited).toBe(3)
    expect(run.output()).toMatch(/Redis/)
  })

  test('an exchange that is away exits 4', async () => {
    const run = trader([], { ...exchangeEnv(), TRADER_REST_URL: `http://127.0.0.1:${await freePort()}` })
    expect(await run.exited).toBe(4)
    expect(run.output()).toMatch(/exchange/)
  })

  test('a key the exchange does not know exits 2, naming the setting and not the key', async () => {
    const env = { ...exchangeEnv(), TRADER_API_KEY: 'PAPER'.padEnd(64, 'x'), TRADER_API_SECRET: secret }
    const run = trader(['--symbols', 'BTCUSDT'], env)
    expect(await run.exited).toBe(2)
    expect(run.output()).toContain('TRADER_API_KEY')
    expect(run.output()).not.toContain(secret)
  })
})

describe('a symbol the exchange does not trade', () => {
  test('exits 2 and names the setting', async () => {
    const run = trader(['--symbols', 'BTCUSDT,DOGEUSDT'], exchangeEnv())
    expect(await run.exited).toBe(2)
    expect(run.output()).toContain('TRADER_SYMBOLS')
  })
})

describe('Ctrl-C [claim 27]', () => {
  async function withAnOrderOut(): Promise<{ run: Run; id: string }> {
    const run = trader(['--strategy', 'pulse', '--symbols', 'BTCUSDT'], exchangeEnv())
    await until(`it trades: ${run.output()}`, () => run.output().includes('trading'))
    floor.exchange.inject({
      id: `hang-${Date.now()}`,
      match: { method: 'POST', path: '/api/v3/order' },
      phase: 'after',
      action: { type: 'hang', ms: 1500 },
      times: 1,
    })
    const before = truthOf(floor.exchange, 'accepted').length
    floor.exchange.controls.setMarket({ symbol: 'BTCUSDT', bars: 1 })
    await until('the order is out', () => truthOf(floor.exchange, 'accepted').length > before)
    return { run, id: String(truthOf(floor.exchange, 'accepted').at(-1)!['clientOrderId']) }
  }

  async function believes(id: string): Promise<string | undefined> {
    const redis = floor.redis.client()
    await whenReady(redis)
    const { records } = await readBook(redis, floor.book)
    redis.disconnect()
    return records[id]?.believes
  }

  test('in an order waits for it, exits 0, and the order is recorded or UNKNOWN', async () => {
    const { run, id } = await withAnOrderOut()
    run.child.kill('SIGINT')
    expect(await run.exited).toBe(0)
    expect(run.output()).toMatch(/stopped; /)
    expect(['ordered', 'unknown']).toContain(await believes(id))
  })

  test('a second time exits at once, leaves no worker, and the next start resolves the order', async () => {
    const { run, id } = await withAnOrderOut()
    run.child.kill('SIGINT')
    await new Promise(resolve => setTimeout(resolve, 100))
    run.child.kill('SIGINT')
    expect(await run.exited).toBe(130)
    const next = trader(['--strategy', 'pulse', '--symbols', 'BTCUSDT'], exchangeEnv())
    await until(`the next one trades: ${next.output()}`, () => next.output().includes('trading'))
    await until('the order is known', async () => (await believes(id)) === 'ordered')
    next.child.kill('SIGINT')
    expect(await next.exited).toBe(0)
    expect(floor.accepted(id)).toBe(1)
  })

  test('of a trader with everything its own leaves no key behind, and its Redis is gone', async () => {
    const state = join(folder, 'own')
    const run = trader(['--strategy', 'pulse', '--workers', '2', '--json'], {
      TRADER_STATE_DIR: state,
      TRADER_BAR_MS: '500',
    })
    const seen = [/"to":"FILLED"/, /"worker":"worker-1"/, /"worker":"worker-2"/]
    await until(`both trade: ${run.output()}`, () => seen.every(pattern => pattern.test(run.output())))
    run.child.kill('SIGINT')
    expect(await run.exited).toBe(0)
    const lines = run.output().trim().split('\n')
    for (const line of lines) expect(() => JSON.parse(line) as unknown).not.toThrow()
    const { startOwnRedis } = await import('../src/own-redis.ts')
    const again = await startOwnRedis(state)
    const { connectStore } = await import('../src/safety.ts')
    const redis = await connectStore(again.url, 'test', { timeoutMs: 5000 })
    expect(await redis.dbsize()).toBe(0)
    redis.disconnect()
    await again[Symbol.asyncDispose]()
  })
})

describe.runIf(existsSync('/dev/full'))('a stdout that cannot be written', () => {
  test.each(['trader', 'demo'])('is one line and exit 3, no stack (%s --help)', async command => {
    const full = openSync('/dev/full', 'w')
    const child = spawn(process.execPath, [main, command, '--help'], { stdio: ['ignore', full, 'pipe'] })
    closeSync(full)
    let stderr = ''
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
    expect(await new Promise(resolve => child.once('close', resolve))).toBe(3)
    expect(stderr).toBe('trader: stdout cannot be written (ENOSPC)\n')
  })
})

describe('a command line that is not understood', () => {
  test.each([
    [['trader', '--redis=redis://:s3cret@127.0.0.1']],
    [['trader', '--mode', 'redis://:s3cret@127.0.0.1']],
    [['redis://:s3cret@127.0.0.1']],
    [['demo', 'redis://:s3cret@127.0.0.1']],
    [['demo', '--seed', 'redis://:s3cret@127.0.0.1']],
  ])('is told in one line, without the URL somebody typed: %j', async args => {
    const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
    expect(await new Promise(resolve => child.once('close', resolve))).toBe(2)
    expect(output).toContain('[hidden]')
    expect(output).not.toContain('s3cret')
    expect(output.trimEnd().split('\n')).toHaveLength(1)
  })
})
