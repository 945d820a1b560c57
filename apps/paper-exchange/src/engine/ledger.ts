import { print, ZERO, type Money } from './money.ts'
import type { BalanceRow } from '../truth/entry.ts'

interface Moment {
  /** Elapsed server time from which reads without lag see it. */
  readonly seenMs: number
  readonly free: Money
  readonly locked: Money
}

/** An account's balances, with as much of their past as lagging reads can ask for. */
export interface Ledger {
  free(asset: string): Money
  locked(asset: string): Money
  /** Moves an asset by two signed amounts. @throws Error if a balance became negative: a defect of the engine. */
  change(asset: string, free: Money, locked: Money): void
  /** Assets ever held, sorted. */
  assets(): string[]
  now(asset: string): BalanceRow
  /** The balance that reads saw at `seenMs`; zero before it existed. */
  at(asset: string, seenMs: number): BalanceRow
  /** Server time of the last change seen at `seenMs`. */
  updatedAt(seenMs: number): number
}

export function createLedger(options: {
  balances: Readonly<Record<string, Money>>
  readLagMs: number
  elapsedMs: () => number
  nowMs: () => number
}): Ledger {
  const holdings = new Map<string, Moment[]>()
  const updates = [{ seenMs: -Infinity, atMs: options.nowMs() }]
  for (const [asset, free] of Object.entries(options.balances)) {
    holdings.set(asset, [{ seenMs: -Infinity, free, locked: ZERO }])
  }

  const last = (asset: string): Moment | undefined => holdings.get(asset)?.at(-1)

  const change = (asset: string, free: Money, locked: Money): void => {
    const before = last(asset)
    const seenMs = options.elapsedMs()
    const after = {
      seenMs,
      free: (before?.free ?? ZERO).plus(free),
      locked: (before?.locked ?? ZERO).plus(locked),
    }
    if (after.free.lt('0') || after.locked.lt('0')) {
      throw new Error(`${asset} would become free ${print(after.free)}, locked ${print(after.locked)}`)
    }
    remember(holdings, asset, after, seenMs - options.readLagMs)
    prune(updates, seenMs - options.readLagMs)
    updates.push({ seenMs, atMs: options.nowMs() })
  }

  return {
    free: asset => last(asset)?.free ?? ZERO,
    locked: asset => last(asset)?.locked ?? ZERO,
    change,
    assets: () => [...holdings.keys()].sort(),
    now: asset => row(last(asset)),
    at: (asset, seenMs) => row(holdings.get(asset)?.findLast(moment => moment.seenMs <= seenMs)),
    updatedAt: seenMs => (updates.findLast(update => update.seenMs <= seenMs) ?? updates[0])?.atMs ?? 0,
  }
}

function remember(holdings: Map<string, Moment[]>, asset: string, moment: Moment, oldestAsked: number): void {
  const moments = holdings.get(asset)
  if (moments === undefined) {
    holdings.set(asset, [moment])
    return
  }
  prune(moments, oldestAsked)
  moments.push(moment)
}

/** Drops what no read can see any more; the newest state at `oldestAsked` stays. */
function prune(moments: { readonly seenMs: number }[], oldestAsked: number): void {
  let stale = 0
  while (stale + 1 < moments.length && (moments[stale + 1]?.seenMs ?? Infinity) <= oldestAsked) stale++
  if (stale > 0) moments.splice(0, stale)
}

function row(moment: Moment | undefined): BalanceRow {
  return { free: print(moment?.free ?? ZERO), locked: print(moment?.locked ?? ZERO) }
}
