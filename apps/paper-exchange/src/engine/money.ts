import { Big } from 'big.js'

/** A private constructor, so that no other part of the process can change its mode: strict (no floats come in), 8 places on paper. */
const Decimal = Big()
Decimal.strict = true
Decimal.RM = Big.roundDown

export type Money = Big

/** Reads a decimal string. @throws Error on anything else. */
export function money(text: string): Money {
  return Decimal(text)
}

export const ZERO: Money = money('0')

/** Eight decimals, the rest cut off. */
export function print(value: Money): string {
  return value.toFixed(8, Big.roundDown)
}

/** The largest multiple of `step` that is not above `value`. */
export function floorTo(value: Money, step: Money): Money {
  return value.minus(value.mod(step))
}

/** The nearest multiple of `step`, halves away from zero. */
export function roundTo(value: Money, step: Money): Money {
  return value.div(step).round(0, Big.roundHalfUp).times(step)
}

export function least(left: Money, right: Money): Money {
  return left.lt(right) ? left : right
}

/** `units` steps of a step with `decimals` places, printed with eight; whole and safe `units` only. Far faster than a product. */
export function printSteps(units: number, decimals: number): string {
  const digits = String(units).padStart(decimals + 1, '0')
  const split = digits.length - decimals
  return `${digits.slice(0, split)}.${digits.slice(split).padEnd(8, '0')}`
}

/** Number of decimals of a step such as 0.01. */
export function decimalsOf(step: Money): number {
  return step.toFixed().split('.')[1]?.length ?? 0
}

/** All digits of `value`, at least eight decimals. */
export function printExact(value: Money): string {
  const text = value.toFixed()
  const decimals = text.split('.')[1]?.length ?? 0
  return value.toFixed(Math.max(8, decimals))
}
