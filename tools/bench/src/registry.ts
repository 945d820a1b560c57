import { runBreakerFleetBench } from './breaker-fleet.ts'
import { runBreakerBench } from './breaker.ts'
import { runFaultsBench } from './faults.ts'
import { runIdempotencyBench } from './idempotency.ts'
import { runRedisChecksBench } from './redis-checks.ts'
import { runRedisCoreBench } from './redis-core.ts'
import type { BenchOptions } from './report.ts'

/** A bench prints its tables, writes its report, and returns its exit code: 1 if a gate failed, else 0. */
export interface Bench {
  readonly name: string
  readonly run: (options: BenchOptions) => Promise<number>
}

export const benches: readonly Bench[] = [
  { name: 'redis-core', run: runRedisCoreBench },
  { name: 'faults', run: runFaultsBench },
  { name: 'idempotency', run: runIdempotencyBench },
  { name: 'redis-checks', run: runRedisChecksBench },
  { name: 'breaker', run: runBreakerBench },
  { name: 'breaker-fleet', run: runBreakerFleetBench },
]
