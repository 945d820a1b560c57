import type { DemoEvidence, SideEvidence } from './evidence.ts'
import { sideLedger } from './history.ts'
import type { SideName } from './result.ts'
import { WORKER_AWAY_MS } from './storm.ts'

/** A stretch of a lane, in milliseconds after the first bar opened. */
export interface Band {
  readonly kind: 'away' | 'outage' | 'gate' | 'doubt' | 'drain'
  readonly fromMs: number
  readonly toMs: number
  readonly title: string
}

export interface Mark {
  readonly kind: 'order' | 'duplicate' | 'refused'
  readonly atMs: number
  readonly title: string
}

export interface Lane {
  readonly name: string
  readonly bands: readonly Band[]
  readonly marks: readonly Mark[]
}

/** What the picture of a run shows; pure, so that it can be tested without pixels. */
export interface Timeline {
  readonly lengthMs: number
  readonly drainFromMs: number
  readonly lanes: readonly Lane[]
}

function orderMarks(evidence: DemoEvidence, side: SideName): Map<string, Mark[]> {
  const seen = new Set<string>()
  const marks = new Map<string, Mark[]>()
  for (const order of sideLedger(evidence.truth, side, evidence.sides[side].log)) {
    const worker = order.p.split('.', 1)[0]!
    const duplicate = seen.has(order.key)
    seen.add(order.key)
    const list = marks.get(worker) ?? []
    list.push({
      kind: duplicate ? 'duplicate' : 'order',
      atMs: order.tUs / 1000 - evidence.tradingFromMs,
      title: `${duplicate ? 'duplicate order' : 'order'} ${order.effect} of ${order.key}`,
    })
    marks.set(worker, list)
  }
  return marks
}

function refusedMarks(evidence: DemoEvidence, side: SideEvidence, worker: string): Mark[] {
  return side.log.flatMap(({ worker: of, line }) =>
    of === worker && line.type === 'return' && line.outcome === 'not-run'
      ? [
          {
            kind: 'refused' as const,
            atMs: line.tUs / 1000 - evidence.tradingFromMs,
            title: `not run: ${line.key}${line.code === undefined ? '' : ` (${line.code})`}`,
          },
        ]
      : [],
  )
}

function awayBands(evidence: DemoEvidence, side: SideEvidence, worker: string): Band[] {
  const bands: Band[] = []
  const ownEvents = side.events.filter(event => event.worker === worker)
  for (const [at, event] of ownEvents.entries()) {
    if (event.event !== 'killed') continue
    const fromMs = event.tUs / 1000 - evidence.tradingFromMs
    const next = ownEvents.slice(at).find(later => later.event === 'started')
    const toMs = next === undefined ? fromMs + WORKER_AWAY_MS : next.tUs / 1000 - evidence.tradingFromMs
    bands.push({ kind: 'away', fromMs, toMs, title: `${event.process} killed with a request out` })
  }
  return bands
}

/** From the first UNKNOWN of an intent to the first later state that is not one. */
function doubtBands(evidence: DemoEvidence, side: SideEvidence): Band[] {
  const open = new Map<string, number>()
  const bands: Band[] = []
  for (const { line } of side.log) {
    if (line.type !== 'transition') continue
    const atMs = line.tUs / 1000 - evidence.tradingFromMs
    const since = open.get(line.key)
    if (line.to === 'UNKNOWN' || line.to === 'STUCK') {
      if (since === undefined) open.set(line.key, atMs)
    } else if (since !== undefined) {
      open.delete(line.key)
      bands.push({ kind: 'doubt', fromMs: since, toMs: atMs, title: `${line.key} in doubt, then ${line.to}` })
    }
  }
  for (const [key, since] of open) {
    const toMs = evidence.endMs - evidence.tradingFromMs
    bands.push({ kind: 'doubt', fromMs: since, toMs, title: `${key} in doubt to the end` })
  }
  return bands
}

function gateBands(evidence: DemoEvidence, side: SideName): Band[] {
  return evidence.truth.flatMap(entry => {
    if (entry.type !== 'fault' || entry.account !== side || entry['action'] !== 'limit') return []
    const fromMs = entry.atMs - evidence.tradingFromMs
    return [{ kind: 'gate' as const, fromMs, toMs: fromMs + 2000, title: `429 for ${side}, Retry-After 2 s` }]
  })
}

function sideLanes(evidence: DemoEvidence, name: SideName): Lane[] {
  const side = evidence.sides[name]
  const workers = [...new Set(side.events.map(event => event.worker))].sort()
  const orders = orderMarks(evidence, name)
  const strays = workers.length === 0 ? [] : (orders.get('-') ?? [])
  const doubts = doubtBands(evidence, side)
  return [
    ...workers.map((worker, at) => ({
      name: worker,
      bands: [...gateBands(evidence, name), ...awayBands(evidence, side, worker)],
      marks: [...refusedMarks(evidence, side, worker), ...(orders.get(worker) ?? []), ...(at === 0 ? strays : [])],
    })),
    ...(name === 'guarded' ? [{ name: 'in doubt', bands: doubts, marks: [] }] : []),
  ]
}

/** Turns a run into lanes: each worker, what was in doubt, and Redis. */
export function buildTimeline(evidence: DemoEvidence): Timeline {
  const { tradingFromMs } = evidence
  const outages = evidence.outages.map(({ fromUs, toUs, name }) => ({
    kind: 'outage' as const,
    fromMs: fromUs / 1000 - tradingFromMs,
    toMs: toUs / 1000 - tradingFromMs,
    title: `${name}: Redis away`,
  }))
  return {
    lengthMs: evidence.endMs - tradingFromMs,
    drainFromMs: evidence.tradingToMs - tradingFromMs,
    lanes: [
      ...sideLanes(evidence, 'naive'),
      ...sideLanes(evidence, 'guarded'),
      { name: 'Redis', bands: outages, marks: [] },
    ],
  }
}
