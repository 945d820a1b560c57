import type { Clock } from '@safety/redis-core'
import { assemble, type Parts, type TraderOptions } from './assembly.ts'
import { insist } from './exchange/bring-up.ts'
import { createTraderMetrics } from './observe/trader-metrics.ts'
import { cancelOurOrders } from './orders/cancel-all.ts'
import { balancesInUnits } from './reconcile.ts'
import { detailOf, reasonOf } from './report.ts'
import { StartError } from './start-error.ts'

/** One worker: it runs every intent of its book, beside any number of others. */
export interface Trader {
  /**
   * Brings everything up in the order that loses nothing, and trades.
   *
   * @throws StartError with the exit code of the command.
   */
  start(options: { signal: AbortSignal }): Promise<void>
  /** Resolves when every intent of the trading window is settled and the book is reconciled. */
  drain(options: { signal: AbortSignal }): Promise<void>
  /** Halts entries, waits for what is under way, and closes. Answers how many intents stay open. */
  stop(): Promise<number>
}

const stopPatienceMs = 15_000
/** How long bringing everything up may take, once Redis and the exchange have answered. */
const startPatienceMs = 60_000

/** Subscribed already, so nothing falls between the snapshot and the events, which wait until it is applied. */
async function takeSnapshot(options: TraderOptions, parts: Parts, signal: AbortSignal): Promise<void> {
  const { clock, acceptBaseline } = options
  const { link, journal, reconciler } = parts
  const atMs = link.clockSync.atLeast()
  const account = await insist(() => link.api.account(), 'the account', { clock, signal })
  await journal.lift('configuration')
  await journal.setBaseline(balancesInUnits(account), atMs, acceptBaseline)
  for (let tries = 1; ; tries += 1) {
    const result = await reconciler.run('start')
    if (result.done) return
    if (tries === 20) throw new StartError(4, `the exchange cannot be reconciled with (${result.reason})`)
    await clock.sleep(500, { signal })
  }
}

async function bringToTrade(options: TraderOptions, parts: Parts, signal: AbortSignal): Promise<void> {
  const { stream, events, safety, resolver, upkeep, desk } = parts
  await stream.start({ signal })
  try {
    await takeSnapshot(options, parts, signal)
  } catch (error) {
    if (error instanceof StartError || signal.aborted) throw error
    throw new StartError(3, `Redis failed during the start (${reasonOf(error)})`, { cause: error })
  }
  events.open()
  safety.startSweeper()
  resolver.start()
  upkeep.start()
  await desk.start({ signal })
}

async function close(options: TraderOptions, parts: Parts): Promise<number> {
  const { config, report } = options
  const { desk, resolver, upkeep, safety, stream, events, journal, redis } = parts
  desk.stop()
  upkeep.stop()
  await resolver.stop({ timeoutMs: stopPatienceMs })
  if (config.cancelOnExit) await cancelOurOrders(parts.link.api, config.symbols, report)
  stream.close()
  await events.settled()
  await safety[Symbol.asyncDispose]()
  const open = await journal.open().then(
    ids => ids.length,
    () => resolver.open,
  )
  redis.disconnect()
  return open
}

/** Runs a step with a signal that also ends it when it takes too long. */
async function withinPatience(
  clock: Clock,
  signal: AbortSignal,
  step: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const late = new AbortController()
  const timer = clock.setTimeout(
    () => late.abort(new StartError(4, 'the streams of the exchange do not open')),
    startPatienceMs,
  )
  try {
    await step(AbortSignal.any([signal, late.signal]))
  } finally {
    timer.cancel()
  }
}

/** Assembles one worker. Nothing is connected before `start`. */
export function createTrader(options: TraderOptions): Trader {
  const metrics = createTraderMetrics()
  let parts: Parts | undefined
  return {
    async start({ signal }) {
      const started = await assemble(options, metrics, signal)
      parts = started
      try {
        await withinPatience(options.clock, signal, limited => bringToTrade(options, started, limited))
      } catch (error) {
        await close({ ...options, config: { ...options.config, cancelOnExit: false } }, started)
        parts = undefined
        throw error
      }
      options.report({ type: 'ready' })
      options.report({ type: 'status', series: await metrics.series() })
    },
    async drain({ signal }) {
      if (parts === undefined) throw new Error('drain needs a started trader')
      const draining = parts
      for (;;) {
        signal.throwIfAborted()
        const done = await isDrained(draining).catch((error: unknown) => {
          options.report({ type: 'error', reason: reasonOf(error), detail: detailOf(error) })
          return false
        })
        if (done) break
        await options.clock.sleep(250, { signal })
      }
      options.report({ type: 'status', series: await metrics.series() })
      options.report({ type: 'drained' })
    },
    async stop() {
      if (parts === undefined) return 0
      const closing = parts
      parts = undefined
      const open = await close(options, closing)
      options.report({ type: 'stopped', open })
      return open
    },
  }
}

async function isDrained({ desk, journal, resolver, reconciler }: Parts): Promise<boolean> {
  if (!(await desk.complete())) return false
  if ((await journal.open()).length > 0) {
    await resolver.refresh()
    return false
  }
  const result = await reconciler.run('drain')
  return result.done && result.applied === 0
}
