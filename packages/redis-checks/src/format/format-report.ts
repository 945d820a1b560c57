import type { Report } from '../report.ts'
import { toJunit } from './junit.ts'
import { toMarkdown } from './markdown.ts'
import { toSarif } from './sarif.ts'
import { toTable } from './table.ts'

export type Format = 'table' | 'json' | 'junit' | 'sarif' | 'markdown'

export const FORMATS: readonly Format[] = ['table', 'json', 'junit', 'sarif', 'markdown']

export interface FormatOptions {
  /** ANSI colours in a table. @default false */
  color?: boolean
  /** Passes one by one instead of one count. @default false */
  all?: boolean
  /** Makes SARIF results point at this file, for example the configuration of the server. */
  sarifFile?: string
}

const WRITERS: Readonly<Record<Format, (report: Report, options: FormatOptions) => string>> = {
  table: toTable,
  json: report => `${JSON.stringify(report, null, 2)}\n`,
  junit: toJunit,
  sarif: (report, { sarifFile }) => toSarif(report, sarifFile),
  markdown: (report, { all }) => toMarkdown(report, all === true),
}

/** The report as text, with a newline at its end. `json` is lossless. */
export function formatReport(report: Report, format: Format, options: FormatOptions = {}): string {
  return WRITERS[format](report, options)
}
