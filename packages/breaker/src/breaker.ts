import { createToken } from '@safety/redis-core'
import type { Clock, RedisClient } from '@safety/redis-core'

import { untilAborted } from './abort.ts'
import type { Work } from './attempt.ts'
import type { BreakerState } from './breaker-state.ts'
import { createCore, restand, tellRejections } from './core.ts'
import type { Core } from './core.ts'
import type { BreakerRecord } from './history.ts'
import { openLink } from './link.ts'
import type { Link } from './link.ts'
import { refresh } from './moves.ts'
import { resolveOptions } from './options.ts'
import type { BreakerOptions, ResolvedOptions } from './options.ts'
import { nextEndMs } from './orders.ts'
import { force, history, release } from './override.ts'
import type { Operated, OverrideReceipt } from './override.ts'
import { createRedisStore } from './redis/redis-store.ts'
import { restoreFrom } from './restore.ts'
import { run } from './run.ts'
import { createScheduler } from './scheduler.ts'
import type { Job, Scheduler } from './scheduler.ts'
import type { BreakerSnapshot } from './snapshot.ts'
import { takeSnapshot } from './take-snapshot.ts'
import type { Who } from './who.ts'

export interface Abort {
  readonly signal?: AbortSignal | undefined
}

/** Cuts a failing dependency off, for this process or for the whole fleet, and lets it back gently. */
export interface Breaker extends AsyncDisposable {
  readonly name: string
  /** In effect now. */
  readonly state: BreakerState
  /**
   * Runs `work` if the breaker admits the call; what it returns or throws passes unchanged. A closed or open breaker sends
   * Redis nothing; a call that finds the fleet's cool-off over waits for one script, 250 ms at most.
   *
   * Abort rejects at once with `signal.reason` and counts nothing; `work` gets the signal, and may still run on.
   *
   * @throws `ERR_BREAKER_OPEN` (a retry helps after `retryAfterMs`; it never ran), `ERR_BREAKER_TIMEOUT` (nobody knows),
   * `ERR_BREAKER_DISPOSED`
   * @example const order = await breaker.run(({ signal }) => fetch(url, { signal }))
   */
  run<T>(work: Work<T>, options?: Abort): Promise<T>
  /** `fn` behind the breaker: same `this`, same arguments. */
  wrap<This, A extends unknown[], R>(fn: (this: This, ...args: A) => R): (this: This, ...args: A) => Promise<Awaited<R>>
  /** A deep copy of everything, in plain JSON. */
  snapshot(): BreakerSnapshot
  /** `fleet` at the first reply from Redis, `local` at the first failure or without Redis. Never needed before `run`. */
  ready(options?: Abort): Promise<'fleet' | 'local'>
  /**
   * Holds the breaker open, or disabled (all calls run and are counted), for `forMs`: 1 000..604 800 000. Orders are held
   * per `by`; a new one of the same `by` replaces the old. forced-open beats disabled. Never fails for want of Redis: it then
   * holds here at once and is sent when Redis is back, unless it has ended. Abort: it may be in force all the same.
   *
   * @throws `ERR_BREAKER_OPTIONS`, `ERR_BREAKER_LIMIT` (a 17th holder), `ERR_BREAKER_DISPOSED`
   */
  force(target: 'open' | 'disabled', order: Who & { readonly forMs: number }, options?: Abort): Promise<OverrideReceipt>
  /**
   * A reset: closed, windows empty, `opens` 0, automatic from there on.
   *
   * @throws `ERR_BREAKER_HELD` under an order, `ERR_BREAKER_OPTIONS`, `ERR_BREAKER_DISPOSED`
   */
  force(target: 'closed', order: Who, options?: Abort): Promise<OverrideReceipt>
  /**
   * Ends the order of `holder` (default: of `by`), or all with `*`. Without Redis it ends what never left this process.
   *
   * @throws `ERR_BREAKER_STORE` when Redis cannot be had (a retry helps), `ERR_BREAKER_OPTIONS`, `ERR_BREAKER_DISPOSED`
   */
  release(order: Who & { readonly holder?: string | undefined }, options?: Abort): Promise<OverrideReceipt>
  /**
   * Who did what until when, newest first: of the fleet, or without Redis of this process.
   *
   * @param options.limit 1..100. @default 100
   * @throws `ERR_BREAKER_STORE` when Redis cannot be had (a retry helps), `ERR_BREAKER_OPTIONS`, `ERR_BREAKER_DISPOSED`
   */
  history(options?: Abort & { readonly limit?: number | undefined }): Promise<BreakerRecord[]>
}

/**
 * A breaker of its own; `createBreakers` keeps one per name.
 *
 * @throws `ERR_BREAKER_OPTIONS` (no retry helps); `field` names the option
 * @example const breaker = createBreaker({ name: 'payments', redis, expect: 10 })
 */
export function createBreaker(options: BreakerOptions): Breaker {
  return breakerFrom(resolveOptions(options))
}

/** Tells two lives of one `instance` apart; it lies in Redis once per member. */
const RUN_LENGTH = 6

// One timer per client, however many breakers it serves.
const schedulers = new WeakMap<RedisClient, Map<Clock, Scheduler>>()

function schedulerOf(redis: RedisClient, clock: Clock): Scheduler {
  const byClock = schedulers.get(redis) ?? new Map<Clock, Scheduler>()
  schedulers.set(redis, byClock)
  const scheduler = byClock.get(clock) ?? createScheduler(clock)
  byClock.set(clock, scheduler)
  return scheduler
}

/** As `createBreaker`, from options that were checked before. */
export function breakerFrom(options: ResolvedOptions): Breaker {
  const core = createCore(options)
  if (options.restore !== null) restoreFrom(core, options.restore)
  const link = core.fleet === null || options.redis === null ? null : join(core, options.redis)
  const operated = { core, link: link?.state ?? null, watchOrders: link === null ? localWatch(core) : link.state.plan }
  if (core.held.length > 0) operated.watchOrders()
  return methodsOf(core, link, operated)
}

function join(core: Core, redis: RedisClient): Link {
  const { options } = core
  const store = createRedisStore(redis, options, createToken(options.random).slice(0, RUN_LENGTH))
  return openLink(core, store, schedulerOf(redis, options.clock))
}

/** Without a fleet there is nothing to wake up for, unless orders have to end: then there is one timer. */
function localWatch(core: Core): () => void {
  let scheduler: Scheduler | null = null
  const job: Job = {
    run(nowMs) {
      refresh(core, nowMs)
      look()
    },
  }
  function look(): void {
    const endsMs = core.disposed ? Infinity : nextEndMs(core.held, core.clock.monotonic())
    if (endsMs < Infinity) scheduler ??= createScheduler(core.clock)
    if (endsMs < Infinity) scheduler?.schedule(job, endsMs)
    else scheduler?.remove(job)
  }
  return look
}

function methodsOf(core: Core, link: Link | null, operated: Operated): Breaker {
  const { clock, name } = core.options
  const now = (): number => {
    const nowMs = clock.monotonic()
    if (!core.disposed) refresh(core, nowMs)
    return nowMs
  }
  return {
    name,
    get state() {
      now()
      return core.standing.state
    },
    run: (work, options) => run(core, work, options?.signal),
    wrap<This, A extends unknown[], R>(fn: (this: This, ...args: A) => R) {
      return function wrapped(this: This, ...args: A): Promise<Awaited<R>> {
        return run<Awaited<R>>(core, () => fn.apply(this, args) as Awaited<R>, undefined)
      }
    },
    snapshot: () => takeSnapshot(core, now()),
    ready: options => ready(link, options?.signal),
    force: (target: unknown, order: unknown, options?: Abort) => force(operated, target, order, options?.signal),
    release: (order, options) => release(operated, order, options?.signal),
    history: options => history(operated, options?.limit, options?.signal),
    async [Symbol.asyncDispose]() {
      if (core.disposed) return
      const nowMs = now()
      tellRejections(core, nowMs)
      core.disposed = true
      restand(core, nowMs)
      operated.watchOrders()
      await link?.close()
    },
  }
}

async function ready(link: Link | null, signal: AbortSignal | undefined): Promise<'fleet' | 'local'> {
  if (signal?.aborted) throw signal.reason
  if (link === null || link.state.status === 'away') return 'local'
  return link.state.status === 'up' ? 'fleet' : untilAborted(link.state.first.promise, signal)
}
