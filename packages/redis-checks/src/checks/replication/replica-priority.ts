import type { NodeCheck } from '../../check.ts'
import { pass, fail, skip, unknown } from '../../finding.ts'
import { firstKnown, mapFact, numberOf } from '../../fact.ts'
import type { Fact } from '../../fact.ts'
import type { NodeSubject } from '../../subject.ts'

export const replicaPriority: NodeCheck = {
  id: 'replica-priority',
  group: 'replication',
  on: 'masters',
  caps: 'FFFI',
  guarantees: ['answers-in-time'],
  title: 'Somebody may take over',
  why: 'Sentinel never promotes a replica of priority 0. When all have it, a dead master stays dead.',
  thresholds: 'fail: there are replicas, and all have priority 0',
  expected: 'a replica with replica-priority above 0',
  remedy: { text: 'Give a replica a priority above 0.', command: 'redis-cli CONFIG SET replica-priority 100' },
  judge({ deployment }) {
    if (deployment.topology === 'cluster') return skip('not-applicable', 'Cluster does not look at it')
    const replicas = deployment.nodes.filter(node => node.reachable && node.role.known && node.role.value === 'replica')
    if (replicas.length === 0) return skip('not-applicable', 'no replica answered')
    const shown = replicas.map(node => priorityOf(node))
    const unread = shown.find(priority => !priority.known)
    const [first] = shown
    if (shown.some(priority => priority.known && priority.value > 0))
      return pass(
        shown.find(priority => priority.known && priority.value > 0) ?? { evidence: 'none', source: '' },
        'a replica may take over',
      )
    if (unread !== undefined && !unread.known) return unknown(unread)
    if (first === undefined || !first.known) return skip('not-applicable', 'no replica answered')
    const remedy = { ...replicaPriority.remedy, ...(replicas[0] === undefined ? {} : { node: replicas[0].id }) }
    return fail(first, 'every replica has priority 0', 'A dead master stays dead.', { remedy })
  },
}

function priorityOf(node: NodeSubject['node']): Fact<number> {
  const shown = mapFact(node.info, fields => fields.get('slave_priority') ?? fields.get('replica_priority'))
  return numberOf(firstKnown(node.config.get('replica-priority') ?? shown, shown))
}
