import type { RedisClient } from '@safety/redis-core'

import { redisChecksChannel } from './events.ts'
import type { Listener, RedisChecksEvent } from './events.ts'
import { createHoldOff } from './hold-off.ts'
import type { HoldOff } from './hold-off.ts'
import { registerLevelMetric } from './metric.ts'
import { resolveWatch } from './options.ts'
import type { ResolvedWatch, WatchOptions } from './options.ts'
import { judgeReadiness } from './readiness.ts'
import type { Readiness, ReadinessStatus } from './readiness.ts'
import { assertClient, runChecks } from './redis-checks.ts'
import type { RunResult } from './redis-checks.ts'
import { createConnections } from './redis/connections.ts'
import type { Connections } from './redis/connections.ts'
import { planDial } from './redis/dial-plan.ts'
import type { Report } from './report.ts'
import { createRunQueue } from './run-queue.ts'
import type { RunKind } from './run-queue.ts'
import { listenForTriggers, tellsOfChange } from './triggers.ts'
import { createWatchState } from './watch-state.ts'
import type { WatchState } from './watch-state.ts'

/** Looks at Redis again and again, and when something says that it changed. */
export interface RedisWatch extends AsyncDisposable {
  /** What is known now; `null` before the first run. */
  readonly report: Report | null
  /** The verdict for a readiness endpoint: synchronous, no I/O. */
  ready(): Readiness
  /** Until when no claim may be granted because records may be lost; `null` when there is no such time. */
  holdOff(): { untilMs: number; reason: string } | null
  /** A full run now; joins one that waits. An abort rejects this call with the reason and leaves the run alone. */
  recheck(options?: { signal?: AbortSignal }): Promise<Report>
  /** Tells of an error of a command; one that shows a change of Redis' state triggers a full run. Never throws. */
  noteError(error: unknown): void
  /** Listens to the events of this watch. Returns what ends it. */
  onEvent(listener: Listener): () => void
}

const JITTER = 0.2

/**
 * Runs all checks at once, then the fast ones and all of them at intervals, and all of them when the client reconnects, a
 * node comes or goes, or an error says so. On a suspected loss of records the idempotency profiles get a hold-off. It leaves
 * no timer, listener or socket behind when disposed of, and keeps no process alive.
 *
 * @throws `ERR_REDIS_CHECKS_OPTIONS` before any I/O
 * @example
 * await using watch = watchRedis(redis, { profile: 'idempotency.standard' })
 * if (watch.holdOff() !== null) return // no claim now
 */
export function watchRedis(redis: RedisClient, options: WatchOptions): RedisWatch {
  assertClient(redis)
  const resolved = resolveWatch(options)
  const plan = planDial(redis)
  return startWatch({ redis, options: resolved, plan, connections: createConnections(plan) })
}

interface Parts {
  readonly redis: RedisClient
  readonly options: ResolvedWatch
  readonly plan: ReturnType<typeof planDial>
  readonly connections: Connections
}

function startWatch(parts: Parts): RedisWatch {
  const { redis, options, connections } = parts
  const { clock } = options
  const listeners = new Set<Listener>()
  const emit = createEmit(options, listeners)
  const state = createWatchState(options)
  const holdOff = createHoldOff(clock, {
    started: (untilMs, reason) => emit({ type: 'hold-off-started', untilMs, reason, atMs: clock.now() }),
    ended: () => {
      emit({ type: 'hold-off-ended', atMs: clock.now() })
      health.note()
    },
  })
  const stopped = new AbortController()
  const health = createHealth({ options, state, holdOff: () => holdOff.current(), emit })
  const runner = createRunner({ parts, state, holdOff, emit, signal: stopped.signal })
  const queue = createRunQueue(clock, async kind => {
    const moved = await runner(kind)
    if (moved === undefined) return
    health.reported()
    if (moved) queue.trigger()
  })
  const stopTimers = startTimers(options, queue.ask)
  const stopListening = listenForTriggers(redis, () => queue.trigger())
  if (options.registry !== undefined) registerLevelMetric(options.registry, () => state.report)
  void queue.ask('full')

  async function dispose(): Promise<void> {
    stopped.abort(new Error('the watch is disposed of'))
    stopTimers()
    stopListening()
    holdOff.close()
    listeners.clear()
    connections.close()
    await queue.close()
    options.signal?.removeEventListener('abort', onAbort)
  }
  const onAbort = (): void => void dispose()
  if (options.signal?.aborted === true) onAbort()
  else options.signal?.addEventListener('abort', onAbort, { once: true })
  return {
    get report() {
      return state.report
    },
    ready: health.ready,
    holdOff: holdOff.current,
    recheck: ({ signal } = {}) => recheck(queue.ask, state, signal),
    noteError: error => (tellsOfChange(error) ? queue.trigger() : undefined),
    onEvent(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    [Symbol.asyncDispose]: dispose,
  }
}

function createEmit(options: ResolvedWatch, listeners: ReadonlySet<Listener>): (event: RedisChecksEvent) => void {
  const emit = redisChecksChannel.emitter(event => {
    options.onEvent?.(event)
    for (const listener of listeners) listener(event)
  })
  return event => emit(() => event)
}

/** Readiness as it is now, and an event when it changes. */
function createHealth(from: {
  readonly options: ResolvedWatch
  readonly state: WatchState
  readonly holdOff: HoldOff['current']
  readonly emit: (event: RedisChecksEvent) => void
}): { readonly ready: () => Readiness; note(): void; reported(): void } {
  const { options, state, holdOff, emit } = from
  const { clock, fastIntervalMs } = options
  let reportAtMs: number | null = null
  let status: ReadinessStatus = 'starting'
  const ready = (): Readiness => {
    const ageMs = reportAtMs === null ? null : clock.now() - reportAtMs
    return judgeReadiness({ report: state.report, ageMs, fastIntervalMs, holdOffUntilMs: holdOff()?.untilMs ?? null })
  }
  const note = (): void => {
    const now = ready().status
    if (now !== status) emit({ type: 'readiness-changed', from: status, to: now, atMs: clock.now() })
    status = now
  }
  return {
    ready,
    note,
    reported() {
      reportAtMs = clock.now()
      note()
    },
  }
}

/** One run and what follows from it: whether Redis moved, or `undefined` when the watch ended meanwhile. */
function createRunner(from: {
  readonly parts: Parts
  readonly state: WatchState
  readonly holdOff: HoldOff
  readonly emit: (event: RedisChecksEvent) => void
  readonly signal: AbortSignal
}): (kind: RunKind) => Promise<boolean | undefined> {
  const { parts, state, holdOff, emit, signal } = from
  const { options } = parts
  const { clock } = options
  let lastProbeMs = Number.NEGATIVE_INFINITY
  return async kind => {
    const fast = kind === 'fast'
    const probeDue = clock.monotonic() - lastProbeMs >= options.probeIntervalMs
    const writeProbe = options.writeProbe && !fast && probeDue
    if (writeProbe) lastProbeMs = clock.monotonic()
    const run = { ...parts, fast, writeProbe, refusedBefore: state.refusedBefore, markerTags: state.markerTags }
    let result: RunResult
    try {
      const runOptions = { ...options, previous: state.previous, signal, onEvent: emit }
      result = await runChecks({ ...run, options: runOptions, knownLosses: holdOff.losses() })
    } catch (error) {
      // It only rejects when the watch ends.
      if (signal.aborted) return undefined
      throw error
    }
    const { changes, appeared, gone, moved } = state.take(result, fast)
    const atMs = clock.now()
    for (const node of appeared) emit({ type: 'node-appeared', node, atMs })
    for (const node of gone) emit({ type: 'node-gone', node, atMs })
    for (const change of changes) emit({ type: 'changed', ...change, atMs })
    for (const { node, signal: what, suspected } of result.signals) {
      emit({ type: 'data-loss-suspected', node, signal: what, suspected, atMs })
    }
    startHoldOff(result, options, holdOff)
    return moved
  }
}

function startHoldOff({ signals, deployment }: RunResult, options: ResolvedWatch, holdOff: HoldOff): void {
  if (options.profile !== 'idempotency.strict' && options.profile !== 'idempotency.standard') return
  const [first] = signals
  if (first !== undefined) {
    holdOff.remember(signals)
    holdOff.start(options.holdOffMs, `${first.signal} on ${first.node}: ${first.suspected} may be lost`)
    return
  }
  if (options.profile !== 'idempotency.strict') return
  for (const { id, probe } of deployment.nodes) {
    if (probe?.marker.known !== true) continue
    const { createdMs, serverMs } = probe.marker.value
    const leftMs = options.holdOffMs - (serverMs - createdMs)
    if (leftMs > 0) holdOff.start(leftMs, `the marker on ${id} is younger than the hold-off`)
  }
}

function startTimers(options: ResolvedWatch, ask: (kind: RunKind) => Promise<void>): () => void {
  const { clock, random } = options
  const timers = new Map<RunKind, { cancel(): void }>()
  let stopped = false
  const jittered = (intervalMs: number): number => intervalMs * (1 + JITTER * (2 * random.float() - 1))
  function schedule(kind: RunKind, intervalMs: number): void {
    const timer = clock.setTimeout(
      () => {
        void ask(kind).finally(() => {
          if (!stopped) schedule(kind, intervalMs)
        })
      },
      jittered(intervalMs),
      { ref: false },
    )
    timers.set(kind, timer)
  }
  schedule('fast', options.fastIntervalMs)
  schedule('full', options.fullIntervalMs)
  return () => {
    stopped = true
    for (const timer of timers.values()) timer.cancel()
  }
}

function recheck(
  ask: (kind: RunKind) => Promise<void>,
  state: WatchState,
  signal: AbortSignal | undefined,
): Promise<Report> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason)
    const onAbort = (): void => reject(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    ask('full')
      .then(() => {
        if (state.report === null) reject(new Error('the watch is disposed of'))
        else resolve(state.report)
      }, reject)
      .finally(() => signal?.removeEventListener('abort', onAbort))
  })
}
