import type { Random } from '@safety/redis-core'

import type { ResolvedOptions } from './options.ts'

type CoolOffOptions = ResolvedOptions['coolOff']

/** A factor drawn evenly from 1 - jitter to 1 + jitter. */
export function jitterFactor(jitter: number, random: Random): number {
  return 1 + jitter * (2 * random.float() - 1)
}

/** min(base x factor^(opens - 1), max) x jitter, whole ms. */
export function coolOffMs(opens: number, options: CoolOffOptions, random: Random): number {
  const growing = options.baseMs * options.factor ** (opens - 1)
  return Math.floor(Math.min(growing, options.maxMs) * jitterFactor(options.jitter, random))
}

/** `opens` less one per whole `forgiveMs` closed. */
export function forgiven(opens: number, closedForMs: number, forgiveMs: number): number {
  return Math.max(0, opens - Math.floor(Math.max(0, closedForMs) / forgiveMs))
}
