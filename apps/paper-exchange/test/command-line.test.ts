import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { runCommandLine } from '../src/cli/command-line.ts'
import { createClient, listen, send } from './paper-client.ts'
import type { Json } from './paper-client.ts'
import { runPaper, startPaper } from './paper-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'paper-exchange-'))
afterAll(() => rmSync(folder, { recursive: true }))
const file = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

/** The same without the cost of a process; ends at once if it should start after all. */
async function inProcess(args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  let stdout = ''
  let stderr = ''
  const code = await runCommandLine(args, {
    out: text => void (stdout += text),
    err: text => void (stderr += text),
    isTerminal: false,
    stopRequested: Promise.resolve(),
  })
  return { code, stdout, stderr }
}

const MINUTE = 60_000
const bar = (index: number): string =>
  [
    1_600_000_020_000 + index * MINUTE,
    100,
    110,
    90,
    105,
    3,
    1_600_000_079_999 + index * MINUTE,
    300,
    12,
    1,
    100,
    0,
  ].join(',')

describe('the command line', () => {
  test.each([
    [['--port', '70000'], 'port'],
    [['--port', '0', '--weight-limit', '0'], 'weightLimit'],
    [['--port', 'abc'], '--port'],
    [['--seed', '1.5'], '--seed'],
    [['--bar-ms', '1'], 'barMs'],
    [['--clock', 'fast'], '--clock'],
    [['--limit-by', 'moon'], '--limit-by'],
    [['--balance', 'USDT'], '--balance'],
    [['--balance', 'USDT=-1'], 'balances.USDT'],
    [['--symbols', 'XXXYYY'], 'symbols'],
    [['--account', 'Bad Name'], 'accounts'],
    [['--account', 'a', '--account', 'a'], 'accounts'],
    [['--ban-after', '0'], 'banAfter'],
    [['--last-bar-ms', '1234'], 'lastBarMs'],
    [['--nonsense'], '--nonsense'],
    [['dance'], 'dance'],
    [['--faults', '/nowhere/faults.json'], '/nowhere/faults.json'],
    [['--candles', 'BTCUSDT=/nowhere/bars.csv'], '/nowhere/bars.csv'],
    [['--truth', '/nowhere/truth.jsonl'], '/nowhere/truth.jsonl'],
    [['proxy'], '--upstream'],
    [['audit'], 'truth'],
    [['audit', '/nowhere/truth.jsonl'], '/nowhere/truth.jsonl'],
  ])('%j exits 2 and names %s', async (args, name) => {
    const { code, stdout, stderr } = await inProcess(args)
    expect({ code, stdout, named: stderr.includes(name) }).toEqual({ code: 2, stdout: '', named: true })
    expect(stderr.trim().split('\n')[0]).toMatch(/^error: /)
  })

  test('a fault file with an error exits 2 and names the line', async () => {
    const broken = file('broken.json', '[\n  {"action":{"type":"reset"},"phase":"after"},\n  {"action" "x"}\n]')
    const wrong = file(
      'wrong.json',
      '[\n{"action":{"type":"reset"},"phase":"after"},\n{"action":{"type":"explode"},"phase":"after"}\n]',
    )
    for (const path of [broken, wrong]) {
      const { code, stderr } = await inProcess(['--port', '0', '--faults', path])
      expect([code, stderr]).toEqual([2, expect.stringContaining(`${path} line 3`)])
    }
  })

  test('a candle file with a gap or a bad column exits 2 and names the line [claim 17]', async () => {
    const rows = Array.from({ length: 1005 }, (_, index) => bar(index))
    const gap = file('gap.csv', [...rows.slice(0, 3), ...rows.slice(4)].join('\n'))
    const column = file(
      'column.csv',
      [...rows.slice(0, 6), rows[6]?.replace(',110,', ',high,') ?? '', ...rows.slice(7)].join('\n'),
    )
    for (const [path, line] of [
      [gap, 4],
      [column, 7],
    ] as const) {
      const { code, stderr } = await inProcess(['--port', '0', '--candles', `BTCUSDT=${path}`])
      expect([code, stderr]).toEqual([2, expect.stringContaining(`${path} line ${line}`)])
    }
  })

  test('a taken port exits 3', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    const { code, stdout, stderr } = await runPaper(['--port', String(port), '--json'])
    server.close()
    expect([code, stdout]).toEqual([3, ''])
    expect(stderr).toMatch(new RegExp(`^error: port ${port} is taken.*\n$`))
  })

  test('help exits 0 and lists the commands', async () => {
    const { code, stdout } = await inProcess(['--help'])
    expect([code, stdout]).toEqual([0, expect.stringMatching(/run[\s\S]*proxy[\s\S]*audit/)])
  })

  test('the first line is the ready event with everything a client needs, and nothing follows it', async () => {
    await using paper = await startPaper([
      '--port',
      '0',
      '--seed',
      '3',
      '--account',
      'naive',
      '--account',
      'guarded',
      '--symbols',
      'BTCUSDT',
    ])
    const { ready } = paper
    const port = new URL(ready.rest).port
    expect(ready).toEqual({
      event: 'ready',
      rest: `http://127.0.0.1:${port}`,
      wsApi: `ws://127.0.0.1:${port}/ws-api/v3`,
      streams: `ws://127.0.0.1:${port}/stream`,
      control: `http://127.0.0.1:${port}/_paper`,
      controlToken: expect.stringMatching(/^[\w-]{16,}$/),
      seed: 3,
      accounts: [
        { name: 'naive', apiKey: expect.stringMatching(/^PAPER[A-Za-z0-9]{59}$/), secret: expect.any(String) },
        { name: 'guarded', apiKey: expect.stringMatching(/^PAPER[A-Za-z0-9]{59}$/), secret: expect.any(String) },
      ],
    })
    const client = createClient({ rest: ready.rest, nowMs: Date.now }, ready.accounts[1] as never)
    expect((await client.buy()).json).toMatchObject({ status: 'FILLED' })
    const info = await send('GET', `${ready.rest}/api/v3/exchangeInfo`)
    expect(info.json.symbols.map((symbol: Json) => symbol.symbol)).toEqual(['BTCUSDT'])
    expect(await paper.stop()).toBe(0)
    expect(paper.output().stdout.split('\n')).toHaveLength(2)
  })

  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s ends it with 0 by itself, open sockets and timers or not [claim 20]',
    async signal => {
      const faults = file(
        'hang.json',
        '{"match":{"path":"/api/v3/time"},"phase":"before","action":{"type":"hang","ms":86400000}}',
      )
      await using paper = await startPaper(['--port', '0', '--bar-ms', '500', '--faults', faults])
      await using ear = await listen(paper.ready.wsApi)
      const hanging = send('GET', `${paper.ready.rest}/api/v3/time`)
      await fetch(`${paper.ready.rest}/api/v3/ping`)
      expect(await paper.stop(signal)).toBe(0)
      expect(await ear.closed).toBe(1001)
      expect((await hanging).status).toBe(0)
    },
  )

  test('keys come from seed and name alone', async () => {
    await using first = await startPaper(['--port', '0', '--seed', '5', '--account', 'a'])
    await using second = await startPaper(['--port', '0', '--seed', '5', '--account', 'b', '--account', 'a'])
    await using third = await startPaper(['--port', '0', '--seed', '6', '--account', 'a'])
    expect(second.ready.accounts[1]).toEqual(first.ready.accounts[0])
    expect(third.ready.accounts[0]?.secret).not.toBe(first.ready.accounts[0]?.secret)
  })

  test('audit exits 0 on a clean log, 1 on a breach, 2 on a line that is no entry', async () => {
    const truth = join(folder, 'truth.jsonl')
    const faults = file(
      'duplicate.json',
      '{"match":{"clientOrderId":"twice"},"phase":"before","action":{"type":"duplicate"}}',
    )
    await using paper = await startPaper(['--port', '0', '--truth', truth, '--faults', faults])
    const client = createClient({ rest: paper.ready.rest, nowMs: Date.now }, paper.ready.accounts[0] as never)
    await client.buy({ newClientOrderId: 'once' })
    const clean = await inProcess(['audit', truth, '--json'])
    expect([clean.code, JSON.parse(clean.stdout)]).toMatchObject([0, { ok: true, accounts: { demo: { ok: true } } }])
    await client.buy({ newClientOrderId: 'twice' })
    await paper.stop()
    const claims = file('claims.json', JSON.stringify({ account: 'demo', intents: ['once', 'twice', 'never'] }))
    const breach = await runPaper(['audit', truth, claims, '--json'])
    expect(breach.code).toBe(1)
    expect(JSON.parse(breach.stdout)).toMatchObject({ ok: false, totals: { accepted: 3, duplicates: 1, lost: 1 } })
    const lines = readFileSync(truth, 'utf8').trim().split('\n')
    const spoiled = file('spoiled.jsonl', [...lines.slice(0, 2), 'no json', ...lines.slice(3)].join('\n'))
    const cut = file('cut.jsonl', [...lines.slice(0, 2), ...lines.slice(3)].join('\n'))
    for (const path of [spoiled, cut]) {
      const { code, stderr } = await inProcess(['audit', path])
      expect([code, stderr]).toEqual([2, expect.stringContaining(`${path} line 3`)])
    }
    const wrong = await inProcess(['audit', truth, file('wrong-claims.json', '{"account":"demo","intents":"x"}')])
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('intents')])
  })
})

describe.runIf(existsSync('/dev/full'))('a stdout that cannot be written', () => {
  test.each([[['--help']], [['run', '--port', '0', '--json']]])('is one line and exit 2: %j', async args => {
    const full = openSync('/dev/full', 'w')
    const { code, stderr } = await runPaper(args, process.execPath, full)
    closeSync(full)
    expect(code).toBe(2)
    expect(stderr).toBe('error: stdout cannot be written (ENOSPC)\n')
  })
})

test.each([
  [['run', 'redis://:s3cret@host']],
  [['run', '--port', 'redis://:s3cret@host']],
  [['--x=redis://:s3cret@host']],
])('a URL somebody typed is not repeated: %j', async args => {
  const { code, stderr } = await inProcess(args)
  expect(code).toBe(2)
  expect(stderr).toContain('[hidden]')
  expect(stderr).not.toContain('s3cret')
})
