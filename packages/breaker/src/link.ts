import type { Clock } from '@safety/redis-core'

import type { Core } from './core.ts'
import type { FleetLink } from './fleet-link.ts'
import { flush, flushSoon } from './flush.ts'
import { pull } from './link-state.ts'
import type { LinkState } from './link-state.ts'
import { refresh } from './moves.ts'
import { nextEndMs } from './orders.ts'
import { askForProbe, askInMs, deliverVerdict, settleProbe } from './probing.ts'
import type { Job, Scheduler } from './scheduler.ts'
import { learnMessage, wakeUp } from './store-health.ts'
import type { BreakerStore, StoreMessage } from './store.ts'

const CONNECT_JITTER_MS = 100
const REPORT_JITTER_MS = 20
/** Members that are silent for longer are forgotten, so nobody waits for their report. */
const MEMBER_MS = 15_000

/** A breaker's connection to the fleet, as long as it lives. */
export interface Link {
  readonly state: LinkState
  /** Gives leases back and ends every timer and listener. */
  close(): Promise<void>
}

/** Joins the fleet: reports at once, listens, and keeps the heartbeat. */
export function openLink(core: Core, store: BreakerStore, scheduler: Scheduler): Link {
  const { clock, random } = core.options
  const job: Job = { run: nowMs => tick(state, nowMs) }
  const state = createState(core, store, clock, () => schedule(state, scheduler, job))
  core.link = linkOf(state)
  const soon = (jitterMs: number): void => {
    if (!core.disposed) pull(state, clock.monotonic() + random.float() * jitterMs)
  }
  const leave = store.join({
    connected: () => soon(CONNECT_JITTER_MS),
    message: message => onMessage(state, message, soon),
  })
  pull(state, clock.monotonic())
  return { state, close: () => close(state, leave, () => scheduler.remove(job)) }
}

function createState(core: Core, store: BreakerStore, clock: Clock, plan: () => void): LinkState {
  const nowMs = clock.monotonic()
  return {
    core,
    store,
    plan,
    first: Promise.withResolvers(),
    status: 'unknown',
    asleep: false,
    awaySinceMs: 0,
    failures: 0,
    flushDueMs: Infinity,
    lastFlushMs: nowMs,
    flushing: null,
    batchNumber: 0,
    inDoubt: null,
    callsSeen: 0,
    lastCallMs: nowMs,
    asking: false,
    token: null,
    askFromMs: 0,
    slots: new Set(),
    undelivered: [],
    commands: [],
    otherConfig: false,
    reseededMs: 0,
  }
}

function linkOf(state: LinkState): FleetLink {
  return {
    get status() {
      return state.status
    },
    get asleep() {
      return state.asleep
    },
    wake(nowMs) {
      wakeUp(state, nowMs)
      pull(state, nowMs)
    },
    counted: nowMs => flushSoon(state, nowMs),
    report(nowMs) {
      if (state.status !== 'away') pull(state, nowMs)
    },
    askInMs: nowMs => askInMs(state, nowMs),
    ask: () => askForProbe(state),
    settle: (slot, verdict, durationMs) => settleProbe(state, slot, verdict, durationMs),
  }
}

function schedule(state: LinkState, scheduler: Scheduler, job: Job): void {
  const { core } = state
  if (core.disposed) return
  const endsMs = nextEndMs(core.held, core.options.clock.monotonic())
  scheduler.schedule(job, Math.min(endsMs, state.flushing === null ? state.flushDueMs : Infinity))
}

function tick(state: LinkState, nowMs: number): void {
  if (state.core.disposed) return
  refresh(state.core, nowMs)
  if (state.flushDueMs <= nowMs) void flush(state)
  state.plan()
}

function onMessage(state: LinkState, message: StoreMessage, soon: (jitterMs: number) => void): void {
  const { core } = state
  if (core.disposed) return
  const nowMs = core.options.clock.monotonic()
  learnMessage(state, message, nowMs)
  if (message.kind === 'free') state.askFromMs = nowMs
  if (message.kind === 'report' && nowMs - state.lastFlushMs < MEMBER_MS && state.status !== 'away')
    soon(REPORT_JITTER_MS)
}

async function close(state: LinkState, leave: () => void, unschedule: () => void): Promise<void> {
  leave()
  unschedule()
  state.first.resolve('local')
  const verdicts = [...state.slots].map(slot => deliverVerdict(state, { slot, verdict: 'void', durationMs: 0 }))
  await Promise.all([...verdicts, state.flushing])
}
