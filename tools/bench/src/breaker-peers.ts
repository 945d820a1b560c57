import { createRequire } from 'node:module'

import { createBreaker } from '@safety/breaker'
import type { Breaker, BreakerOptions } from '@safety/breaker'
import { ConsecutiveBreaker, SamplingBreaker, circuitBreaker, handleAll } from 'cockatiel'

/** One breaker as a bench calls it. */
export interface Contender {
  readonly name: string
  /** Runs the work through the breaker. */
  readonly run: (work: () => Promise<unknown>) => Promise<unknown>
  readonly end: () => void
}

interface Opossum {
  fire(work: () => Promise<unknown>): Promise<unknown>
  shutdown(): void
  open(): void
}

// opossum ships no types.
const CircuitBreaker = createRequire(import.meta.url)('opossum') as new (
  action: (work: () => Promise<unknown>) => Promise<unknown>,
  options?: Record<string, unknown>,
) => Opossum

/** Its defaults: a time-out per call, percentiles of all latencies. */
export function opossumDefaults(options: Record<string, unknown> = {}): Contender {
  return opossum('opossum, defaults', { volumeThreshold: 20, ...options })
}

/** With what the others do not do turned off: no time-out, no percentiles, no snapshots. */
export function opossumStripped(options: Record<string, unknown> = {}): Contender {
  const stripped = { timeout: false, rollingPercentilesEnabled: false, enableSnapshots: false }
  return opossum('opossum, stripped', { volumeThreshold: 20, ...stripped, ...options })
}

function opossum(name: string, options: Record<string, unknown>): Contender {
  const breaker = new CircuitBreaker(work => work(), options)
  return { name, run: work => breaker.fire(work), end: () => breaker.shutdown() }
}

/** The breaker of cockatiel that looks at a ratio over time, as ours does. */
export function cockatielSampling(halfOpenAfterMs = 5_000): Contender {
  const breaker = new SamplingBreaker({ threshold: 0.5, duration: 10_000 })
  const policy = circuitBreaker(handleAll, { halfOpenAfter: halfOpenAfterMs, breaker })
  return { name: 'cockatiel, sampling', run: work => policy.execute(work), end: () => undefined }
}

/** Reads no clock and keeps no window: nothing with a window can be faster. */
export function cockatielConsecutive(): Contender {
  const policy = circuitBreaker(handleAll, { halfOpenAfter: 5_000, breaker: new ConsecutiveBreaker(20) })
  return { name: 'cockatiel, consecutive', run: work => policy.execute(work), end: () => undefined }
}

export function ours(name: string, options: Partial<BreakerOptions> = {}): Contender & { readonly breaker: Breaker } {
  const breaker = createBreaker({ name: 'bench', ...options })
  return { name, breaker, run: work => breaker.run(work), end: () => void breaker[Symbol.asyncDispose]() }
}

/** The work itself, without a breaker. */
export const raw: Contender = { name: 'no breaker', run: work => work(), end: () => undefined }

/** 10,000 breakers of each kind, for what they take and leave behind. */
export function many(kind: 'ours' | 'opossum', count: number): { end: () => void; all: unknown[] } {
  const make = kind === 'ours' ? (n: number) => ours(`ours ${n}`, { name: `job-${n}` }) : () => opossumDefaults()
  const all = Array.from({ length: count }, (_, n) => make(n))
  return { all, end: () => all.forEach(one => one.end()) }
}
