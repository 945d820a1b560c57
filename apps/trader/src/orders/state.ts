import type { Placement } from './placement.ts'

/** Where an intent stands. */
export const intentStates = [
  'PROPOSED',
  'RESERVED',
  'SENT',
  'UNKNOWN',
  'STUCK',
  'ABSENT',
  'DENIED',
  'REJECTED',
  'LAPSED',
  'ACCEPTED',
  'PARTIAL',
  'CANCELED',
  'EXPIRED',
  'FILLED',
] as const
export type IntentState = (typeof intentStates)[number]

export type OrderStatus = 'NEW' | 'PARTIALLY_FILLED' | 'FILLED' | 'CANCELED' | 'EXPIRED' | 'REJECTED'

/** What the audit reads in a state: an order exists, it was refused for good, or nobody knows. */
export type Belief = 'ordered' | 'refused' | 'unknown'

export function beliefOf(state: IntentState): Belief {
  switch (state) {
    case 'ACCEPTED':
    case 'PARTIAL':
    case 'CANCELED':
    case 'EXPIRED':
    case 'FILLED':
      return 'ordered'
    case 'DENIED':
    case 'REJECTED':
    case 'LAPSED':
      return 'refused'
    case 'PROPOSED':
    case 'RESERVED':
    case 'SENT':
    case 'UNKNOWN':
    case 'STUCK':
    case 'ABSENT':
      return 'unknown'
    default:
      return state satisfies never
  }
}

/** The intent's state for an order's status. An unknown status says no more than that the order exists. */
export function stateOfOrder(status: string): IntentState {
  switch (status as OrderStatus) {
    case 'PARTIALLY_FILLED':
      return 'PARTIAL'
    case 'FILLED':
      return 'FILLED'
    case 'CANCELED':
      return 'CANCELED'
    case 'EXPIRED':
      return 'EXPIRED'
    case 'NEW':
    case 'REJECTED':
    default:
      return 'ACCEPTED'
  }
}

/** The placement a state stands for, if it is decided. */
export function placementIn(state: IntentState, reason: string, orderId: string): Placement | undefined {
  switch (beliefOf(state)) {
    case 'ordered':
      return { outcome: 'ordered', orderId }
    case 'refused':
      return { outcome: 'refused', state: state as 'DENIED' | 'REJECTED' | 'LAPSED', reason }
    case 'unknown':
      return undefined
    default:
      return undefined
  }
}
