import type { Clock, Random } from '@safety/redis-core'
import type { TraderConfig } from '../config.ts'
import { createBarFeed, type Anchor, type BarFeed } from '../exchange/bar-feed.ts'
import { rulesIn, type SymbolRules } from '../exchange/filters.ts'
import type { ExchangeAddress, ExchangeLink } from '../exchange/link.ts'
import { createMarketStream } from '../exchange/market-stream.ts'
import type { Journal } from '../orders/journal.ts'
import { detailOf, reasonOf, type Report } from '../report.ts'
import { StartError } from '../start-error.ts'
import { strategyNamed } from './catalog.ts'
import { createRunner } from './runner.ts'

export interface DeskOptions {
  readonly address: ExchangeAddress
  readonly journal: Journal
  readonly link: ExchangeLink
  readonly rules: ReadonlyMap<string, SymbolRules>
  readonly config: TraderConfig
  readonly clock: Clock
  readonly random: Random
  readonly report: Report
  /** Whether entries have to wait because Redis may have forgotten leases. */
  readonly holdOff: () => boolean
  readonly take: (id: string) => void
  readonly storeReady: (options: { signal: AbortSignal }) => Promise<void>
}

/** Where bars become intents: the feeds of all symbols and the strategy behind them. */
export interface Desk {
  /** Reads the history and begins. @throws StartError 4 when the bars cannot be read. */
  start(options: { signal: AbortSignal }): Promise<void>
  /** Mints nothing more. */
  stop(): void
  /** Every bar of the trading window has been read and its intents are in the journal. */
  complete(): Promise<boolean>
}

const marketBarMs = 60_000
const primeTries = 40
const primePauseMs = 250

/** After which bar trading goes on: the checkpoint, or just before the configured first bar. */
async function startingPoint(options: DeskOptions, symbol: string): Promise<Anchor | undefined> {
  const { config, journal } = options
  const checkpoint = await journal.checkpoint(symbol)
  if (checkpoint !== undefined) return checkpoint
  if (config.tradeFromMs === undefined) return undefined
  return { barOpenMs: config.tradeFromMs - marketBarMs, arrivedAtMs: undefined }
}

async function prime(feed: BarFeed, symbol: string, options: { clock: Clock; signal: AbortSignal }): Promise<void> {
  const { clock, signal } = options
  for (let tries = 1; !(await feed.prime()); tries += 1) {
    if (tries === primeTries) throw new StartError(4, `the bars of ${symbol} cannot be read`)
    await clock.sleep(primePauseMs, { signal })
  }
  // Bars that closed while the history was read came over the stream and found no feed yet.
  await feed.catchUp()
}

/** Every bar up to `until` has been read by each feed. */
async function haveRead(feeds: Iterable<BarFeed>, until: number | undefined): Promise<boolean> {
  if (until === undefined) return true
  for (const feed of feeds) {
    if (feed.lastOpenMs < until) await feed.catchUp()
    if (feed.lastOpenMs < until) return false
  }
  return true
}

export function createDesk(options: DeskOptions): Desk {
  const { config, link, clock, report, rules } = options
  const strategy = strategyNamed(config.strategy)
  const feeds = new Map<string, BarFeed>()
  const frames = new Map<string, number>()
  const failed = (error: unknown): void => report({ type: 'error', reason: reasonOf(error), detail: detailOf(error) })

  const runner = createRunner({
    strategy,
    journal: options.journal,
    rulesOf: symbol => rulesIn(rules, symbol),
    clockSync: link.clockSync,
    clock,
    config,
    silentMs: symbol => clock.monotonic() - (frames.get(symbol) ?? Number.NEGATIVE_INFINITY),
    holdOff: options.holdOff,
    take: options.take,
    storeReady: options.storeReady,
    report,
  })

  const market = createMarketStream({
    streamsUrl: options.address.streamsUrl,
    symbols: config.symbols,
    clock,
    random: options.random,
    onBar(symbol, bar, closed) {
      frames.set(symbol, clock.monotonic())
      if (closed) void feeds.get(symbol)?.push(bar).catch(failed)
    },
    onGap() {
      for (const feed of feeds.values()) void feed.catchUp().catch(failed)
    },
    onDown: reason => report({ type: 'notice', notice: 'market-stream-down', detail: reason }),
  })

  async function begin(symbol: string, signal: AbortSignal): Promise<void> {
    const feed = createBarFeed({
      symbol,
      api: link.api,
      now: () => link.clockSync.now(),
      historyBars: strategy.historyBars,
      barMs: config.barMs,
      after: await startingPoint(options, symbol),
      onClosed: closed => runner.onClosed(closed),
    })
    feeds.set(symbol, feed)
    frames.set(symbol, clock.monotonic())
    await prime(feed, symbol, { clock, signal })
  }

  return {
    async start({ signal }) {
      await market.start({ signal })
      await Promise.all(config.symbols.map(symbol => begin(symbol, signal)))
    },
    stop() {
      market.close()
      runner.stop()
    },
    complete: async () => (await haveRead(feeds.values(), config.tradeUntilMs)) && runner.idle,
  }
}
