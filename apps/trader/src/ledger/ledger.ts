import { fromUnits, sumUnits, negated } from './units.ts'

/** Amounts by asset in 1e-8 units. */
export type Amounts = Readonly<Record<string, string>>

/** Exchange balance less baseline and ledger, per asset that differs, as decimals. Empty is no drift. */
export function driftOf(balances: Amounts, baseline: Amounts, ledger: Amounts): Record<string, string> {
  const drift: Record<string, string> = {}
  for (const asset of new Set([...Object.keys(balances), ...Object.keys(baseline), ...Object.keys(ledger)])) {
    const expected = sumUnits(baseline[asset] ?? '0', ledger[asset] ?? '0')
    const difference = sumUnits(balances[asset] ?? '0', negated(expected))
    if (difference !== '0') drift[asset] = fromUnits(difference)
  }
  return drift
}
