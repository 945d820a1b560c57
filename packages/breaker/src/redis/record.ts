import { z } from 'zod'

import type { BreakerRecord } from '../history.ts'
import type { WindowCounts } from '../snapshot.ts'
import type { SharedMove, StoreMessage } from '../store.ts'
import { orderSchema } from '../who.ts'
import type { OverrideOrder } from '../who.ts'

// Lua writes times as decimal text, because its own numbers lose digits in JSON.
const whole = z.union([z.string().regex(/^-?\d{1,16}$/), z.number()]).transform(Number)
const target = z.enum(['forced-open', 'disabled'])
const state = z.enum(['closed', 'open', 'half-open', 'forced-open', 'disabled'])

const counts = z.tuple([z.number(), z.number(), z.number()])

const recordSchema = z.object({
  k: z.enum(['moved', 'reseeded', 'ordered', 'released', 'expired', 'report', 'free']),
  b: z.string(),
  i: z.string(),
  s: state,
  e: whole,
  u: whole,
  n: whole,
  now: whole,
  o: z.array(z.string()).optional(),
  from: z.string().optional(),
  why: z.string().optional(),
  by: z.string().optional(),
  reason: z.string().optional(),
  holder: z.string().optional(),
  target: target.optional(),
  ends: z.number().optional(),
  long: counts.optional(),
  fast: counts.optional(),
  alive: z.number().optional(),
  active: z.number().optional(),
  failing: z.number().optional(),
})

type Wire = z.output<typeof recordSchema>

export function decodeOrder(json: string): OverrideOrder {
  return orderSchema.parse(JSON.parse(json))
}

export function decodeMove(json: string): SharedMove {
  return moveOf(recordSchema.parse(JSON.parse(json)))
}

function moveOf(wire: Wire): SharedMove {
  const { k, from = '', why = '', by = '', reason = '', long, fast, alive, active, failing } = wire
  return {
    kind: k === 'report' || k === 'free' ? 'moved' : k,
    from,
    why,
    by,
    reason,
    windows: long === undefined ? null : { long: countsOf(long), fast: fast === undefined ? null : countsOf(fast) },
    members: alive === undefined ? null : { alive, active: active ?? 0, failing: failing ?? 0 },
  }
}

function countsOf([ok, failed, slow]: [number, number, number]): WindowCounts {
  return { ok, failed, slow }
}

/** A message and the breaker it is for, or null if it is none: anyone may publish on a channel. */
export function decodeMessage(json: string): { readonly breaker: string; readonly message: StoreMessage } | null {
  try {
    const wire = recordSchema.parse(JSON.parse(json))
    const message: StoreMessage = {
      kind: wire.k,
      instance: wire.i,
      state: wire.s,
      epoch: wire.e,
      untilMs: wire.u,
      opens: wire.n,
      nowMs: wire.now,
      orders: (wire.o ?? []).map(decodeOrder),
      move: moveOf(wire),
    }
    return { breaker: wire.b, message }
  } catch {
    return null
  }
}

/** One line of the history; null for a line nobody here wrote. */
export function decodeRecord(json: string): BreakerRecord | null {
  const parsed = recordSchema.safeParse(parseJson(json))
  if (!parsed.success || parsed.data.k === 'report' || parsed.data.k === 'free') return null
  const { k, s, e, now, from, why, by, reason, holder, target: aim, ends } = parsed.data
  return {
    kind: k,
    atMs: now,
    state: s,
    epoch: e,
    ...(from === undefined ? {} : { from: state.parse(from) }),
    ...(why === undefined ? {} : { why }),
    ...(by === undefined ? {} : { by }),
    ...(reason === undefined ? {} : { reason }),
    ...(holder === undefined ? {} : { holder }),
    ...(aim === undefined ? {} : { target: aim }),
    ...(ends === undefined ? {} : { ends }),
  }
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
