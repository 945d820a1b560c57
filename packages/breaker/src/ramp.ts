import type { ResolvedOptions } from './options.ts'

type RampOptions = NonNullable<ResolvedOptions['ramp']>

// Ten shares of 0.1 add up to a little less than 1 in floating point.
const ROUNDING = 1e-9

/** from + (1 - from) x t / length, with `leftMs` of the length still to come. */
export function rampShare(leftMs: number, { fromShare, lengthMs }: RampOptions): number {
  const done = Math.min(1, Math.max(0, 1 - leftMs / lengthMs))
  return fromShare + (1 - fromShare) * done
}

/** Spreads admissions evenly by carrying the error: at a share of 0.1 every tenth call. */
export interface Diffusion {
  carried: number
}

/** Whether this call is one of the share. */
export function admitShare(diffusion: Diffusion, share: number): boolean {
  diffusion.carried += share
  if (diffusion.carried < 1 - ROUNDING) return false
  diffusion.carried -= 1
  return true
}
