import { adopt } from './adoption.ts'
import type { News } from './adoption.ts'
import { FAILED, IGNORED, OK, REJECTED, TIMED_OUT, restand, tell, tellFact } from './core.ts'
import { pull } from './link-state.ts'
import type { LinkState } from './link-state.ts'
import { standInForFleet } from './own-part.ts'
import type { SharedMove, StoreMessage, StoreReply } from './store.ts'
import type { Who } from './who.ts'

const HEARTBEAT_MS = 5_000
const HEARTBEAT_JITTER = 0.15
const AWAKE_MS = 60_000
/** Cells that move with every call. */
const COUNTED = [OK, FAILED, IGNORED, REJECTED, TIMED_OUT]

/** What is known of a command that failed. */
export function outcomeOf(error: unknown): 'not-run' | 'unknown' {
  return (error as { outcome?: unknown } | null)?.outcome === 'not-run' ? 'not-run' : 'unknown'
}

function codeOf(error: unknown): string {
  const { redisCode, code } = (error ?? {}) as { redisCode?: string; code?: string }
  return redisCode ?? code ?? 'ERR_REDIS_UNKNOWN'
}

/** A command failed. The first of them makes this process decide alone. */
export function storeFailed(link: LinkState, error: unknown, nowMs: number): void {
  link.first.resolve('local')
  if (link.core.disposed || link.status === 'away') return
  link.status = 'away'
  link.awaySinceMs = nowMs
  link.failures = 0
  const code = codeOf(error)
  tellFact(link.core, () => ({ type: 'degraded', code }))
  standIn(link, nowMs)
}

/** Redis is away and the fleet is open: the own part tries recovery, a random while after the fleet would have. */
function standIn({ core, status }: LinkState, nowMs: number): void {
  const { fleet, own, options } = core
  if (status !== 'away' || fleet === null || fleet.epoch === 0 || fleet.standIn || options.mode === 'advisory') return
  const { phase } = fleet
  if (phase.kind !== 'open' && phase.kind !== 'half-open') return
  standInForFleet(own, phase.kind === 'open' ? phase.dueMs : nowMs, options)
  fleet.standIn = true
  restand(core, nowMs)
}

function storeAnswered(link: LinkState, nowMs: number): void {
  link.first.resolve('fleet')
  const wasAway = link.status === 'away'
  link.status = 'up'
  if (!wasAway) return
  const awayMs = nowMs - link.awaySinceMs
  tellFact(link.core, () => ({ type: 'recovered', awayMs }))
  if (link.flushing !== null) return
  pull(link, nowMs)
}

/** What a request of this process did that its reply does not name. */
export interface Requested {
  readonly setId?: string
  readonly released?: Who
}

/** Takes in a reply: Redis is there, and this is what it says. */
export function learnReply(link: LinkState, reply: StoreReply, nowMs: number, requested: Requested = {}): void {
  storeAnswered(link, nowMs)
  if (reply.epoch === 0) return
  const here = { moved: reply.moved, ended: reply.ended > 0, set: requested.setId ?? null }
  const released = requested.released ?? releasedBy(reply.move)
  learn(link, { from: 'reply', shared: reply, move: reply.move, here, released }, nowMs)
  if (reply.reseeded) tellReseeded(link, reply.nowMs, true)
}

/** Takes in a message. Commands may fail all the same, so it says nothing about whether Redis is away. */
export function learnMessage(link: LinkState, message: StoreMessage, nowMs: number): void {
  const own = message.instance === link.core.options.instance
  const here = { moved: own, ended: own, set: own ? '*' : null }
  const released = releasedBy(message.move)
  learn(link, { from: 'message', shared: message, move: message.move, here, released }, nowMs)
  if (message.kind === 'reseeded') tellReseeded(link, message.nowMs, own)
}

function releasedBy(move: SharedMove | null): Who | null {
  const isRelease = move !== null && (move.kind === 'released' || move.why === 'released')
  return isRelease ? { by: move.by, reason: move.reason } : null
}

function learn(link: LinkState, news: News, nowMs: number): void {
  const { core } = link
  if (core.disposed) return
  if (adopt(core, news, nowMs)) {
    link.inDoubt = null
    link.askFromMs = nowMs
    standIn(link, nowMs)
    if (core.standing.state !== 'closed') wakeUp(link, nowMs)
  }
  link.plan()
}

function tellReseeded(link: LinkState, serverMs: number, first: boolean): void {
  const { core } = link
  if (core.disposed || link.reseededMs === serverMs) return
  link.reseededMs = serverMs
  tell(core, { scope: 'fleet', epoch: core.fleet?.epoch ?? 0, first }, () => ({ type: 'reseeded' }))
}

/** Heartbeats run again. */
export function wakeUp(link: LinkState, nowMs: number): void {
  if (!link.asleep) return
  link.asleep = false
  restand(link.core, nowMs)
  pull(link, heartbeatMs(link, nowMs))
}

function heartbeatMs({ core }: LinkState, nowMs: number): number {
  return nowMs + HEARTBEAT_MS * (1 + HEARTBEAT_JITTER * (2 * core.options.random.float() - 1))
}

/** The next heartbeat; none once nothing has been called for 60 s while closed. */
export function planHeartbeat(link: LinkState, nowMs: number): void {
  const { core } = link
  let calls = core.inFlight
  for (const cell of COUNTED) calls += core.totals[cell] as number
  if (calls !== link.callsSeen || core.standing.state !== 'closed') link.lastCallMs = nowMs
  link.callsSeen = calls
  if (nowMs - link.lastCallMs < AWAKE_MS) return pull(link, heartbeatMs(link, nowMs))
  if (link.flushDueMs < Infinity) return
  link.asleep = true
  restand(core, nowMs)
}
