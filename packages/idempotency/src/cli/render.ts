import type { RecordView } from '../record.ts'
import { printable } from './shown-text.ts'

const COLUMNS: readonly { readonly title: string; readonly of: (view: RecordView) => string }[] = [
  { title: 'EFFECT', of: view => view.effect },
  { title: 'KEY', of: view => view.key },
  { title: 'STATE', of: view => view.state },
  { title: 'MODE', of: view => view.mode },
  { title: 'ATTEMPT', of: view => String(view.attempt) },
  { title: 'BORN', of: view => timeOf(view.bornAtMs) },
  { title: 'WHY', of: view => view.why ?? view.reason ?? view.source ?? '' },
]

/** Records as aligned columns under one line of titles. */
export function tableOf(views: readonly RecordView[]): string {
  const rows = views.map(view => COLUMNS.map(({ of }) => printable(of(view))))
  const all = [COLUMNS.map(({ title }) => title), ...rows]
  const widths = COLUMNS.map((_, column) => Math.max(...all.map(row => row[column]?.length ?? 0)))
  return all
    .map(row =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** One record, a line per field. */
export function detailsOf(view: RecordView): string {
  const { bornAtMs, leaseEndsAtMs, settlesAtMs, ...rest } = view
  const fields: [string, unknown][] = [
    ...Object.entries(rest),
    ['bornAt', timeOf(bornAtMs)],
    ['leaseEndsAt', timeOf(leaseEndsAtMs)],
    ['settlesAt', timeOf(settlesAtMs)],
  ]
  const width = Math.max(...fields.map(([name]) => name.length))
  return fields
    .map(([name, value]) => {
      const text = typeof value === 'string' ? value : JSON.stringify(value)
      return `${name.padEnd(width)}  ${printable(text)}`
    })
    .join('\n')
}

function timeOf(epochMs: number): string {
  return epochMs === 0 ? '-' : new Date(epochMs).toISOString()
}
