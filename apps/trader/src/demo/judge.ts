import { ASSETS, type SideName, type SideResult, type Verdict } from './result.ts'

/** Fewer faults than this on a side prove nothing. */
export const MIN_FAULTS = 10

export interface Judgement {
  readonly verdict: Verdict
  readonly reasons: readonly string[]
  readonly exitCode: 0 | 1 | 4
}

function isZero(decimal: string): boolean {
  return /^-?0*(\.0*)?$/.test(decimal)
}

function driftingAssets(side: SideResult): (typeof ASSETS)[number][] {
  return ASSETS.filter(asset => !isZero(side.drift[asset]))
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`
}

function failures(guarded: SideResult, broken: readonly string[]): string[] {
  const reasons: string[] = []
  if (guarded.duplicates > 0) {
    reasons.push(`guarded: ${counted(guarded.duplicates, 'duplicate order', 'duplicate orders')}`)
  }
  if (guarded.lost > 0) reasons.push(`guarded: ${counted(guarded.lost, 'intent', 'intents')} lost`)
  for (const asset of driftingAssets(guarded)) reasons.push(`guarded: ${asset} drifts by ${guarded.drift[asset]}`)
  if (guarded.orphans > 0) {
    reasons.push(`guarded: ${counted(guarded.orphans, 'accepted order', 'accepted orders')} without a record`)
  }
  return [...reasons, ...broken]
}

function doubts(guarded: SideResult, met: Readonly<Record<SideName, number>>): string[] {
  const reasons: string[] = []
  for (const side of ['naive', 'guarded'] as const) {
    if (met[side] < MIN_FAULTS) {
      reasons.push(`${side}: only ${counted(met[side], 'fault', 'faults')} met it, fewer than ${MIN_FAULTS}`)
    }
  }
  const open = guarded.inDoubt?.open ?? 0
  if (open > 0) reasons.push(`guarded: ${counted(open, 'intent is', 'intents are')} still in doubt`)
  return reasons
}

/**
 * The verdict of a run: `fail` when the guarded side has a duplicate, a lost intent, a drift or an order it does not
 * know; otherwise `inconclusive` when the run proves too little or the judge itself cannot be trusted; else `pass`.
 *
 * @param met faults that met each side
 * @param broken further failures of the guarded side, such as a worker that ended by itself
 * @param unsound reasons not to trust the exchange's books
 */
export function judge(input: {
  guarded: SideResult
  met: Readonly<Record<SideName, number>>
  broken: readonly string[]
  unsound: readonly string[]
}): Judgement {
  const failed = failures(input.guarded, input.broken)
  const unclear = [...input.unsound, ...doubts(input.guarded, input.met)]
  if (failed.length > 0) return { verdict: 'fail', reasons: [...failed, ...unclear], exitCode: 1 }
  if (unclear.length > 0) return { verdict: 'inconclusive', reasons: unclear, exitCode: 4 }
  return { verdict: 'pass', reasons: [], exitCode: 0 }
}
