import { severityOf } from './level.ts'
import type { Report } from './report.ts'

const NAME = 'safety_redis_check_level'
const HELP = 'Worst level of each Redis check: 0 pass, 1 info, 2 warn, 3 unknown, 4 fail'

/** What is used of a prom-client `Registry`. */
export interface MetricRegistry {
  getSingleMetric(name: string): unknown
  // prom-client takes its own classes here; any object with these methods serves it.
  registerMetric(metric: never): void
}

/** Registers the gauge, unless somebody else has the name: that one is left alone. Its values are read from `report`. */
export function registerLevelMetric(registry: MetricRegistry, report: () => Report | null): void {
  if (registry.getSingleMetric(NAME) !== undefined) return
  const metric = {
    name: NAME,
    help: HELP,
    type: 'gauge',
    aggregator: 'max',
    labelNames: ['check'],
    get: () =>
      Promise.resolve({ name: NAME, help: HELP, type: 'gauge', aggregator: 'max', values: valuesOf(report()) }),
    reset: () => undefined,
  }
  registry.registerMetric(metric as never)
}

function valuesOf(report: Report | null): { value: number; labels: { check: string } }[] {
  const worst = new Map<string, number>()
  for (const { id, level } of report?.results ?? []) worst.set(id, Math.max(worst.get(id) ?? 0, severityOf(level)))
  return [...worst].map(([check, value]) => ({ value, labels: { check } }))
}
