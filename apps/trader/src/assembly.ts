import { whenReady, type Clock, type Random, type RedisClient } from '@safety/redis-core'
import type { TraderConfig } from './config.ts'
import { bringUp } from './exchange/bring-up.ts'
import { rulesIn, type SymbolRules } from './exchange/filters.ts'
import { connectExchange, type ExchangeAddress, type ExchangeLink } from './exchange/link.ts'
import { createOrderEvents, type OrderEvents } from './exchange/order-events.ts'
import { createUserStream, type UserStream } from './exchange/user-stream.ts'
import { breakerNews, checksNews, measure, noticeOf } from './measure.ts'
import type { TraderMetrics } from './observe/trader-metrics.ts'
import { createAdopter, type Adopter } from './orders/adopt.ts'
import { NotCancelledError } from './orders/errors.ts'
import { createExecutor } from './orders/executor.ts'
import { createJournal, type Journal } from './orders/journal.ts'
import { createLookup } from './orders/lookup.ts'
import { createPlacing, type Placing } from './orders/placing.ts'
import { createResolver, type Resolver } from './orders/resolver.ts'
import { createReconciler, type Reconciler } from './reconcile.ts'
import { bookKeys, type BookKeys } from './redis/keys.ts'
import { detailOf, type Report, type TraderEvent } from './report.ts'
import {
  checkStore,
  connectStore,
  createSafety,
  createStoreGuards,
  unsafeReport,
  type Safety,
  type StoreGuards,
} from './safety.ts'
import { StartError } from './start-error.ts'
import { createDesk, type Desk } from './strategy/desk.ts'
import { createUpkeep, type Upkeep } from './upkeep.ts'

export interface TraderOptions {
  readonly config: TraderConfig
  readonly address: ExchangeAddress
  readonly redisUrl: string
  /** Names this worker in the journal and the log. */
  readonly worker: string
  /** Accept the balances of now as the new baseline, and who says so. */
  readonly acceptBaseline: { readonly who: string; readonly why: string } | undefined
  readonly report: Report
  readonly clock: Clock
  readonly random: Random
}

/** The parts of one worker, wired but not yet started. */
export interface Parts {
  readonly redis: RedisClient
  readonly keys: BookKeys
  readonly journal: Journal
  readonly link: ExchangeLink
  readonly adopter: Adopter
  readonly guards: StoreGuards
  readonly safety: Safety
  readonly placing: Placing
  readonly resolver: Resolver
  readonly reconciler: Reconciler
  readonly upkeep: Upkeep
  readonly events: OrderEvents
  readonly desk: Desk
  readonly stream: UserStream
  readonly rules: Map<string, SymbolRules>
}

/** How long a start waits for Redis. */
const redisPatienceMs = 10_000

function reporting(options: TraderOptions, metrics: TraderMetrics): Report {
  return event => {
    measure(metrics, event)
    options.report(event)
  }
}

async function openStore(options: TraderOptions, signal: AbortSignal): Promise<RedisClient> {
  try {
    return await connectStore(options.redisUrl, `trader:${options.worker}`, { timeoutMs: redisPatienceMs, signal })
  } catch (error) {
    signal.throwIfAborted()
    throw new StartError(3, `Redis cannot be used: ${detailOf(error)}`, { cause: error })
  }
}

/**
 * Refuses a Redis that cannot keep what trading relies on; in paper mode it says so and goes on.
 *
 * @throws StartError 3
 */
async function insistOnStore(
  { config }: TraderOptions,
  redis: RedisClient,
  namespace: string,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const needs = { mode: config.mode, leaseMs: config.leaseMs, namespace }
  const found = await checkStore(redis, needs, { waitMs: redisPatienceMs, signal }).catch((error: unknown) => {
    signal.throwIfAborted()
    const findings = unsafeReport(error)
    if (findings === undefined) throw new StartError(3, `Redis cannot be checked: ${detailOf(error)}`, { cause: error })
    throw new StartError(3, `Redis is not safe for orders\n${findings}`, { cause: error })
  })
  const { level, summary } = found
  if (level === 'fail') report({ type: 'alert', alert: 'RedisUnsafe', detail: summary.sentence })
  else report({ type: 'notice', notice: 'redis-checks', detail: summary.sentence })
}

function openGuards(options: TraderOptions, redis: RedisClient, namespace: string, report: Report): StoreGuards {
  const tell = (news: TraderEvent | undefined): void => {
    if (news !== undefined) report(news)
  }
  return createStoreGuards({
    redis,
    namespace,
    config: options.config,
    onBreaker: event => tell(breakerNews(event)),
    onChecks: event => tell(checksNews(event)),
  })
}

/** Waits until the watch has looked once. @throws StartError 3 */
async function firstLook({ watched }: StoreGuards, clock: Clock, signal: AbortSignal): Promise<void> {
  const looked = new AbortController()
  const patience = clock.sleep(redisPatienceMs, { signal: AbortSignal.any([signal, looked.signal]) })
  const late = patience.then(() => {
    throw new StartError(3, `Redis cannot be watched: no report within ${redisPatienceMs / 1000} s`)
  })
  try {
    await Promise.race([watched, late])
  } finally {
    looked.abort()
  }
}

async function cancelOrder(api: ExchangeLink['api'], symbol: string, id: string): Promise<void> {
  const answer = await api.cancel(symbol, id)
  if (answer.ok) return
  const { class: kind, reason } = answer.outcome
  throw new NotCancelledError(kind === 'UNKNOWN' || kind === 'CANCEL_UNKNOWN' ? 'unknown' : 'not-run', reason)
}

/** The guarded way from an intent to an order and back to knowing what became of it. */
function createOrderPath(
  options: TraderOptions,
  base: Pick<Parts, 'redis' | 'keys' | 'journal' | 'link' | 'rules'> & {
    guards: StoreGuards
    report: Report
    onUnwritten: () => void
  },
): Pick<Parts, 'adopter' | 'safety' | 'placing' | 'resolver'> {
  const { config, worker, clock } = options
  const { journal, link, report, rules, guards } = base
  const { api, clockSync } = link
  const adopter = createAdopter({
    journal,
    rulesOf: symbol => rulesIn(rules, symbol),
    report,
    confirm: (id, placement, evidenceId) => safety.confirm(id, placement, evidenceId),
  })
  const lookup = createLookup({ journal, api, adopter, clockSync, config, report })
  const executor = createExecutor({
    journal,
    api,
    adopter,
    orders: guards.orders,
    clockSync,
    clock,
    config,
    worker,
    report,
    operationOf: id => placing.operationOf(id),
    onUnwritten: base.onUnwritten,
  })
  const safety: Safety = createSafety({
    redis: base.redis,
    namespace: base.keys.namespace,
    config,
    guards,
    place: (intent, attempt) => executor.run(intent, attempt),
    lookup,
    cancel: (symbol, id) => cancelOrder(api, symbol, id),
    onEvent(event) {
      const notice = noticeOf(event)
      if (notice !== undefined) report({ type: 'notice', notice, detail: `attempt ${event.attempt}` })
    },
  })
  const placing = createPlacing(worker, intent => safety.place(intent), report)
  const resolver = createResolver({
    journal,
    api,
    adopter,
    place: intent => placing.place(intent),
    cancel: (symbol, id) => safety.cancel(symbol, id),
    clockSync,
    clock,
    config,
    report,
  })
  return { adopter, safety, placing, resolver }
}

function openUserStream(
  options: TraderOptions,
  link: ExchangeLink,
  report: Report,
  events: OrderEvents,
  upkeep: Upkeep,
): UserStream {
  const { address, clock, random } = options
  return createUserStream({
    wsApiUrl: address.wsApiUrl,
    apiKey: address.apiKey,
    secret: address.apiSecret,
    clockSync: link.clockSync,
    gate: link.gate,
    clock,
    random,
    onOrder: event => events.push(event),
    onGap: reason => upkeep.soon(`gap-${reason}`),
    onDown: reason => report({ type: 'notice', notice: 'user-stream-down', detail: reason }),
    onRefused: code =>
      report({ type: 'alert', alert: 'Configuration', detail: `the user stream is refused (${code})` }),
  })
}

/**
 * Connects to Redis and the exchange's REST side and wires one worker together.
 *
 * @throws StartError 2, 3 or 4, with nothing left open.
 */
export async function assemble(options: TraderOptions, metrics: TraderMetrics, signal: AbortSignal): Promise<Parts> {
  const { config, address, clock, random, worker } = options
  const report = reporting(options, metrics)
  const keys = bookKeys(config.book)
  const redis = await openStore(options, signal)
  let guards: StoreGuards | undefined
  try {
    await insistOnStore(options, redis, keys.namespace, report, signal)
    const opened = openGuards(options, redis, keys.namespace, report)
    guards = opened
    await firstLook(opened, clock, signal)
    const journal = createJournal(redis, keys)
    const link = connectExchange({ redis, keys, address, config, reads: opened.reads, clock, report })
    const rules = await bringUp(link, config, { clock, signal })
    const { api, clockSync } = link
    const onUnwritten = (): void => upkeep.soon('unwritten')
    const path = createOrderPath(options, { redis, keys, journal, link, rules, guards: opened, report, onUnwritten })
    const { adopter, resolver } = path
    const onDrift = (drift: Readonly<Record<string, string>>): void => {
      for (const asset of Object.keys(drift)) metrics.drift(asset, drift[asset] ?? '0')
    }
    const reconciler = createReconciler({ journal, api, adopter, clockSync, config, report, onDrift })
    const events = createOrderEvents({ adopter, resolver, report, onLost: onUnwritten })
    const upkeep: Upkeep = createUpkeep({
      redis,
      journal,
      link,
      reconciler,
      resolver,
      rules,
      metrics,
      config,
      worker,
      clock,
      report,
    })
    const stream = openUserStream(options, link, report, events, upkeep)
    upkeep.watch(() => stream.silentMs())
    const storeReady = (wait: { signal: AbortSignal }): Promise<void> => awaitStore(redis, clock, wait.signal)
    const desk = createDesk({
      address,
      journal,
      link,
      rules,
      config,
      clock,
      random,
      report,
      holdOff: () => opened.holdOff() !== null,
      take: id => resolver.take(id),
      storeReady,
    })
    return { redis, keys, journal, link, guards: opened, ...path, reconciler, upkeep, events, desk, stream, rules }
  } catch (error) {
    await guards?.[Symbol.asyncDispose]()
    redis.disconnect()
    throw error
  }
}

async function awaitStore(redis: RedisClient, clock: Clock, signal: AbortSignal): Promise<void> {
  // A pause first: an error that is not the connection's must not turn this into a busy loop.
  await clock.sleep(100, { signal })
  for (;;) {
    try {
      await whenReady(redis, { timeoutMs: 60_000, signal })
      return
    } catch {
      signal.throwIfAborted()
    }
  }
}
