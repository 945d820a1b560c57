import { createPaperExchange, type PaperExchange, type PaperExchangeOptions } from '@safety/paper-exchange'
import { createToken, systemClock, systemRandom } from '@safety/redis-core'
import { startRedis, type RedisServer } from '@safety/redis-core/testing'
import { assemble, type Parts, type TraderOptions } from '../src/assembly.ts'
import { parseConfig, type TraderConfig } from '../src/config.ts'
import { createTraderMetrics } from '../src/observe/trader-metrics.ts'
import { createExecutor, type Executor } from '../src/orders/executor.ts'
import { intentId, type Intent, type IntentName } from '../src/orders/intent.ts'
import { balancesInUnits } from '../src/reconcile.ts'
import type { TraderEvent } from '../src/report.ts'
import type { Guard } from '../src/safety.ts'

/** Every wait of the real profile, scaled down as far as a busy machine bears. */
export const quick = {
  requestTimeoutMs: 700,
  recvWindowMs: 1000,
  engineTimeoutMs: 400,
  readLagMs: 200,
  validMs: 8000,
  leaseMs: 1500,
  permitMs: 2000,
  reconcileMs: 3_600_000,
  stuckAfterMs: 60_000,
  staleDataMs: 600_000,
  onUnknown: 'count',
} as const

export interface Floor extends AsyncDisposable {
  readonly redis: RedisServer
  readonly exchange: PaperExchange
  readonly book: string
  /** Settings of a worker on this floor; `more` wins. */
  config(more?: Record<string, unknown>): TraderConfig
  options(worker: string, more?: Record<string, unknown>): TraderOptions & { events: TraderEvent[] }
  /** A worker that is wired, subscribed and knows its baseline, without a market behind it. */
  worker(worker: string, more?: Record<string, unknown>): Promise<Worker>
  accepted(id: string): number
}

export interface Worker extends AsyncDisposable {
  readonly parts: Parts
  readonly events: TraderEvent[]
  /** Proposes an intent and lets the worker carry it on. */
  trade(intent: Intent): Promise<void>
  /** The states an intent went through, as this worker told them. */
  path(id: string): string[]
}

/** A real Redis and a real exchange for one test file. */
export async function openFloor(
  exchangeOptions: PaperExchangeOptions = {},
  aof: 'always' | 'no' = 'no',
): Promise<Floor> {
  const redis = await startRedis({ aof })
  const exchange = await createPaperExchange({ engineTimeoutMs: 400, weightLimit: 1_000_000, ...exchangeOptions })
  const book = `t-${createToken()}`
  const account = exchange.accounts[0]!
  const address = {
    restUrl: exchange.urls.rest,
    wsApiUrl: exchange.urls.wsApi,
    streamsUrl: exchange.urls.streams,
    apiKey: account.apiKey,
    apiSecret: account.secret,
  }
  const config = (more: Record<string, unknown> = {}): TraderConfig =>
    parseConfig({ ...quick, ...address, redisUrl: redis.url, book, strategy: 'pulse', ...more })
  const options: Floor['options'] = (worker, more = {}) => {
    const events: TraderEvent[] = []
    return {
      config: config(more),
      address: { ...address, ...(more['restUrl'] === undefined ? {} : { restUrl: more['restUrl'] as string }) },
      redisUrl: (more['redisUrl'] as string | undefined) ?? redis.url,
      worker,
      acceptBaseline: undefined,
      report: event => events.push(event),
      clock: systemClock,
      random: systemRandom,
      events,
    }
  }
  return {
    redis,
    exchange,
    book,
    config,
    options,
    worker: async (name, more) => startWorker(options(name, more)),
    accepted: id => acceptedOrders(exchange, id).length,
    async [Symbol.asyncDispose]() {
      await exchange[Symbol.asyncDispose]()
      await redis[Symbol.asyncDispose]()
    },
  }
}

async function startWorker(options: TraderOptions & { events: TraderEvent[] }): Promise<Worker> {
  const signal = AbortSignal.timeout(30_000)
  const parts = await assemble(options, createTraderMetrics(), signal)
  await parts.stream.start({ signal })
  const account = await parts.link.api.account()
  if (!account.ok) throw new Error(`no account: ${account.outcome.reason}`)
  await parts.journal.setBaseline(balancesInUnits(account.value), parts.link.clockSync.atLeast() - 1)
  parts.events.open()
  parts.safety.startSweeper()
  parts.resolver.start()
  const { events } = options
  return {
    parts,
    events,
    async trade(intent) {
      await parts.journal.propose(intent, { missed: false })
      parts.resolver.take(intent.id)
    },
    path: id => events.flatMap(event => (event.type === 'transition' && event.key === id ? [event.to] : [])),
    async [Symbol.asyncDispose]() {
      await parts.resolver.stop({ timeoutMs: 10_000 })
      parts.upkeep.stop()
      parts.stream.close()
      await parts.safety[Symbol.asyncDispose]()
      parts.redis.disconnect()
    },
  }
}

export function acceptedOrders(exchange: PaperExchange, id: string): { atMs: number; orderId: string }[] {
  return truthOf(exchange, 'accepted')
    .filter(entry => entry['clientOrderId'] === id)
    .map(entry => ({ atMs: Number(entry['atMs']), orderId: String(entry['orderId']) }))
}

/** All entries of one type of the truth log. */
export function truthOf(exchange: PaperExchange, type: string): Record<string, unknown>[] {
  const found: Record<string, unknown>[] = []
  for (let after = 0; ;) {
    const page = exchange.truth({ type: type as never, after, limit: 1000 })
    found.push(...(page.entries as unknown as Record<string, unknown>[]))
    if (page.entries.length < 1000) return found
    after = page.next as number
  }
}

let bar = 1_700_000_040_000

/** A fresh intent; without more it buys a little at market. */
export function intentOf(more: Partial<Intent> = {}): Intent {
  bar += 60_000
  const name: IntentName = { strategy: 'pulse', symbol: 'BTCUSDT', barOpenMs: bar, leg: 'entry', seq: 0 }
  return {
    side: 'BUY',
    type: 'MARKET',
    quantity: '0.001',
    price: '60000',
    validUntilMs: Date.now() + quick.validMs,
    ...name,
    id: intentId({ ...name, ...more }),
    ...more,
  }
}

/** The executor of a worker behind `orders` instead of its breaker. */
export function executorBehind(floor: Floor, { parts }: Worker, orders: Guard): Executor {
  const { journal, adopter, link } = parts
  return createExecutor({
    journal,
    adopter,
    api: link.api,
    clockSync: link.clockSync,
    orders,
    clock: systemClock,
    config: floor.config(),
    worker: 'w1',
    report: () => {},
    operationOf: () => '',
    onUnwritten: () => {},
  })
}

/** Waits until `read` answers something true; fails after a generous while, saying what was waited for. */
export async function until<T>(
  what: string,
  read: () => T | Promise<T>,
  timeoutMs = 30_000,
  pauseMs = 25,
): Promise<NonNullable<T>> {
  const endMs = Date.now() + timeoutMs
  for (;;) {
    const value = await read()
    if (value) return value
    if (Date.now() > endMs) throw new Error(`waited in vain: ${what}`)
    await new Promise(resolve => setTimeout(resolve, pauseMs))
  }
}

/** Waits until an intent is settled and answers its last state. */
export async function settled(worker: Worker, id: string, timeoutMs?: number): Promise<string> {
  await until(
    `intent ${id} is settled; so far ${worker.path(id).join(' ')}`,
    async () => !(await worker.parts.journal.open()).includes(id),
    timeoutMs,
  )
  return (await worker.parts.journal.read(id))?.state ?? 'gone'
}
