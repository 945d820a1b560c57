import { createBackground } from './background.ts'
import { resolveEffect } from './definition.ts'
import type { Definition } from './definition.ts'
import type { Effect, EffectContext, EffectOptions, Execution, OnceOptions } from './effect.ts'
import type { Engine } from './engine.ts'
import { effectIdOf, tell } from './engine.ts'
import { closedError, optionError } from './errors.ts'
import { idempotencyChannel } from './events.ts'
import './failpoints.ts'
import { createFlights } from './flights.ts'
import type { Flights } from './flights.ts'
import { guardMethods } from './guard.ts'
import type { Guarded, GuardMethods, KnownMethods } from './guard.ts'
import { createSubject, subjectOf } from './intent.ts'
import type { JsonValue } from './json.ts'
import { inspectRecord, listRecords } from './listing.ts'
import type { ListOptions } from './listing.ts'
import { confirmRecord, releaseRecord, resolveRecord } from './operator.ts'
import type { CallOptions, Known, Order } from './operator.ts'
import { resolveOptions } from './options.ts'
import type { IdempotencyOptions } from './options.ts'
import type { RecordView } from './record.ts'
import { createRedisStore } from './redis/redis-store.ts'
import { startSweeper } from './sweeper.ts'
import type { Sweeper, SweeperOptions } from './sweeper.ts'
import { createTokens } from './tokens.ts'

/** Runs effects once, and knows when nobody knows. Dispose it before the client is closed. */
export interface Idempotency extends AsyncDisposable {
  /**
   * Declares an effect and returns it as a function.
   *
   * @throws `ERR_IDEMPOTENCY_OPTIONS` naming the field
   * @example
   * const pay = idem.define({ name: 'payout', key: p => p.id, recovery: { mode: 'manual' }, run: p => bank.pay(p) })
   * const { value, status } = await pay({ id: 'inv-7', amount: '10.00' })
   */
  define<I, T>(effect: EffectOptions<I, T>): Effect<I, T>
  /** One call without a declaration. The sweeper does not look up effects that exist only here. */
  executeOnce<T>(
    key: string,
    run: (ctx: EffectContext) => T | Promise<T>,
    options?: OnceOptions<T>,
  ): Promise<Execution<T>>
  /**
   * Puts effects in front of an object's methods without touching it: listed methods return a promise of the effect's
   * value and run with the object as `this`; everything else is the object's own. What it calls on itself is not guarded.
   *
   * @throws `ERR_IDEMPOTENCY_OPTIONS` naming the field
   * @example
   * const exchange = idem.guard(client, {
   *   place: { name: 'order_placement', key: order => order.id, recovery: { mode: 'manual' } },
   * })
   * await exchange.place({ id: 'o-7', symbol: 'BTCUSDT', quantity: '1' })
   */
  guard<O extends object, const M extends GuardMethods<O>>(target: O, methods: M & KnownMethods<O, M>): Guarded<O, M>
  /** One record; undefined if there is none. @throws KEY, STORE, FORMAT */
  inspect(effect: string, key: string, options?: CallOptions): Promise<RecordView | undefined>
  /** Open records (running, in doubt, reconciling); with `all`, every record, by SCAN. @throws OPTIONS, STORE, FORMAT */
  list(options?: ListOptions, call?: CallOptions): AsyncIterable<RecordView>
  /**
   * An operator's verdict on an open record. A live lease, or `not-run` before the settle time, needs `force`.
   *
   * @throws VERDICT (the record is final or absent, or needs `force`), OPTIONS, KEY, STORE, FORMAT
   */
  resolve(
    effect: string,
    key: string,
    verdict: (Known | { outcome: 'not-run' }) & Order,
    options?: CallOptions,
  ): Promise<RecordView>
  /**
   * Evidence of a machine, such as an order seen on a stream: closes any record that is not final, also a running one,
   * and creates one that is absent. A final one, or the same `evidenceId` again, is returned unchanged.
   *
   * @throws OPTIONS, KEY, STORE, FORMAT
   */
  confirm(
    effect: string,
    key: string,
    evidence: Known & { evidenceId: string },
    options?: CallOptions,
  ): Promise<RecordView>
  /** Makes a failed record claimable; a done one with `force`. @throws VERDICT, OPTIONS, KEY, STORE, FORMAT */
  release(effect: string, key: string, order: Order, options?: CallOptions): Promise<RecordView>
  /** Looks for lapsed claims and doubts until disposed. Run it in every process that defines `reconcile` effects. */
  startSweeper(options?: SweeperOptions): Sweeper
}

/** How long disposal waits for running effects and for results not recorded yet. */
const DRAIN_MS = 10_000
const CLOSED = 'this instance was disposed; nothing ran. Create a new one'

/**
 * One instance per client and namespace. It neither changes nor closes the client. `asyncDispose`: new calls, and those
 * that have not dispatched their effect, are CLOSED; sweepers stop; running effects and background recording get up to 10 s.
 *
 * @throws `ERR_IDEMPOTENCY_OPTIONS` naming the field
 */
export function createIdempotency(options: IdempotencyOptions): Idempotency {
  const engine = createEngine(options)
  const flights = createFlights(engine.engine)
  const sweepers = new Set<Sweeper>()
  let open = true
  let disposed: Promise<void> | undefined

  /** Like `guarded`, with one promise less: every call of an effect goes through here. */
  async function take<T>(definition: Definition, input: unknown, call: CallOptions | undefined): Promise<Execution<T>> {
    if (!open) throw closedError(CLOSED)
    const { execution } = await flights.take(definition, input, signalOf(call))
    return execution as Execution<T>
  }

  /** Every public call: CLOSED after disposal, rejections instead of throws. */
  async function guarded<R>(work: () => Promise<R>): Promise<R> {
    if (!open) throw closedError(CLOSED)
    return await work()
  }

  function define<I, T>(effect: EffectOptions<I, T>): Effect<I, T> {
    if (!open) throw closedError(CLOSED)
    const definition = resolveEffect(effect)
    engine.engine.definitions.set(definition.name, definition)
    const run = (input: I, call?: CallOptions): Promise<Execution<T>> => take<T>(definition, input, call)
    return Object.assign(run, {
      effectIdOf: (key: string) => effectIdOf(createSubject(engine.engine.store, definition.name, key)),
    })
  }

  return {
    define,
    guard: (target, methods) => guardMethods(define, target, methods),
    executeOnce<T>(
      key: string,
      run: (ctx: EffectContext) => T | Promise<T>,
      once: OnceOptions<T> = {},
    ): Promise<Execution<T>> {
      return guarded(() => take<T>(onceDefinition(key, run, once), undefined, once))
    },
    inspect: (effect, key, call) =>
      guarded(() => inspectRecord(engine.engine, effect, key, { signal: signalOf(call) })),
    list: (list, call) => {
      if (!open) throw closedError(CLOSED)
      return listRecords(engine.engine, list, { signal: signalOf(call) })
    },
    resolve: (effect, key, verdict, call) =>
      guarded(() => resolveRecord(engine.engine, effect, key, verdict, { signal: signalOf(call) })),
    confirm: (effect, key, evidence, call) =>
      guarded(() => confirmRecord(engine.engine, effect, key, evidence, { signal: signalOf(call) })),
    release: (effect, key, order, call) =>
      guarded(() => releaseRecord(engine.engine, effect, key, order, { signal: signalOf(call) })),
    startSweeper(sweeperOptions) {
      if (!open) throw closedError(CLOSED)
      const sweeper = startSweeper(engine.engine, sweeperOptions)
      sweepers.add(sweeper)
      return sweeper
    },
    [Symbol.asyncDispose]() {
      open = false
      return (disposed ??= dispose(engine, flights, sweepers))
    },
  }
}

interface EngineOwner {
  readonly engine: Engine
  /** Nothing is dispatched any more, and no call waits. */
  readonly beginClosing: () => void
  readonly close: () => void
}

function createEngine(given: IdempotencyOptions): EngineOwner {
  const options = resolveOptions(given)
  const { redis, namespace, clock, random, storeTimeoutMs } = options
  const closing = new AbortController()
  const closed = new AbortController()
  const store = createRedisStore({
    redis,
    namespace,
    clock,
    storeTimeoutMs,
    onLoss: (place, { fromMs, toMs }) => {
      const facts = { token: '', fence: 0, attempt: 0 }
      tell(engine, subjectOf(store, place), facts, { type: 'store-loss', bucket: place.tag, fromMs, toMs })
    },
  })
  const engine: Engine = {
    options,
    store,
    clock,
    random,
    newToken: createTokens(random),
    emit: idempotencyChannel.emitter(options.onEvent),
    background: createBackground(clock),
    definitions: new Map(),
    closing: closing.signal,
    closed: closed.signal,
  }
  const close = (): void => {
    closed.abort()
    store.close()
  }
  return { engine, beginClosing: () => closing.abort(), close }
}

async function dispose(
  { engine, beginClosing, close }: EngineOwner,
  flights: Flights,
  sweepers: Iterable<Sweeper>,
): Promise<void> {
  beginClosing()
  await drain(engine, flights, sweepers)
  close()
}

/** Stops what works behind, and gives what is under way its time. */
async function drain({ background }: Engine, flights: Flights, sweepers: Iterable<Sweeper>): Promise<void> {
  for (const sweeper of sweepers) background.track(Promise.resolve(sweeper[Symbol.asyncDispose]()))
  background.track(land(flights))
  await background.drain(DRAIN_MS)
}

/** Until no call is under way: one that ends may let its twins start another. */
async function land(flights: Flights): Promise<void> {
  while (flights.size > 0) await flights.landing()
}

/** @throws `ERR_IDEMPOTENCY_OPTIONS` for what is no signal: found late, it would be thrown in the middle of a call */
function signalOf(call: CallOptions | null | undefined): AbortSignal | undefined {
  const signal = call?.signal ?? undefined
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw optionError('signal', 'is not an AbortSignal')
  return signal
}

/** @throws `ERR_IDEMPOTENCY_OPTIONS` naming the field */
function onceDefinition<T>(key: string, run: (ctx: EffectContext) => T | Promise<T>, once: OnceOptions<T>): Definition {
  // Wrapped below, so `resolveEffect` would not see it.
  if (typeof run !== 'function') throw optionError('run', 'is not a function')
  if (typeof once !== 'object' || once === null) throw optionError('options', 'is not an object')
  for (const name of ['key', 'run']) if (name in once) throw optionError(name, 'is an argument here, not an option')
  const { fingerprint, memo, signal: _signal, ...options } = once
  return resolveEffect<undefined, T>({
    name: 'default',
    recovery: { mode: 'manual' },
    ...options,
    key: () => key,
    fingerprint: fingerprint === undefined ? false : () => fingerprint,
    ...(memo === undefined ? {} : { memo: (): JsonValue => memo }),
    run: (_input, ctx) => run(ctx),
  })
}
