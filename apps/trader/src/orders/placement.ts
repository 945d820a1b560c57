/**
 * What became of an intent, as it is recorded and replayed. The answer of the exchange, its stream and its queries all
 * give this one shape, so the record says the same whoever closed it.
 */
export type Placement =
  | { readonly outcome: 'ordered'; readonly orderId: string }
  | { readonly outcome: 'refused'; readonly state: RefusedState; readonly reason: string }

export type RefusedState = 'DENIED' | 'REJECTED' | 'LAPSED'

/** Reads a recorded placement; `undefined` for anything else. */
export function placementOf(value: unknown): Placement | undefined {
  if (typeof value !== 'object' || value === null || !('outcome' in value)) return undefined
  if (value.outcome === 'ordered' && 'orderId' in value && typeof value.orderId === 'string') {
    return { outcome: 'ordered', orderId: value.orderId }
  }
  if (value.outcome !== 'refused' || !('state' in value) || !('reason' in value)) return undefined
  const { state, reason } = value
  if ((state !== 'DENIED' && state !== 'REJECTED' && state !== 'LAPSED') || typeof reason !== 'string') return undefined
  return { outcome: 'refused', state, reason }
}
