import { severityOf } from './level.ts'
import type { Level } from './level.ts'
import type { CheckResult } from './report.ts'

export interface LevelChange {
  readonly id: string
  readonly node: string | null
  readonly from: Level
  readonly to: Level
}

/** What a watch shows: worse at once, better after two better runs in a row. */
export interface ShownLevels {
  /** Takes the results of a run and gives back what is shown, with what changed. Results not in it go when `replaces` says so. */
  take(
    results: readonly CheckResult[],
    replaces: (result: CheckResult) => boolean,
  ): { readonly results: CheckResult[]; readonly changes: LevelChange[] }
}

interface Entry {
  shown: CheckResult
  better: number
}

const RUNS_UNTIL_BETTER = 2

export function createShownLevels(): ShownLevels {
  const entries = new Map<string, Entry>()
  return {
    take(results, replaces) {
      const changes: LevelChange[] = []
      const fresh = new Map(results.map(result => [keyOf(result), result]))
      for (const [key, { shown }] of entries) if (!fresh.has(key) && replaces(shown)) entries.delete(key)
      for (const [key, result] of fresh) {
        const entry = entries.get(key)
        if (entry === undefined) {
          entries.set(key, { shown: result, better: 0 })
          continue
        }
        const from = entry.shown.level
        if (!accept(entry, result)) continue
        entry.shown = result
        if (from !== result.level) changes.push({ id: result.id, node: result.node, from, to: result.level })
      }
      return { results: [...entries.values()].map(({ shown }) => shown), changes }
    },
  }
}

function accept(entry: Entry, result: CheckResult): boolean {
  const improves = severityOf(result.level) < severityOf(entry.shown.level)
  entry.better = improves ? entry.better + 1 : 0
  if (improves && entry.better < RUNS_UNTIL_BETTER) return false
  entry.better = 0
  return true
}

function keyOf({ id, node }: CheckResult): string {
  return `${id} ${node ?? ''}`
}
