import { escapeHtml } from './html.ts'
import type { Band, Lane, Mark, Timeline } from './timeline.ts'

const LEFT = 90
const WIDTH = 1000
const LANE = 46
const TOP = 12
const DOUBT_ROWS = 8

const BAND_NAMES: Readonly<Record<Band['kind'], string>> = {
  away: 'worker killed',
  outage: 'Redis killed',
  gate: 'Retry-After running',
  doubt: 'in doubt',
  drain: 'drain: no faults, no bars',
}

/** Thin bands side by side, so that doubts of the same time stay visible: each gets the first row that is free. */
function rowsOf(bands: readonly Band[]): number[] {
  const freeAtMs: number[] = []
  return bands.map(band => {
    const free = freeAtMs.findIndex(atMs => atMs <= band.fromMs)
    const row = free === -1 ? freeAtMs.length : free
    freeAtMs[row] = band.toMs
    return row % DOUBT_ROWS
  })
}

function bandShape(band: Band, x: (ms: number) => number, box: { y: number; height: number }): string {
  const from = x(band.fromMs)
  const width = Math.max(2, x(band.toMs) - from)
  return `<rect class="band ${band.kind}" x="${from.toFixed(1)}" y="${box.y}" width="${width.toFixed(1)}" height="${box.height}"><title>${escapeHtml(band.title)}</title></rect>`
}

function bandShapes(bands: readonly Band[], x: (ms: number) => number, y: number): string[] {
  const ordered = bands.toSorted((a, b) => a.fromMs - b.fromMs)
  const rows = rowsOf(ordered.filter(band => band.kind === 'doubt'))
  return ordered.map(band => {
    if (band.kind !== 'doubt') return bandShape(band, x, { y: y + 3, height: LANE - 6 })
    return bandShape(band, x, { y: y + 5 + (rows.shift() ?? 0) * 5, height: 3 })
  })
}

function markShape(mark: Mark, x: (ms: number) => number, y: number): string {
  const at = x(mark.atMs)
  const title = `<title>${escapeHtml(mark.title)}</title>`
  const px = at.toFixed(1)
  switch (mark.kind) {
    case 'order':
      return `<circle class="order" cx="${px}" cy="${y + 30}" r="3">${title}</circle>`
    case 'duplicate':
      return `<path class="duplicate" d="M${px} ${y + 6}l6 7-6 7-6-7z">${title}</path>`
    case 'refused':
      return `<path class="refused" d="M${(at - 3).toFixed(1)} ${y + 36}l6 6m0-6l-6 6">${title}</path>`
    default:
      return mark.kind satisfies never
  }
}

function laneShapes(lane: Lane, x: (ms: number) => number, y: number): string {
  return [
    `<text class="lane" x="${LEFT - 8}" y="${y + LANE / 2 + 4}">${escapeHtml(lane.name)}</text>`,
    `<line class="rule" x1="${LEFT}" x2="${WIDTH}" y1="${y + LANE}" y2="${y + LANE}"/>`,
    ...bandShapes(lane.bands, x, y),
    ...lane.marks.map(mark => markShape(mark, x, y)),
  ].join('')
}

function axis(timeline: Timeline, x: (ms: number) => number, y: number): string {
  const stepMs = timeline.lengthMs > 120_000 ? 60_000 : 5000
  const ticks: string[] = []
  for (let ms = 0; ms <= timeline.lengthMs; ms += stepMs) {
    ticks.push(`<text class="tick" x="${x(ms).toFixed(1)}" y="${y + 16}">${ms / 1000} s</text>`)
  }
  return ticks.join('')
}

/** What the shapes mean; shape and words, never colour alone. */
export function legendHtml(): string {
  const shapes: [string, string][] = [
    ['<circle class="order" cx="8" cy="8" r="4"/>', 'order accepted'],
    ['<path class="duplicate" d="M8 1l6 7-6 7-6-7z"/>', 'duplicate order'],
    ['<path class="refused" d="M4 4l8 8m0-8l-8 8"/>', 'not run, on record'],
    ...(['away', 'outage', 'gate', 'doubt', 'drain'] as const).map((kind): [string, string] => [
      `<rect class="band ${kind}" x="1" y="2" width="14" height="12"/>`,
      BAND_NAMES[kind],
    ]),
  ]
  const items = shapes.map(
    ([shape, text]) => `<li><svg width="16" height="16" aria-hidden="true">${shape}</svg> ${text}</li>`,
  )
  return `<ul class="legend">${items.join('')}</ul>`
}

/** The run as one inline SVG picture, styled by the page around it. */
export function timelineSvg(timeline: Timeline): string {
  const x = (ms: number): number => LEFT + (Math.max(0, ms) / timeline.lengthMs) * (WIDTH - LEFT - 10)
  const height = TOP + timeline.lanes.length * LANE + 24
  const drain = bandShape(
    { kind: 'drain', fromMs: timeline.drainFromMs, toMs: timeline.lengthMs, title: BAND_NAMES.drain },
    x,
    { y: TOP, height: timeline.lanes.length * LANE },
  )
  return [
    `<svg class="timeline" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Timeline of the run: each worker's orders and duplicates, kills, and what was in doubt">`,
    drain,
    ...timeline.lanes.map((lane, at) => laneShapes(lane, x, TOP + at * LANE)),
    axis(timeline, x, TOP + timeline.lanes.length * LANE),
    '</svg>',
  ].join('')
}
