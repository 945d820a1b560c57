import {
  quantityForNotional,
  roundPrice,
  roundQuantity,
  type OrderType,
  type SymbolRules,
} from '../exchange/filters.ts'
import type { Bar, Signal } from '../strategy/strategy.ts'
import { intentId, type Intent } from './intent.ts'

export interface MintContext {
  readonly strategy: string
  readonly rules: SymbolRules
  readonly bar: Bar
  readonly orderType: OrderType
  readonly validUntilMs: number
}

/** Turns a signal into an intent. Everything but `validUntilMs` follows from the bar and the configuration alone. */
export function mintIntent(signal: Signal, context: MintContext): Intent {
  const { rules, bar, orderType, strategy } = context
  const name = { strategy, symbol: rules.symbol, barOpenMs: bar.openMs, leg: signal.leg, seq: signal.seq }
  const quantity =
    signal.wish.kind === 'quote'
      ? quantityForNotional(rules, orderType, signal.wish.amount, bar.close)
      : roundQuantity(rules, orderType, signal.wish.amount)
  const price = orderType === 'LIMIT' ? roundPrice(rules, signal.side, bar.close) : bar.close
  return {
    ...name,
    id: intentId(name),
    side: signal.side,
    type: orderType,
    quantity,
    price,
    validUntilMs: context.validUntilMs,
  }
}
