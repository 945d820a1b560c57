import { conclude } from './build-report.ts'
import { checks } from './catalogue.gen.ts'
import type { ResolvedWatch } from './options.ts'
import { tagOf } from './redis/read-node.ts'
import type { RunResult } from './redis-checks.ts'
import type { NodeReport, Report } from './report.ts'
import { createShownLevels } from './shown-levels.ts'
import type { LevelChange } from './shown-levels.ts'

const FAST_IDS: ReadonlySet<string> = new Set(checks.filter(check => check.fast === true).map(check => check.id))

/** What a watch remembers between runs. */
export interface WatchState {
  /** What is shown: the last full run, brought up to date by fast ones, with hysteresis. */
  readonly report: Report | null
  /** What the next run compares with. */
  readonly previous: Report | undefined
  readonly refusedBefore: ReadonlyMap<string, ReadonlySet<string>>
  readonly markerTags: ReadonlyMap<string, string>
  take(
    result: RunResult,
    fast: boolean,
  ): {
    readonly changes: readonly LevelChange[]
    readonly appeared: readonly string[]
    readonly gone: readonly string[]
    /** Another server, role or history than before: a fast run is not enough. */
    readonly moved: boolean
  }
}

export function createWatchState(options: ResolvedWatch): WatchState {
  const shown = createShownLevels()
  const refusedBefore = new Map<string, Set<string>>()
  const markerTags = new Map<string, string>()
  const histories = new Map<string, string>()
  let report: Report | null = null
  let previous = options.previous

  function remember({ report: fresh, deployment }: RunResult): void {
    for (const { id, refused } of fresh.nodes) {
      const known = refusedBefore.get(id) ?? new Set()
      for (const { command, how } of refused) if (how === 'NOPERM') known.add(command)
      refusedBefore.set(id, known)
    }
    for (const node of deployment.nodes) {
      const tag = node.marker?.known === true ? tagOf(node) : undefined
      if (tag !== undefined) markerTags.set(node.id, tag)
    }
  }
  function historyChanged({ deployment }: RunResult): boolean {
    let changed = false
    for (const node of deployment.nodes) {
      const now = node.info.known
        ? `${node.info.value.get('run_id')} ${node.info.value.get('role')} ${node.info.value.get('master_replid')}`
        : undefined
      const before = histories.get(node.id)
      if (now === undefined) continue
      changed ||= before !== undefined && before !== now
      histories.set(node.id, now)
    }
    return changed
  }
  return {
    get report() {
      return report
    },
    get previous() {
      return previous
    },
    refusedBefore,
    markerTags,
    take(result, fast) {
      const before = new Set(report?.nodes.map(({ id }) => id))
      const now = new Set(result.report.nodes.map(({ id }) => id))
      const moved = historyChanged(result) && fast
      const replaces = (old: { id: string; node: string | null }): boolean =>
        !fast || FAST_IDS.has(old.id) || (old.node !== null && !now.has(old.node))
      const { results, changes } = shown.take(result.report.results, replaces)
      report = merge(report, result, conclude(results, result.deployment, options), fast)
      // The full run that follows a move must see it as well.
      if (!moved) previous = { ...report, nodes: carryMarkers(result.report.nodes, previous) }
      if (!fast) remember(result)
      return {
        changes,
        moved,
        appeared: before.size === 0 ? [] : [...now].filter(id => !before.has(id)),
        gone: [...before].filter(id => !now.has(id)),
      }
    },
  }
}

function merge(
  shown: Report | null,
  { report }: RunResult,
  verdict: ReturnType<typeof conclude>,
  fast: boolean,
): Report {
  if (!fast || shown === null) return { ...report, ...verdict }
  const kept = shown.skipped.filter(({ id }) => !FAST_IDS.has(id))
  const skipped = [...kept, ...report.skipped.filter(({ id }) => FAST_IDS.has(id))]
  const nodes = report.nodes.map(node => {
    const earlier = shown.nodes.find(({ id }) => id === node.id)
    return { ...node, refused: earlier?.refused ?? node.refused, marker: node.marker ?? earlier?.marker ?? null }
  })
  return { ...report, ...verdict, nodes, skipped, acknowledgements: shown.acknowledgements }
}

/** A run that did not read the marker keeps the one read before. */
function carryMarkers(nodes: readonly NodeReport[], previous: Report | undefined): NodeReport[] {
  return nodes.map(node => {
    const earlier = previous?.nodes.find(({ id }) => id === node.id)
    return { ...node, marker: node.marker ?? (node.reachable ? null : (earlier?.marker ?? null)) }
  })
}
