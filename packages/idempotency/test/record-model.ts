/** The record's life as the design tells it, in plain TypeScript, to hold the scripts against. Times are milliseconds. */
export interface ModelRecord {
  s: 'C' | 'D' | 'F' | 'N' | 'U' | 'R'
  token: string
  fence: number
  lease: number
  settle: number
  mode: 'r' | 'c' | 'm'
  rtoken: string
  rlease: number
  conflicts: number
  /** Token last counted as a conflict. */
  loser: string
  by: 'x' | 'r' | 'c' | 'o'
  fp: string
}

export interface Model {
  now: number
  r: ModelRecord | undefined
}

export const LEASE = 100
export const SETTLE = 50
export const RLEASE = 80

const STRICT = { r: 0, c: 1, m: 2 } as const
const stricter = (a: ModelRecord['mode'], b: ModelRecord['mode']): ModelRecord['mode'] =>
  STRICT[a] >= STRICT[b] ? a : b
const open = (r: ModelRecord): boolean => r.s === 'C' || r.s === 'U' || r.s === 'R'

/** @returns the tag of the reply, with what follows it where that is decided by the model */
export function claim(m: Model, token: string, fp: string, mode: ModelRecord['mode']): string {
  const { r, now } = m
  if (r && r.s !== 'N' && r.fp !== '-' && r.fp !== fp) return `MISMATCH ${r.s}`
  const strict = r ? stricter(r.mode, mode) : mode
  if (r && (r.s === 'D' || r.s === 'F')) return r.s
  if (r && r.token === token) return r.s === 'C' ? 'OWN again' : 'ENDED'
  if (r && r.s === 'C' && now < r.lease) return 'BUSY'
  if (r && r.s === 'C' && strict !== 'r') {
    r.s = 'U'
    r.mode = strict
    return 'U'
  }
  if (r && (r.s === 'U' || r.s === 'R')) return 'U'
  const how = r === undefined ? 'fresh' : r.s === 'N' ? 'retry' : 'takeover'
  m.r = {
    s: 'C',
    token,
    fence: Math.max((r?.fence ?? 0) + 1, now * 1000),
    lease: now + LEASE,
    settle: now + LEASE + SETTLE,
    mode: strict,
    rtoken: '-',
    rlease: 0,
    conflicts: r?.conflicts ?? 0,
    loser: '',
    by: 'x',
    fp,
  }
  return `OWN ${how}`
}

export function renew(m: Model, token: string, fence: number): string {
  const { r } = m
  if (r && (r.s !== 'C' || r.token !== token || r.fence !== fence)) return 'LOST'
  if (!r) return 'absent'
  r.lease = m.now + LEASE
  r.settle = r.lease + SETTLE
  return 'OK renewed'
}

export function finish(m: Model, token: string, fence: number, to: 'D' | 'F' | 'N' | 'U'): string {
  const { r, now } = m
  if (!r) return 'absent'
  if (r.token !== token || r.fence !== fence) {
    if (to === 'D' && r.loser !== token) {
      r.conflicts += 1
      r.loser = token
    }
    return `SUPERSEDED ${r.s}`
  }
  if (r.s === 'D' || r.s === 'F') return r.s === to && r.by === 'x' ? 'OK again' : `SUPERSEDED ${r.s}`
  if (r.s === to || (r.s === 'R' && to === 'U')) {
    // The effect has only ended now: the settle time of a doubt that others noticed before starts anew.
    if (to === 'U') r.settle = Math.max(r.settle, now + SETTLE)
    return 'OK again'
  }
  let how = r.s === 'C' && now < r.lease ? 'first' : 'late'
  if (r.s === 'N') {
    if (to === 'U' && r.by !== 'r') return 'SUPERSEDED N'
    // A verdict from after the settle time of this end knew of it.
    if (to === 'U' && r.lease > now + SETTLE) return 'OK again'
    how = 'overturned'
  }
  if (to === 'U') {
    r.settle = now + SETTLE
    r.lease = Math.min(r.lease, now)
  }
  if (to === 'N') r.lease = Math.floor(r.fence / 1000)
  r.s = to
  r.by = 'x'
  r.rtoken = '-'
  return `OK ${how}`
}

export function abandon(m: Model, token: string): string {
  const { r, now } = m
  if (!r) {
    const base = {
      lease: 0,
      settle: now,
      mode: 'c',
      rtoken: '-',
      rlease: 0,
      conflicts: 0,
      loser: '',
      by: 'x',
      fp: '-',
    } as const
    m.r = { s: 'N', token, fence: 0, ...base }
  } else if (r.s === 'C' && r.token === token) {
    r.s = 'N'
    r.lease = 0
  }
  return 'OK'
}

export function reconcile(m: Model, rtoken: string, mode: ModelRecord['mode']): string {
  const { r, now } = m
  if (!r || !open(r)) return `NO ${r?.s ?? '-'}`
  if (r.s === 'C' && now < r.lease) return 'NO C'
  if (r.s === 'R' && r.rtoken !== rtoken && now < r.rlease) return 'NO R'
  if (r.s === 'C') r.mode = stricter(r.mode, mode)
  if (r.s === 'C' && r.mode === 'r') {
    r.s = 'N'
    r.lease = now
    return 'LAPSED'
  }
  r.s = 'R'
  r.rtoken = rtoken
  r.rlease = now + RLEASE
  return 'RECON'
}

export function resolve(m: Model, rtoken: string, fence: number, to: 'D' | 'F' | 'N' | 'U'): string {
  const { r, now } = m
  if (!r || r.rtoken !== rtoken || r.fence !== fence) return 'STALE'
  if (r.s === to) return 'OK again'
  if (r.s !== 'R') return 'STALE'
  if (to === 'N' && now < r.settle) return 'EARLY'
  r.s = to
  if (to === 'N') r.lease = now
  if (to !== 'U') r.by = 'r'
  return 'OK first'
}

export function decide(
  m: Model,
  kind: 'confirm' | 'resolve' | 'release',
  id: string,
  to: 'D' | 'F' | 'N',
  force: boolean,
): string {
  const { r, now } = m
  if (!r) {
    if (kind !== 'confirm') return 'NONE'
    const base = { lease: now, settle: now, mode: 'm', rlease: 0, conflicts: 0, loser: '', by: 'c', fp: '-' } as const
    m.r = { s: to, token: '-', fence: now * 1000, rtoken: id, ...base }
    return 'OK created'
  }
  const final = r.s === 'D' || r.s === 'F'
  if (r.rtoken === id || (kind === 'confirm' && final)) return 'OK again'
  if (kind === 'resolve') {
    if (!open(r)) return `REFUSED ${r.s}`
    if (!force && r.s === 'C' && now < r.lease) return 'REFUSED C'
    if (!force && to === 'N' && now < r.settle) return `REFUSED ${r.s}`
  }
  if (kind === 'release' && r.s !== 'F' && !(r.s === 'D' && force)) return `REFUSED ${r.s}`
  const how = r.s === 'N' ? 'overturned' : 'first'
  if (kind === 'release') r.token = id
  if (to === 'N') r.lease = now
  r.s = to
  r.by = kind === 'confirm' ? 'c' : 'o'
  r.rtoken = id
  return `OK ${how}`
}
