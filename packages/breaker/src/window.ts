import type { WindowCounts } from './snapshot.ts'

/** Length and resolution of a sliding window. */
export interface WindowShape {
  readonly lengthMs: number
  readonly buckets: number
}

const WIDTH = 3
const FAILED = 1
const SLOW = 2

/** A ring of buckets inside the cells. Bucket number b lives in slot b mod size. */
interface Ring {
  readonly offset: number
  readonly size: number
  readonly widthMs: number
  /** Number of the newest bucket, and when it ends. */
  newest: number
  endsMs: number
  /** Index of the newest bucket's first cell. */
  cell: number
}

/**
 * The long and the fast window of one breaker: per bucket the calls that were ok, failed and slow. All counts lie in one
 * `Float64Array`, so that counting a call is two comparisons and two additions. Times are monotonic ms.
 */
export interface Windows {
  readonly cells: Float64Array
  readonly reserved: number
  /** What of the cells belongs to an earlier epoch of the own part, but still to the fleet's evidence. Null without a fleet. */
  readonly before: Float64Array | null
  /** What of the cells the fleet has counted already. Null without a fleet. */
  readonly sent: Float64Array | null
  readonly long: Ring
  readonly fast: Ring | null
}

export interface WindowsSetup {
  readonly long: WindowShape
  readonly fast: WindowShape | null
  /** Whether batches for a fleet will be taken. */
  readonly pooled: boolean
  /** Cells at the front that are the caller's. */
  readonly reserved: number
  readonly nowMs: number
}

export function createWindows({ long, fast, pooled, reserved, nowMs }: WindowsSetup): Windows {
  const length = reserved + (long.buckets + (fast?.buckets ?? 0)) * WIDTH
  return {
    cells: new Float64Array(length),
    reserved,
    before: pooled ? new Float64Array(length) : null,
    sent: pooled ? new Float64Array(length) : null,
    long: createRing(long, reserved, nowMs),
    fast: fast === null ? null : createRing(fast, reserved + long.buckets * WIDTH, nowMs),
  }
}

function createRing({ lengthMs, buckets }: WindowShape, offset: number, nowMs: number): Ring {
  const ring = { offset, size: buckets, widthMs: lengthMs / buckets, newest: 0, endsMs: 0, cell: 0 }
  place(ring, nowMs)
  return ring
}

function place(ring: Ring, nowMs: number): void {
  ring.newest = Math.floor(nowMs / ring.widthMs)
  ring.endsMs = (ring.newest + 1) * ring.widthMs
  ring.cell = ring.offset + (ring.newest % ring.size) * WIDTH
}

/** Moves the ring on to `nowMs` and zeroes every bucket skipped, however long it was idle. */
function turn(windows: Windows, ring: Ring, nowMs: number): void {
  const before = ring.newest
  place(ring, nowMs)
  const skipped = Math.min(ring.newest - before, ring.size)
  for (let age = 0; age < skipped; age += 1) {
    const cell = cellOf(ring, ring.newest - age)
    windows.cells.fill(0, cell, cell + WIDTH)
    windows.before?.fill(0, cell, cell + WIDTH)
    windows.sent?.fill(0, cell, cell + WIDTH)
  }
}

function cellOf(ring: Ring, bucket: number): number {
  return ring.offset + (((bucket % ring.size) + ring.size) % ring.size) * WIDTH
}

/** Counts one call that ended at `nowMs`. */
export function countCall(windows: Windows, nowMs: number, failed: boolean, slow: boolean): void {
  const { cells, long, fast } = windows
  if (nowMs >= long.endsMs) turn(windows, long, nowMs)
  const verdict = failed ? FAILED : 0
  cells[long.cell + verdict]! += 1
  if (slow) cells[long.cell + SLOW]! += 1
  if (fast === null) return
  if (nowMs >= fast.endsMs) turn(windows, fast, nowMs)
  cells[fast.cell + verdict]! += 1
  if (slow) cells[fast.cell + SLOW]! += 1
}

/** Empties both windows, for this process and for the fleet. */
export function clearWindows(windows: Windows): void {
  windows.cells.fill(0, windows.reserved)
  windows.before?.fill(0)
  windows.sent?.fill(0)
}

/** Empties both windows for this process's own part; what was not sent yet remains evidence for the fleet. */
export function clearOwnWindows(windows: Windows): void {
  if (windows.before === null) windows.cells.fill(0, windows.reserved)
  else windows.before.set(windows.cells)
}

export function longCounts(windows: Windows, nowMs: number): WindowCounts {
  return sum(windows, windows.long, nowMs)
}

export function fastCounts(windows: Windows, nowMs: number): WindowCounts | null {
  return windows.fast === null ? null : sum(windows, windows.fast, nowMs)
}

function sum(windows: Windows, ring: Ring, nowMs: number): WindowCounts {
  if (nowMs >= ring.endsMs) turn(windows, ring, nowMs)
  const { cells, before } = windows
  let ok = 0
  let failed = 0
  let slow = 0
  const end = ring.offset + ring.size * WIDTH
  for (let cell = ring.offset; cell < end; cell += WIDTH) {
    ok += cells[cell] as number
    failed += cells[cell + FAILED] as number
    slow += cells[cell + SLOW] as number
    if (before === null) continue
    ok -= before[cell] as number
    failed -= before[cell + FAILED] as number
    slow -= before[cell + SLOW] as number
  }
  return { ok, failed, slow }
}

/** The fleet has moved on: what was not sent yet is no evidence any more. This process's own windows stay. */
export function dropEvidence(windows: Windows): void {
  windows.sent?.set(windows.cells)
}

/** Calls that were counted here and not yet sent, frozen when the batch was taken. */
export interface Batch {
  readonly cells: Float64Array
  /** The newest buckets when it was taken. */
  readonly longBucket: number
  readonly fastBucket: number
}

/** ok, failed, slow. */
export type CountRow = [number, number, number]

/** A batch as the fleet counts it: the long window's sum, and one row per bucket of the fast window, newest first. */
export interface BatchRows {
  readonly long: CountRow
  readonly fast: CountRow[]
}

/** The difference between what was counted and what was sent. */
export function takeBatch(windows: Windows, nowMs: number): Batch {
  const { cells, sent, long, fast } = windows
  if (nowMs >= long.endsMs) turn(windows, long, nowMs)
  if (fast !== null && nowMs >= fast.endsMs) turn(windows, fast, nowMs)
  const difference = cells.map((count, cell) => count - (sent?.[cell] ?? 0))
  return { cells: difference, longBucket: long.newest, fastBucket: fast?.newest ?? 0 }
}

/** The batch as of now: what has left a window meanwhile is dropped, ages have grown. */
export function batchRows(windows: Windows, batch: Batch, nowMs: number): BatchRows {
  const { long, fast } = windows
  if (nowMs >= long.endsMs) turn(windows, long, nowMs)
  if (fast !== null && nowMs >= fast.endsMs) turn(windows, fast, nowMs)
  const total: CountRow = [0, 0, 0]
  for (const row of rowsOf(long, batch.cells, batch.longBucket)) for (const k of [0, 1, 2] as const) total[k] += row[k]
  const rows = fast === null ? [] : rowsOf(fast, batch.cells, batch.fastBucket)
  while (rows.length > 0 && rows.at(-1)?.every(count => count === 0)) rows.pop()
  return { long: total, fast: rows }
}

function rowsOf(ring: Ring, cells: Float64Array, takenAt: number): CountRow[] {
  return Array.from({ length: ring.size }, (_, age): CountRow => {
    const bucket = ring.newest - age
    if (bucket > takenAt || bucket <= takenAt - ring.size) return [0, 0, 0]
    const cell = cellOf(ring, bucket)
    return [cells[cell] as number, cells[cell + FAILED] as number, cells[cell + SLOW] as number]
  })
}

/** The fleet has counted the batch: none of it is sent again. */
export function markSent(windows: Windows, batch: Batch): void {
  const { sent, long, fast } = windows
  if (sent === null) return
  markRing(sent, long, batch.cells, batch.longBucket)
  if (fast !== null) markRing(sent, fast, batch.cells, batch.fastBucket)
}

function markRing(sent: Float64Array, ring: Ring, cells: Float64Array, takenAt: number): void {
  for (let bucket = takenAt; bucket > ring.newest - ring.size && bucket > takenAt - ring.size; bucket -= 1) {
    const cell = cellOf(ring, bucket)
    for (let k = cell; k < cell + WIDTH; k += 1) sent[k]! += cells[k] as number
  }
}
