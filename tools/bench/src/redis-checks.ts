import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { startRedis } from '@safety/redis-core/testing'

import { atMost, conclude, median, percentile } from './report.ts'
import type { BenchOptions, Row } from './report.ts'

const RUNS = 31
const QUICK_RUNS = 5
const MAIN = join(import.meta.dirname, '../../../packages/redis-checks/src/cli/main.ts')

interface Measured {
  readonly wallMs: number
  readonly stdout: string
}

/** What a full run of the doctor on loopback takes beyond the start of its process, and inside it. */
export async function runRedisChecksBench(options: BenchOptions): Promise<number> {
  const runs = options.quick === true ? QUICK_RUNS : RUNS
  await using server = await startRedis({ aof: 'everysec' })
  const start: number[] = []
  const full: number[] = []
  const inside: number[] = []
  for (let run = 0; run < runs; run++) {
    // The same process without a connection, taking turns with the full run.
    start.push((await doctor(['--explain', 'role'])).wallMs)
    const { wallMs, stdout } = await doctor([server.url, '--json'])
    full.push(wallMs)
    inside.push((JSON.parse(stdout) as { durationMs: number }).durationMs)
  }
  const rows = [row('process without a connection', start), row('full doctor run', full), row('its checks', inside)]
  const gates = [
    atMost('full doctor run beyond process start, ms, median', median(full) - median(start), 50),
    atMost('checks of a full run on loopback, ms, median', median(inside), 50),
  ]
  return conclude({ bench: 'redis-checks', redis: server.version, runs, rows, gates }, options)
}

async function doctor(args: readonly string[]): Promise<Measured> {
  const startedMs = performance.now()
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, 'doctor', ...args])
  return { wallMs: performance.now() - startedMs, stdout }
}

function row(name: string, takenMs: readonly number[]): Row {
  const us = takenMs.map(ms => ms * 1000).sort((a, b) => a - b)
  return {
    name,
    calls: takenMs.length,
    p50Us: Math.round(median(us)),
    p99Us: Math.round(percentile(us, 0.99)),
    callsPerSecond: null,
  }
}
