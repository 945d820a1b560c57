import type { Level } from '../level.ts'
import type { AcknowledgementState, CheckResult, Report } from '../report.ts'

const COLORS: Record<Level, string> = { fail: '31', unknown: '35', warn: '33', info: '36', pass: '32' }
const HEAD = ['LEVEL', 'CHECK', 'NODE', 'OBSERVED', 'EXPECTED']
const MAX_CELL = 60
const NOTES: Record<Exclude<AcknowledgementState['state'], 'applied'>, string> = {
  expired: 'has expired: what it accepted counts again',
  refused: 'is refused: nobody can accept this finding in this profile',
  unused: 'was not needed: there is nothing to accept',
}

/** Worst first, with what can go wrong and the command that ends it; passes as one count; the verdict last. */
export function toTable(report: Report, options: { readonly color?: boolean; readonly all?: boolean }): string {
  const shown = report.results.filter(result => options.all === true || result.level !== 'pass')
  const rows = shown.map(result => [
    result.blocking ? 'FAIL!' : result.level.toUpperCase(),
    result.id,
    result.node ?? '-',
    cell(result.observed),
    cell(result.expected),
  ])
  const widths = HEAD.map((title, column) => Math.max(title.length, ...rows.map(row => row[column]?.length ?? 0)))
  const lines: string[] = rows.length === 0 ? [] : [row(HEAD, widths)]
  for (const [index, result] of shown.entries()) {
    const line = row(rows[index] ?? [], widths)
    lines.push(options.color === true ? paint(line, result.level) : line, ...details(result))
  }
  const passes = report.summary.counts.pass
  if (options.all !== true && passes > 0)
    lines.push(`PASS   ${passes} ${passes === 1 ? 'check' : 'checks'} not disproved`)
  for (const { id, node, state } of report.acknowledgements) {
    if (state !== 'applied') {
      lines.push(`note   the acknowledgement of ${id}${node === null ? '' : ` on ${node}`} ${NOTES[state]}`)
    }
  }
  lines.push(report.summary.sentence)
  return `${lines.join('\n')}\n`
}

function details(result: CheckResult): string[] {
  if (result.level === 'pass') return []
  const { text, command } = result.remedy
  const accepted = result.acknowledged
  return [
    `       ${result.message}`,
    ...(accepted === undefined ? [] : [`       accepted until ${accepted.until}: ${cell(accepted.reason)}`]),
    `       -> ${text}${command === undefined ? '' : `\n          ${command}`}`,
  ]
}

function row(cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((text, column) => text.padEnd(widths[column] ?? 0))
    .join('  ')
    .trimEnd()
}

function cell(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ')
  return line.length > MAX_CELL ? `${line.slice(0, MAX_CELL - 1)}…` : line
}

function paint(line: string, level: Level): string {
  return `\u001b[${COLORS[level]}m${line}\u001b[0m`
}
