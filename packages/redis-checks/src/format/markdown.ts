import type { Report } from '../report.ts'

/** For a pull request or a wiki. */
export function toMarkdown(report: Report, all: boolean): string {
  const shown = report.results.filter(({ level }) => all || level !== 'pass')
  const rows = shown.map(({ level, id, node, observed, expected, remedy }) =>
    [level, id, node ?? '', observed, expected, remedy.command ?? remedy.text].map(escape).join(' | '),
  )
  return [
    `# Redis checks: ${escape(report.profile)}`,
    '',
    escape(report.summary.sentence),
    '',
    ...(rows.length === 0
      ? []
      : [
          '| Level | Check | Node | Observed | Expected | Remedy |',
          '| --- | --- | --- | --- | --- | --- |',
          ...rows.map(row => `| ${row} |`),
          '',
        ]),
    `${report.summary.counts.pass} checks not disproved.`,
    '',
  ].join('\n')
}

function escape(text: string): string {
  return text
    .replaceAll(/[\r\n]+/g, ' ')
    .replaceAll(/[\\`*_{}[\]<>#|~&]/g, char =>
      char === '<' ? '&lt;' : char === '>' ? '&gt;' : char === '&' ? '&amp;' : `\\${char}`,
    )
}
