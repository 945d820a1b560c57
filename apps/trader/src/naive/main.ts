import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { systemClock, systemRandom } from '@safety/redis-core'
import { symbolRules, type SymbolRules } from '../exchange/filters.ts'
import { createMarketStream } from '../exchange/market-stream.ts'
import { createRestClient, type RestClient } from '../exchange/rest-client.ts'
import { read } from '../exchange/wire.ts'
import { strategyNamed } from '../strategy/catalog.ts'
import { openBookFile, readBookFile } from './book-file.ts'
import { naiveInit, type NaiveInit } from './naive-init.ts'
import { createNaiveMetrics } from './naive-metrics.ts'
import { createNaiveTrader, type NaiveTrader } from './naive-trader.ts'

// The process of one naive worker: it is started by the demo, told what to do on its standard input, and ends with it.

const STATUS_EVERY_MS = 1000
const START_TRIES = 40
const START_PAUSE_MS = 250

/** Writes through at once, so that a line before a kill is kept. */
function report(line: object): void {
  writeSync(1, `${JSON.stringify({ ...line, tUs: Math.floor(systemClock.now() * 1000) })}\n`)
}

async function readRules(client: RestClient, symbols: readonly string[]): Promise<Map<string, SymbolRules>> {
  for (let attempt = 1; ; attempt += 1) {
    const { body, facts } = await client.send({
      method: 'GET',
      path: '/api/v3/exchangeInfo',
      auth: 'none',
      params: { symbols: JSON.stringify(symbols) },
    })
    const info = read.info(body)
    if (info !== undefined) return new Map(info.symbols.map(symbolRules).map(rules => [rules.symbol, rules]))
    if (attempt === START_TRIES) throw new Error(`exchangeInfo cannot be read (${facts.cause ?? facts.status})`)
    await systemClock.sleep(START_PAUSE_MS)
  }
}

function reportSeries(series: () => Promise<number>): void {
  void series().then(count => report({ type: 'status', series: count }))
  systemClock.setTimeout(() => reportSeries(series), STATUS_EVERY_MS)
}

async function startTrader(init: NaiveInit): Promise<NaiveTrader> {
  const clock = systemClock
  const client = createRestClient({
    restUrl: init.rest,
    apiKey: init.apiKey,
    secret: init.apiSecret,
    requestTimeoutMs: init.settings.requestTimeoutMs,
    clock,
  })
  const metrics = createNaiveMetrics()
  const trader = createNaiveTrader({
    init,
    strategy: strategyNamed(init.strategy),
    rules: await readRules(client, init.symbols),
    client,
    book: openBookFile(init.bookFile),
    booked: new Set(readBookFile(init.bookFile).map(({ id }) => id)),
    metrics,
    clock,
    report,
  })
  const market = createMarketStream({
    streamsUrl: init.streams,
    symbols: init.symbols,
    clock,
    random: systemRandom,
    onBar(symbol, bar, closed) {
      if (closed) trader.onBar(symbol, bar)
    },
    onGap() {},
    onDown() {},
  })
  await market.start({ signal: new AbortController().signal })
  reportSeries(() => metrics.series())
  report({ type: 'ready' })
  return trader
}

async function obey(lines: AsyncIterable<string>): Promise<void> {
  let trader: NaiveTrader | undefined
  for await (const line of lines) {
    const message: unknown = JSON.parse(line)
    if (typeof message !== 'object' || message === null || !('type' in message)) continue
    if (message.type === 'init') trader = await startTrader(naiveInit.parse(message))
    if (message.type === 'drain') {
      await trader?.idle()
      report({ type: 'drained' })
    }
    if (message.type === 'stop') return
  }
}

try {
  await obey(createInterface({ input: process.stdin }))
  process.exit(0)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}
