import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createToken, type Clock } from '@safety/redis-core'
import { createChildPool, type ChildPool } from './child-process.ts'
import type { Cleanup } from './cleanup.ts'
import { DemoError, firstLine } from './demo-error.ts'
import type { DemoEvidence } from './evidence.ts'
import { createExchangeControl, type ExchangeAddress, type ExchangeControl } from './exchange-control.ts'
import { startExchange } from './exchange-process.ts'
import type { OutageSpan } from './history.ts'
import { judgeRun } from './judge-run.ts'
import type { DemoOptions } from './options.ts'
import type { Progress } from './progress.ts'
import { readRedisFindings } from './redis-findings.ts'
import { openRedis } from './redis-target.ts'
import { runSchedule, type TimedAction } from './schedule.ts'
import { BAR_MS, DRAIN_MS, expectedIntents, tradingWindow, type TradingWindow } from './setting.ts'
import { createSide } from './side.ts'
import type { Stage } from './stage.ts'
import { planStorm } from './storm.ts'
import { guardedWorkers, NAIVE_SPLIT, naiveWorkers } from './worker-init.ts'

export interface ConductContext {
  readonly options: DemoOptions
  readonly redisUrl: string | undefined
  readonly clock: Clock
  readonly progress: Progress
  readonly cleanup: Cleanup
  /** Aborted when the run has to end early. */
  readonly abort: AbortController
  /** Called once with what ends every process and folder of the run at once, for a second Ctrl-C. */
  readonly onEmergency: (end: () => void) => void
}

const NAIVE_ENTRY = fileURLToPath(new URL('../naive/main.ts', import.meta.url))
const TRADER_ENTRY = fileURLToPath(new URL('../main.ts', import.meta.url))
const ACCOUNTS = ['naive', 'guarded'] as const
/** After its bar has closed, a kill waits this long for one of its own intents. */
const KILL_PATIENCE_MS = 1000

function openFolder(context: ConductContext): { folder: string; pool: ChildPool } {
  const folder = mkdtempSync(join(tmpdir(), 'safety-demo-'))
  const pool = createChildPool(context.clock, folder)
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  context.cleanup.add('temporary folder', remove)
  context.onEmergency(() => {
    pool.killAll()
    remove()
  })
  return { folder, pool }
}

async function firstTradingBar(control: ExchangeControl): Promise<number> {
  const openTimes = await control.openTimes('BTCUSDT', { limit: 1 })
  const running = openTimes.at(-1)
  if (running === undefined) throw new DemoError('the paper exchange has no bars', 3)
  return running
}

function buildSides(
  context: ConductContext,
  pool: ChildPool,
  input: { address: ExchangeAddress; window: TradingWindow; redisUrl: string; book: string; folder: string },
): Pick<Stage, 'sides' | 'naiveBooks'> {
  const { clock, options } = context
  const common = { pool, clock, signal: context.abort.signal }
  const naive = naiveWorkers(input.address, input.window, input.folder)
  const guarded = guardedWorkers({ ...input, mutant: options.mutant })
  return {
    naiveBooks: naive.map(({ bookFile }) => bookFile),
    sides: {
      naive: createSide({ ...common, name: 'naive', entry: { file: NAIVE_ENTRY, args: [] }, workers: naive }),
      guarded: createSide({
        ...common,
        name: 'guarded',
        entry: { file: TRADER_ENTRY, args: ['worker'] },
        workers: guarded,
      }),
    },
  }
}

async function setStage(context: ConductContext): Promise<Stage> {
  const { options, clock, progress, cleanup, abort } = context
  const { folder, pool } = openFolder(context)
  progress.phase('starting Redis')
  const redis = await openRedis(context.redisUrl, clock)
  cleanup.add('Redis', () => redis[Symbol.asyncDispose]())
  abort.signal.throwIfAborted()

  progress.phase('starting the paper exchange')
  const book = `demo-${createToken()}`
  // Last in, first out: the workers are gone before their keys are deleted, and the exchange goes with them.
  if (redis.kind === 'found') cleanup.add(`keys of trader.${book}`, () => redis.deleteBook(book))
  cleanup.add('processes', () => pool[Symbol.asyncDispose]())
  abort.signal.addEventListener('abort', () => pool.killAll(), { once: true })
  cleanup.add(
    'watch over Redis',
    redis.watch(gone => abort.abort(gone)),
  )
  const { child, address } = await startExchange(pool, options, ACCOUNTS)
  void child.exited.then(() => {
    abort.abort(new DemoError('the paper exchange ended in the middle of the run', 3))
  })
  const control = createExchangeControl(address)
  const window = tradingWindow(options.seconds, await firstTradingBar(control))
  const intents = expectedIntents(window)
  const plan = planStorm({
    seed: options.seed,
    intents,
    bars: window.bars,
    barMs: BAR_MS,
    accounts: ACCOUNTS,
    split: NAIVE_SPLIT,
  })
  await control.addFaults(plan.standing)
  const findings = await readRedisFindings(redis.url, book, abort.signal)
  abort.signal.throwIfAborted()

  progress.phase('starting the workers')
  const built = buildSides(context, pool, { address, window, redisUrl: redis.url, book, folder })
  try {
    await Promise.all(ACCOUNTS.map(name => built.sides[name].start()))
  } catch (error) {
    abort.signal.throwIfAborted()
    throw new DemoError(firstLine(error), 3, { cause: error })
  }
  return { book, redis, findings, control, window, intents, plan, ...built }
}

function outageAction(stage: Stage, { clock, abort }: ConductContext, outages: OutageSpan[]): TimedAction[] {
  const { redis, plan } = stage
  if (redis.outage === undefined) return []
  const { atMs, forMs } = plan.redisOutage
  const restart = redis.outage
  return [
    {
      atMs: atMs + BAR_MS,
      async run() {
        const fromUs = Math.floor(clock.now() * 1000)
        await restart(forMs, abort.signal)
        outages.push({ fault: 'redis-1', name: 'kill-redis', fromUs, toUs: Math.floor(clock.now() * 1000) })
      },
    },
  ]
}

function stormActions(stage: Stage, context: ConductContext, outages: OutageSpan[]): TimedAction[] {
  const { plan, control } = stage
  const sides = Object.values(stage.sides)
  // The intents of a bar are placed when it closes.
  const kills = plan.kills.flatMap(kill => [
    { atMs: kill.bar * BAR_MS + BAR_MS / 2, run: () => sides.forEach(side => side.arm(kill)) },
    { atMs: (kill.bar + 1) * BAR_MS + KILL_PATIENCE_MS, run: () => sides.forEach(side => side.loosen()) },
  ])
  const streams = plan.timed.map(({ atMs, rule }) => ({ atMs: atMs + BAR_MS, run: () => control.addFaults([rule]) }))
  return [...kills, ...streams, ...outageAction(stage, context, outages)]
}

async function trade(
  context: ConductContext,
  stage: Stage,
  outages: OutageSpan[],
): Promise<{ fromMs: number; toMs: number }> {
  const { clock, abort, options, progress } = context
  const { control, sides, window } = stage
  const tradingMs = window.bars * BAR_MS
  progress.run(options.seconds * 1000)
  progress.phase('storm')
  await control.pauseMarket(false)
  const startMs = clock.monotonic()
  const fromMs = clock.now()
  const close: TimedAction = {
    // Half a bar later, so that the last bar has surely closed and the next one has not.
    atMs: tradingMs + BAR_MS / 2,
    async run() {
      await control.pauseMarket(true)
      await control.clearFaults()
      progress.phase('drain')
    },
  }
  await runSchedule([...stormActions(stage, context, outages), close], clock, { startMs, signal: abort.signal })
  const toMs = clock.now()
  const leftMs = (): number => tradingMs + DRAIN_MS - (clock.monotonic() - startMs)
  await Promise.all([
    ...Object.values(sides).map(side => side.drain(leftMs())),
    clock.sleep(leftMs(), { signal: abort.signal }),
  ])
  return { fromMs, toMs }
}

/**
 * One whole run: sets the stage, lets both sides trade through the storm, waits for what is open, and has the exchange
 * judge.
 *
 * @throws DemoError when there is no Redis, exchange or port, or one of them goes away
 */
export async function conduct(context: ConductContext): Promise<DemoEvidence> {
  const stage = await setStage(context)
  const outages: OutageSpan[] = []
  const times = await trade(context, stage, outages)
  context.progress.phase('judging')
  await Promise.all(Object.values(stage.sides).map(side => side.stop()))
  const endMs = context.clock.now()
  return judgeRun(context.options, stage, { ...times, endMs, outages })
}
