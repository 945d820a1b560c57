import { failpoint, registerFailpoints } from '@safety/redis-core'

import { tellFact } from './core.ts'
import type { Core } from './core.ts'
import { sharedState } from './fleet-view.ts'
import { DEADLINE_MS, FIRST_DEADLINE_MS, pull } from './link-state.ts'
import type { LinkState, NumberedBatch } from './link-state.ts'
import { redeliver } from './probing.ts'
import { resend } from './resend.ts'
import { strain } from './rules.ts'
import { learnReply, outcomeOf, planHeartbeat, storeFailed } from './store-health.ts'
import type { FlushRequest, StoreReply } from './store.ts'
import { batchRows, fastCounts, longCounts, markSent, takeBatch } from './window.ts'

declare module '@safety/redis-core' {
  interface FailpointRegistry {
    'breaker:before-flush': true
  }
}
registerFailpoints(['breaker:before-flush'])

const AFTER_FAILURE_MS = 20
const USUAL_GAP_MS = 250
const CONFIRM_MS = 152
const FIRST_RETRY_MS = 250
const MAX_RETRY_MS = 5_000
const HALF_THE_LIMIT = 0.5

/** Reports and polls, unless a flush is under way already: that one is waited for. Never rejects. */
export function flush(link: LinkState): Promise<void> {
  link.flushing ??= flushOnce(link).finally(() => {
    link.flushing = null
    link.plan()
  })
  return link.flushing
}

async function flushOnce(link: LinkState): Promise<void> {
  const { clock } = link.core.options
  link.flushDueMs = Infinity
  let sent: NumberedBatch | null = null
  let reply: StoreReply
  try {
    const stop = failpoint('breaker:before-flush')
    if (stop) await stop
    const nowMs = clock.monotonic()
    link.lastFlushMs = nowMs
    sent = link.inDoubt ?? { number: (link.batchNumber += 1), batch: takeBatch(link.core.windows, nowMs) }
    // Until the reply says otherwise: a move that is learnt meanwhile drops it.
    link.inDoubt = sent
    const deadlineMs = link.status === 'unknown' ? FIRST_DEADLINE_MS : DEADLINE_MS
    reply = await link.store.flush(requestOf(link, sent, nowMs), deadlineMs)
  } catch (error) {
    return flushFailed(link, sent, error, clock.monotonic())
  }
  if (!link.core.disposed) flushed(link, sent, reply, clock.monotonic())
}

function requestOf({ core }: LinkState, { number, batch }: NumberedBatch, nowMs: number): FlushRequest {
  const { own, options, windows } = core
  const fleet = core.fleet
  const rows = batchRows(windows, batch, nowMs)
  const opened = own.phase.kind === 'open' || own.phase.kind === 'half-open'
  const standsIn = fleet?.standIn ?? false
  return {
    batch: number,
    epoch: fleet?.epoch ?? 0,
    ...(fleet === null ? ({ state: 'closed', leftMs: 0 } as const) : sharedState(fleet, nowMs)),
    opens: fleet?.opens ?? 0,
    orders: core.held.filter(({ here, endsMs }) => !here && endsMs > nowMs).map(({ order }) => order),
    proved: standsIn && !opened,
    hint: options.mode === 'advisory',
    active: opened || rows.long.some(count => count > 0),
    failing: opened || strainOf(core, nowMs) >= 1,
    // While it stands in for an open fleet its phase is no evidence of its own.
    opened: opened && !standsIn,
    long: rows.long,
    fast: rows.fast,
  }
}

function strainOf({ windows, limits }: Core, nowMs: number): number {
  return strain(longCounts(windows, nowMs), fastCounts(windows, nowMs), limits)
}

function flushFailed(link: LinkState, sent: NumberedBatch | null, error: unknown, nowMs: number): void {
  // What never left is part of the next difference; what may have been counted goes again under its number.
  if (sent === null || outcomeOf(error) === 'not-run') link.inDoubt = null
  storeFailed(link, error, nowMs)
  if (link.core.disposed) return
  const ceilingMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** link.failures)
  link.failures = Math.min(link.failures + 1, 10)
  link.flushDueMs = nowMs + ceilingMs * link.core.options.random.float()
}

function flushed(link: LinkState, sent: NumberedBatch, reply: StoreReply, nowMs: number): void {
  const { core } = link
  link.failures = 0
  // Null when a move was learnt meanwhile: the windows are of another epoch.
  const counted = reply.code === 'counted' || reply.code === 'no-quorum' || reply.code === 'confirm'
  if (counted && link.inDoubt === sent) markSent(core.windows, sent.batch)
  link.inDoubt = null
  if (core.fleet !== null) {
    const [alive, active, failing] = reply.counts
    core.fleet.members = { alive, active, failing }
  }
  learnReply(link, reply, nowMs)
  const other = reply.code === 'other-config'
  if (other && !link.otherConfig) tellFact(core, () => ({ type: 'other-config' }))
  link.otherConfig = other
  if (reply.code === 'confirm') pull(link, nowMs + CONFIRM_MS)
  else planHeartbeat(link, nowMs)
  redeliver(link, nowMs)
  resend(link)
}

/** A failure or slow call was counted: the fleet hears of it soon, and sooner the nearer a limit is. */
export function flushSoon(link: LinkState, nowMs: number): void {
  if (link.status === 'away' || link.flushDueMs <= nowMs + AFTER_FAILURE_MS) return
  const near = strainOf(link.core, nowMs) >= HALF_THE_LIMIT
  const alive = link.core.fleet?.members?.alive ?? 1
  const gapMs = near ? Math.max(AFTER_FAILURE_MS, alive / 2) : USUAL_GAP_MS
  pull(link, Math.max(nowMs + AFTER_FAILURE_MS, link.lastFlushMs + gapMs))
}
