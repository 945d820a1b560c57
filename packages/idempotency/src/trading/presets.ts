import type { EffectOptions, Recovery } from '../effect.ts'
import { optionError } from '../errors.ts'
import { ledgerWriteKey, orderKey, pnlWriteKey, positionUpdateKey, tradeStateKey } from './keys.ts'
import type { LedgerEntry, OrderIntent, PnlRevision, PositionEvent, TradeTransition } from './keys.ts'
import { orderFingerprint } from './order-fingerprint.ts'
import type { OrderTerms } from './order-fingerprint.ts'

/** What a preset leaves to its user: `run`, `recovery`, and anything of `EffectOptions` that is to differ. */
export type Preset<I, T, R = Recovery<T>> = Omit<EffectOptions<I, T>, 'name' | 'key' | 'recovery'> &
  Partial<Pick<EffectOptions<I, T>, 'name' | 'key'>> & { recovery: R }

/** For inputs that do not carry the parts of the key. */
export type PresetWithKey<I, T, R = Recovery<T>> = Preset<I, T, R> & Pick<EffectOptions<I, T>, 'key'>

/** An order is never sent again without a verdict: venues free client order ids once an order is filled. */
export type OrderRecovery<T> = Exclude<Recovery<T>, { mode: 'repeat' }>

/**
 * `order_placement`: key `orderKey`, fingerprint `orderFingerprint` of the input.
 *
 * @throws `ERR_IDEMPOTENCY_OPTIONS` for recovery mode `repeat`
 * @example
 * const place = idem.define(orderPlacement({ recovery: { mode: 'reconcile', lookup, settleMs: 35_000 }, run: send }))
 * await place({ strategy: 'pulse', intentId: 'i-7', symbol: 'BTCUSDT', side: 'BUY', quantity: '0.5' })
 */
export function orderPlacement<I extends OrderIntent & OrderTerms, T>(
  preset: Preset<I, T, OrderRecovery<T>>,
): EffectOptions<I, T>
export function orderPlacement<I, T>(
  preset: PresetWithKey<I, T, OrderRecovery<T>> & { fingerprint: false | ((input: I) => unknown) },
): EffectOptions<I, T>
export function orderPlacement<I, T>(preset: Preset<I, T>): EffectOptions<I, T> {
  if (preset.recovery?.mode === 'repeat') {
    throw optionError('recovery', `'repeat' would send an order again: use 'reconcile' with a lookup, or 'manual'`)
  }
  const fingerprint = preset.fingerprint ?? (orderFingerprint as (input: I) => unknown)
  return effectOf('order_placement', orderKey, { ...preset, fingerprint })
}

/** `position_update`: key `positionUpdateKey` of the input, the whole input as fingerprint. */
export function positionUpdate<I extends PositionEvent, T>(preset: Preset<I, T>): EffectOptions<I, T>
export function positionUpdate<I, T>(preset: PresetWithKey<I, T>): EffectOptions<I, T>
export function positionUpdate<I, T>(preset: Preset<I, T>): EffectOptions<I, T> {
  return effectOf('position_update', positionUpdateKey, preset)
}

/** `pnl_write`: key `pnlWriteKey` of the input; an upsert by trade and revision, so `recovery` defaults to `repeat`. */
export function pnlWrite<I extends PnlRevision, T>(
  preset: Omit<Preset<I, T>, 'recovery'> & { recovery?: Recovery<T> | undefined },
): EffectOptions<I, T>
export function pnlWrite<I, T>(
  preset: Omit<PresetWithKey<I, T>, 'recovery'> & { recovery?: Recovery<T> | undefined },
): EffectOptions<I, T>
export function pnlWrite<I, T>(
  preset: Omit<Preset<I, T>, 'recovery'> & { recovery?: Recovery<T> | undefined },
): EffectOptions<I, T> {
  return effectOf<I, T>('pnl_write', pnlWriteKey, {
    ...preset,
    recovery: preset.recovery ?? { mode: 'repeat' },
  })
}

/** `ledger_write`: key `ledgerWriteKey` of the input, the whole input as fingerprint. */
export function ledgerWrite<I extends LedgerEntry, T>(preset: Preset<I, T>): EffectOptions<I, T>
export function ledgerWrite<I, T>(preset: PresetWithKey<I, T>): EffectOptions<I, T>
export function ledgerWrite<I, T>(preset: Preset<I, T>): EffectOptions<I, T> {
  return effectOf('ledger_write', ledgerWriteKey, preset)
}

/** `trade_state_write`: key `tradeStateKey` of the input, the whole input as fingerprint. */
export function tradeStateWrite<I extends TradeTransition, T>(preset: Preset<I, T>): EffectOptions<I, T>
export function tradeStateWrite<I, T>(preset: PresetWithKey<I, T>): EffectOptions<I, T>
export function tradeStateWrite<I, T>(preset: Preset<I, T>): EffectOptions<I, T> {
  return effectOf('trade_state_write', tradeStateKey, preset)
}

/** Inputs without the parts of the key come with a `key` of their own, or the key function throws and nothing runs. */
function effectOf<I, T>(name: string, key: (parts: never) => string, preset: Preset<I, T>): EffectOptions<I, T> {
  return { ...preset, name: preset.name ?? name, key: preset.key ?? (key as (input: unknown) => string) }
}
