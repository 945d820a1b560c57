import type { OverrideOrder } from './who.ts'

/** Orders of this many holders at most. */
export const MAX_HOLDERS = 16

/** An order as this process holds it. */
export interface HeldOrder {
  readonly order: OverrideOrder
  /** Its end on this process's monotonic clock. */
  readonly endsMs: number
  /** Given here and not yet known to be in Redis. */
  readonly here: boolean
}

/** What the operator's part asks for now. */
export interface Forced {
  readonly target: OverrideOrder['target']
  /** The latest end among the orders of this target, monotonic ms. */
  readonly endsMs: number
  readonly order: OverrideOrder
}

/** The order in effect: forced-open beats disabled, the one that ends last speaks for its kind. */
export function forcedBy(held: readonly HeldOrder[], nowMs: number): Forced | null {
  let forced: Forced | null = null
  for (const { order, endsMs } of held) {
    if (endsMs <= nowMs) continue
    const beats = forced === null || (order.target === 'forced-open' && forced.target === 'disabled')
    if (beats || (order.target === forced?.target && endsMs > forced.endsMs)) {
      forced = { target: order.target, endsMs, order }
    }
  }
  return forced
}

/** When the next order ends, monotonic ms; Infinity without orders. */
export function nextEndMs(held: readonly HeldOrder[], nowMs: number): number {
  let next = Infinity
  for (const { endsMs } of held) if (endsMs > nowMs && endsMs < next) next = endsMs
  return next
}

/** Adds an order; one of the same holder and origin is replaced. */
export function withOrder(held: readonly HeldOrder[], added: HeldOrder): HeldOrder[] {
  return [...held.filter(({ order, here }) => here !== added.here || order.by !== added.order.by), added]
}

/** What changed when the fleet's list replaced the one known here. */
export interface OrderChanges {
  readonly held: readonly HeldOrder[]
  readonly set: readonly OverrideOrder[]
  /** Holders without an order now. */
  readonly ended: readonly OverrideOrder[]
}

/**
 * Replaces the fleet's orders. Those given here stay until the fleet's list has them. An order with the same id is no
 * news; a holder whose order was replaced has not ended.
 */
export function replaceFleetOrders(
  held: readonly HeldOrder[],
  orders: readonly OverrideOrder[],
  nowMs: number,
  serverNowMs: number,
): OrderChanges {
  const known = new Set(held.map(({ order }) => order.id))
  const arrived = new Set(orders.map(order => order.id))
  const holders = new Set(orders.map(order => order.by))
  const here = held.filter(({ order, here: only }) => only && !arrived.has(order.id))
  for (const { order } of here) holders.add(order.by)
  const fleet = orders.map(order => ({ order, endsMs: nowMs + (order.ends - serverNowMs), here: false }))
  return {
    held: [...fleet, ...here],
    set: orders.filter(order => !known.has(order.id)),
    ended: held.filter(({ order, here: only }) => !only && !holders.has(order.by)).map(({ order }) => order),
  }
}
