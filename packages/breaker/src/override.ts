import { createToken } from '@safety/redis-core'
import { z } from 'zod'

import { untilAborted } from './abort.ts'
import type { BreakerState } from './breaker-state.ts'
import { epochOf, remember, restand, tell } from './core.ts'
import type { Core, Origin } from './core.ts'
import { BreakerDisposedError, BreakerHeldError, BreakerLimitError, BreakerStoreError } from './errors.ts'
import { flush } from './flush.ts'
import type { BreakerRecord } from './history.ts'
import { MAX_RECORDS } from './history.ts'
import { DEADLINE_MS, pull } from './link-state.ts'
import type { LinkState, PendingCommand } from './link-state.ts'
import { ordersChanged, refresh, resetHere } from './moves.ts'
import { optionsError } from './options.ts'
import { MAX_HOLDERS, withOrder } from './orders.ts'
import { arrived, sendCommand } from './resend.ts'
import { learnReply, outcomeOf, storeFailed } from './store-health.ts'
import type { StoreReply } from './store.ts'
import { whoFields } from './who.ts'
import type { OverrideOrder, Who } from './who.ts'

/** What became of an order, a reset or a release. */
export interface OverrideReceipt {
  readonly id: string
  /** `process`: it holds here; the fleet gets it when Redis is back. */
  readonly reach: 'fleet' | 'process'
  readonly state: BreakerState
  readonly epoch: number
  /** Orders that a release ended. */
  readonly ended: number
  /** In force now, as far as this process knows. */
  readonly orders: readonly OverrideOrder[]
}

/** A breaker without or with a fleet, and how to look again when the next order ends. */
export interface Operated {
  readonly core: Core
  readonly link: LinkState | null
  readonly watchOrders: () => void
}

const MAX_FOR_MS = 604_800_000
const forceSchema = z.discriminatedUnion('target', [
  z.strictObject({ target: z.literal('closed'), ...whoFields }),
  z.strictObject({
    target: z.enum(['open', 'disabled']),
    ...whoFields,
    forMs: z.number().int().min(1_000).max(MAX_FOR_MS),
  }),
])
const releaseSchema = z.strictObject({ ...whoFields, holder: z.union([z.literal('*'), whoFields.by]).optional() })
const historySchema = z.strictObject({ limit: z.number().int().min(1).max(MAX_RECORDS) })

/** An order, or a reset. Never fails for want of Redis. */
export async function force(
  operated: Operated,
  target: unknown,
  order: unknown,
  signal: AbortSignal | undefined,
): Promise<OverrideReceipt> {
  const given = forceSchema.safeParse({ ...(order as object | null), target })
  if (!given.success) throw optionsError(given.error, 'order')
  const nowMs = begin(operated, signal)
  const { by, reason } = given.data
  const endsMs = given.data.target === 'closed' ? Infinity : nowMs + given.data.forMs
  const command: PendingCommand = {
    id: createToken(operated.core.options.random),
    target: given.data.target === 'open' ? 'forced-open' : given.data.target,
    by,
    reason,
    endsMs,
    left: false,
  }
  const { link } = operated
  if (link !== null && link.status !== 'away') {
    const receipt = await untilAborted(sendNow(operated, link, command, signal), signal)
    if (receipt !== null) return receipt
  }
  return holdHere(operated, command)
}

function begin({ core }: Operated, signal: AbortSignal | undefined): number {
  if (signal?.aborted) throw signal.reason
  if (core.disposed) throw new BreakerDisposedError(core.options.name)
  const nowMs = core.options.clock.monotonic()
  refresh(core, nowMs)
  return nowMs
}

/** Null when Redis cannot be had. */
async function sendNow(
  operated: Operated,
  link: LinkState,
  command: PendingCommand,
  signal: AbortSignal | undefined,
): Promise<OverrideReceipt | null> {
  const { core } = operated
  try {
    const reply = await unlessLost(link, () => sendCommand(link, command))
    if (reply.code === 'held') throw new BreakerHeldError(core.options.name, reply.orders)
    if (reply.code === 'full') throw new BreakerLimitError('holders', MAX_HOLDERS)
    arrived(link, command, reply)
    return receiptOf(core, command.id, 'fleet', 0)
  } catch (error) {
    if (error instanceof BreakerHeldError || error instanceof BreakerLimitError) throw error
    // Nobody waits for it any more, so nothing is held: the caller was told that it may or may not be in force.
    if (signal?.aborted) return null
    storeGone(link, error)
    command.left = outcomeOf(error) === 'unknown'
    return null
  }
}

function storeGone(link: LinkState, error: unknown): void {
  const nowMs = link.core.options.clock.monotonic()
  storeFailed(link, error, nowMs)
  pull(link, nowMs)
}

/** Redis has lost its state, or never had one: this process brings it back first. */
async function unlessLost(link: LinkState, send: () => Promise<StoreReply>): Promise<StoreReply> {
  const reply = await send()
  if (reply.code !== 'lost') return reply
  await flush(link)
  const again = await send()
  if (again.code === 'lost') throw new Error('the state was lost again between two commands')
  return again
}

function holdHere({ core, link, watchOrders }: Operated, command: PendingCommand): OverrideReceipt {
  const { clock, name } = core.options
  const nowMs = clock.monotonic()
  const { id, target, by, reason, endsMs } = command
  const inForce = core.held.filter(held => held.endsMs > nowMs)
  if (target === 'closed') {
    const orders = inForce.map(({ order }) => order)
    if (orders.length > 0) throw new BreakerHeldError(name, orders)
    resetHere(core, nowMs, by, reason)
  } else {
    const others = new Set(inForce.map(({ order }) => order.by))
    if (!others.has(by) && others.size >= MAX_HOLDERS) throw new BreakerLimitError('holders', MAX_HOLDERS)
    const at = clock.now()
    const order: OverrideOrder = { id, by, reason, target, at, ends: at + Math.round(endsMs - nowMs) }
    core.held = withOrder(core.held, { order, endsMs, here: true })
    remember(core, { kind: 'ordered', by, reason, target, ends: order.ends })
    tell(core, operatorOrigin(core), () => ({ type: 'override-set', order }))
    ordersChanged(core, nowMs, 'forced')
  }
  if (link !== null) {
    const older = link.commands.findIndex(
      other => other.by === by && (other.target === 'closed') === (target === 'closed'),
    )
    if (older !== -1) link.commands.splice(older, 1)
    link.commands.push(command)
    pull(link, nowMs)
  }
  watchOrders()
  return receiptOf(core, id, 'process', 0)
}

function operatorOrigin(core: Core): Origin {
  return { scope: 'operator', epoch: epochOf(core), first: true }
}

function receiptOf(core: Core, id: string, reach: OverrideReceipt['reach'], ended: number): OverrideReceipt {
  const nowMs = core.options.clock.monotonic()
  const orders = core.held.filter(({ endsMs }) => endsMs > nowMs).map(({ order }) => ({ ...order }))
  return { id, reach, state: core.standing.state, epoch: epochOf(core), ended, orders }
}

/** Ends orders of one holder or of all. Without Redis only those that never left this process. */
export async function release(
  operated: Operated,
  order: unknown,
  signal: AbortSignal | undefined,
): Promise<OverrideReceipt> {
  const given = releaseSchema.safeParse(order)
  if (!given.success) throw optionsError(given.error, 'order')
  begin(operated, signal)
  const { core, link } = operated
  const who = { by: given.data.by, reason: given.data.reason }
  const holder = given.data.holder ?? who.by
  const id = createToken(core.options.random)
  if (link === null) return receiptOf(core, id, 'process', endHere(operated, holder, who, 'all'))
  let failure: unknown
  if (link.status !== 'away') {
    const send = (): Promise<StoreReply> => link.store.release({ id, holder, ...who }, DEADLINE_MS)
    try {
      const reply = await untilAborted(unlessLost(link, send), signal)
      const ended = reply.ended + endHere(operated, holder, who, 'all')
      learnReply(link, reply, core.options.clock.monotonic(), { released: who })
      return receiptOf(core, id, 'fleet', ended)
    } catch (error) {
      if (signal?.aborted) throw error
      storeGone(link, error)
      failure = error
    }
  }
  const ended = endHere(operated, holder, who, 'unsent')
  if (ended > 0) return receiptOf(core, id, 'process', ended)
  const outcome = failure === undefined ? 'not-run' : outcomeOf(failure)
  throw new BreakerStoreError(core.options.name, 'the release', outcome, failure)
}

/** Ends orders that were given here and are not known to be in Redis: all, or those that never left. Returns how many. */
function endHere(
  { core, link, watchOrders }: Operated,
  holder: string,
  { by, reason }: Who,
  which: 'all' | 'unsent',
): number {
  const nowMs = core.options.clock.monotonic()
  const left = new Set(link?.commands.filter(command => command.left && which === 'unsent').map(command => command.id))
  const over = core.held.filter(
    ({ order, here }) => here && !left.has(order.id) && (holder === '*' || order.by === holder),
  )
  if (over.length === 0) return 0
  core.held = core.held.filter(held => !over.includes(held))
  for (const { order } of over) {
    const index = link?.commands.findIndex(command => command.id === order.id) ?? -1
    if (index !== -1) link?.commands.splice(index, 1)
    remember(core, { kind: 'released', holder: order.by, target: order.target, by, reason })
    tell(core, operatorOrigin(core), () => ({ type: 'override-ended', order, how: 'released', by, reason }))
  }
  ordersChanged(core, nowMs, 'released')
  restand(core, nowMs)
  watchOrders()
  return over.length
}

/** The newest records first. */
export async function history(
  { core, link }: Operated,
  limit: number | undefined,
  signal: AbortSignal | undefined,
): Promise<BreakerRecord[]> {
  const given = historySchema.safeParse({ limit: limit ?? MAX_RECORDS })
  if (!given.success) throw optionsError(given.error)
  if (signal?.aborted) throw signal.reason
  if (core.disposed) throw new BreakerDisposedError(core.options.name)
  if (link === null) return core.records.slice(0, limit).map(record => ({ ...record }))
  try {
    return await untilAborted(link.store.history(given.data.limit, DEADLINE_MS), signal)
  } catch (error) {
    if (signal?.aborted) throw error
    storeFailed(link, error, core.options.clock.monotonic())
    throw new BreakerStoreError(core.options.name, 'reading the history', outcomeOf(error), error)
  }
}
