import { z } from 'zod'
import { audit } from '../audit/audit.ts'
import type { AuditReport } from '../audit/report.ts'
import { readClaims } from '../control/control-plane.ts'
import { PaperExchangeError } from '../errors.ts'
import { describeIssue } from '../options.ts'
import type { TruthEntry } from '../truth/entry.ts'
import { parseTruth, TruthFileError } from '../truth/read-truth.ts'
import { readText } from './fault-file.ts'

/**
 * Judges a truth log on disk. Without claims every account is judged by the log alone.
 *
 * @throws {PaperExchangeError} `ERR_PAPER_FILE` naming file and line
 */
export function auditFile(truth: string, claims: string | undefined, asTable: boolean): { text: string; ok: boolean } {
  const entries = readTruthFile(truth)
  if (claims !== undefined) {
    const report = audit(entries, readClaimsFile(claims))
    return { text: asTable ? tableOf('', report) : `${JSON.stringify(report)}\n`, ok: report.ok }
  }
  const names = [...new Set(entries.map(entry => entry.account))].filter(name => name !== null)
  const reports = Object.fromEntries(names.map(account => [account, audit(entries, { account })]))
  const ok = Object.values(reports).every(report => report.ok)
  const table = Object.entries(reports).map(([account, report]) => tableOf(`${account}\n`, report))
  return { text: asTable ? table.join('\n') : `${JSON.stringify({ ok, accounts: reports })}\n`, ok }
}

function readTruthFile(path: string): TruthEntry[] {
  try {
    return parseTruth(readText(path))
  } catch (error) {
    if (error instanceof TruthFileError) throw fileError(`${path} ${error.message}`)
    throw error
  }
}

function readClaimsFile(path: string): ReturnType<typeof readClaims> {
  try {
    return readClaims(parseJson(readText(path), path))
  } catch (error) {
    if (error instanceof z.ZodError) throw fileError(`${path}: ${describeIssue(error)}`)
    throw error
  }
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw fileError(`${where}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function fileError(message: string): PaperExchangeError {
  return new PaperExchangeError('ERR_PAPER_FILE', message)
}

function tableOf(title: string, report: AuditReport): string {
  const lines = report.invariants.map(({ id, ok, count, evidence }) => {
    const proof = evidence.length === 0 ? '' : `  seq ${evidence.join(', ')}`
    return `  ${id}  ${ok ? 'holds' : `${count} breach${count === 1 ? '' : 'es'}`}${proof}`
  })
  const totals = Object.entries(report.totals).map(([name, value]) => `  ${name.padEnd(26)} ${value}`)
  const drift = Object.entries(report.drift).map(([asset, value]) => `  drift ${asset.padEnd(20)} ${value}`)
  return `${title}${[...lines, ...totals, ...drift].join('\n')}\n`
}
