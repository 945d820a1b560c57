import { Big } from 'big.js'

const scale = 8

/** A decimal amount in whole 1e-8 units, as text. Digits beyond the eighth are cut off toward zero. */
export function toUnits(amount: string): string {
  const units = new Big(amount).times(`1e${scale}`).round(0, Big.roundDown)
  return units.eq(0) ? '0' : units.toFixed()
}

/** Whole 1e-8 units as a decimal with eight digits. */
export function fromUnits(units: string): string {
  return new Big(units).div(`1e${scale}`).toFixed(scale)
}

/** The negative of an amount in units. */
export function negated(units: string): string {
  if (units === '0') return '0'
  return units.startsWith('-') ? units.slice(1) : `-${units}`
}

/** The sum of amounts in units, exact at any size. */
export function sumUnits(...amounts: readonly string[]): string {
  return String(amounts.reduce((sum, units) => sum + BigInt(units), 0n))
}
