import type { LossSignal } from './loss-signal.ts'
import type { Profile } from './level.ts'
import type { NodeFacts } from './node-facts.ts'
import type { NodeReport, Report } from './report.ts'
import { countersOf } from './subject.ts'

/** What makes a loss of records likely, by comparison with an earlier report. Pure. */
export function findLoss(
  nodes: readonly NodeFacts[],
  previous: Report | undefined,
  { profile, fast }: { readonly profile: Profile; readonly fast: boolean },
): LossSignal[] {
  if (previous === undefined) return []
  const signals: LossSignal[] = []
  for (const node of nodes) {
    if (!node.reachable || !node.role.known || node.role.value !== 'master') continue
    const before = previous.nodes.find(earlier => earlier.id === node.id)
    if (before === undefined) continue
    const found = [
      ...byMarker(node, before), // A fast run does not see how restarts keep data; it is followed by a full one.
      ...(fast ? [] : byRestart(node, before, profile)),
      ...byRole(node, before, profile),
      ...byFlush(node, before),
    ]
    signals.push(...found.map(signal => ({ node: node.id, ...signal })))
  }
  return signals
}

type Found = Omit<LossSignal, 'node'>

function byMarker({ marker }: NodeFacts, { marker: before, role }: NodeReport): Found[] {
  if (before === null || role !== 'master' || marker === null) return []
  if (!marker.known) {
    return marker.because === 'not-shown' ? [{ signal: 'marker-gone', suspected: 'every record' }] : []
  }
  if (marker.value.id !== before.id) return [{ signal: 'marker-replaced', suspected: 'every record' }]
  return marker.value.seq < before.seq ? [{ signal: 'marker-behind', suspected: 'the newest writes' }] : []
}

function byRestart(node: NodeFacts, before: NodeReport, profile: Profile): Found[] {
  if (!node.runId.known || before.runId === null || before.runId === node.runId.value) return []
  const setting = (name: string): string | undefined => {
    const fact = node.config.get(name)
    return fact?.known === true ? fact.value : undefined
  }
  const shown = node.info.known ? node.info.value.get('aof_enabled') : undefined
  const aof = setting('appendonly') ?? (shown === undefined ? undefined : shown === '1' ? 'yes' : 'no')
  if (aof === 'yes') {
    const fsync = setting('appendfsync')
    const lossless = fsync === 'always' || profile !== 'idempotency.strict'
    return lossless ? [] : [{ signal: 'restarted', suspected: 'about the last 2 s' }]
  }
  const save = setting('save')
  const snapshots = save !== undefined && save !== ''
  return [{ signal: 'restarted', suspected: snapshots ? 'everything since the last snapshot' : 'every record' }]
}

function byRole(_node: NodeFacts, before: NodeReport, profile: Profile): Found[] {
  const counts = profile === 'idempotency.strict' || profile === 'idempotency.standard'
  return before.role === 'replica' && counts
    ? [{ signal: 'master-changed', suspected: 'the writes that were not replicated' }]
    : []
}

function byFlush(node: NodeFacts, before: NodeReport): Found[] {
  // With the marker in sight its state says more, and cannot be somebody else's database.
  if (node.marker?.known === true && before.marker !== null) return []
  const now = countersOf(node)
  const grown = ['flushall_calls', 'flushdb_calls', 'swapdb_calls'].some(name => {
    const earlier = before.counters[name]
    const count = now[name]
    if (count === undefined || earlier === undefined) return false
    return count > earlier || (count < earlier && count > 0)
  })
  return grown ? [{ signal: 'flushed', suspected: 'every record' }] : []
}
