import { writeFile } from 'node:fs/promises'

export interface BenchOptions {
  /** File to write the report to. */
  json?: string
  /** Fewer calls, to see that the bench runs; its figures mean little. */
  quick?: boolean
  /** `faults`: the seeds of its schedule, such as `1,2,3`. */
  seeds?: string
  /** `faults`: keys per seed. */
  keys?: string
  /** breaker-fleet: how many processes, calls a second of each, outage and Redis fault; one scenario instead of all. */
  processes?: number
  rate?: number
  outage?: string
  fault?: string
}

/** A number the page promises. `value` passes when it is on the right side of `limit`. */
export interface Gate {
  readonly name: string
  readonly value: number
  readonly limit: number
  readonly pass: boolean
}

/** One measured way of doing something. */
export interface Row {
  readonly name: string
  readonly calls: number
  readonly p50Us: number | null
  readonly p99Us: number | null
  readonly callsPerSecond: number | null
}

export interface Report {
  readonly bench: string
  readonly gates: readonly Gate[]
  readonly rows: readonly Row[]
  readonly [detail: string]: unknown
}

export function atMost(name: string, value: number, limit: number): Gate {
  return { name, value: rounded(value), limit, pass: value <= limit }
}

export function atLeast(name: string, value: number, limit: number): Gate {
  return { name, value: rounded(value), limit, pass: value >= limit }
}

/** Prints the tables, writes the JSON file, and returns the exit code: 1 if a gate failed, else 0. */
export async function conclude(report: Report, options: BenchOptions): Promise<number> {
  console.log(`\n${report.bench} (Node ${process.versions.node})`)
  console.table(
    report.rows.map(row => ({
      what: row.name,
      calls: row.calls,
      'p50 us': row.p50Us ?? '-',
      'p99 us': row.p99Us ?? '-',
      'calls/s': row.callsPerSecond ?? '-',
    })),
  )
  console.table(report.gates.map(gate => ({ gate: gate.name, value: gate.value, limit: gate.limit, pass: gate.pass })))
  if (options.json !== undefined) {
    await writeFile(
      options.json,
      `${JSON.stringify({ schemaVersion: 1, node: process.versions.node, ...report }, null, 2)}\n`,
    )
  }
  return report.gates.every(gate => gate.pass) ? 0 : 1
}

/** The value below which `share` of the sorted samples lie. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** The rate of the fast rounds: whatever else the machine does can only make a round slower. */
export function fastRate(perSecond: readonly number[]): number {
  return percentile(Float64Array.from(perSecond).sort(), 0.8)
}

export function median(values: readonly number[]): number {
  return percentile(Float64Array.from(values).sort(), 0.5)
}

function rounded(value: number): number {
  return Number(value.toPrecision(4))
}
