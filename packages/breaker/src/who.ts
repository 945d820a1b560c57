import { z } from 'zod'

/** Who gives an order, and why. Both stand in the history and in events. */
export interface Who {
  /** 1..128 characters: a person, or the name of a calendar or runbook. Orders are held per `by`. */
  readonly by: string
  /** 1..512 characters. */
  readonly reason: string
}

/** An order of an operator, in force from `at` to `ends` unless it is released. */
export interface OverrideOrder extends Who {
  readonly id: string
  readonly target: 'forced-open' | 'disabled'
  /** Redis server time, ms since 1970; without Redis this process's wall clock. */
  readonly at: number
  /** As `at`. */
  readonly ends: number
}

const MAX_BY = 128
const MAX_REASON = 512

const text = (max: number): z.ZodString =>
  z.string().refine(value => value.isWellFormed() && value.trim() !== '' && Array.from(value).length <= max, {
    error: `must be 1..${max} characters of well-formed text`,
  })

/** The fields of `Who`, as every order and release must carry them. */
export const whoFields: { readonly by: z.ZodType<string>; readonly reason: z.ZodType<string> } = {
  by: text(MAX_BY),
  reason: text(MAX_REASON),
}

/** An order as it lies in Redis and in snapshots. */
export const orderSchema: z.ZodType<OverrideOrder> = z.object({
  id: z.string(),
  by: z.string(),
  reason: z.string(),
  target: z.enum(['forced-open', 'disabled']),
  at: z.number(),
  ends: z.number(),
})
