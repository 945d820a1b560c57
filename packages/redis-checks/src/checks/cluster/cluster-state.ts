import type { NodeCheck } from '../../check.ts'
import { pass, warn, fail, skip, unknown } from '../../finding.ts'

export const clusterState: NodeCheck = {
  id: 'cluster-state',
  group: 'cluster',
  on: 'data',
  caps: 'FFFW',
  fast: true,
  blocking: true,
  guarantees: ['answers-in-time', 'shared-state'],
  title: 'The Cluster serves every slot',
  why: 'A key in a slot without a master cannot be read or written; by default the whole Cluster then refuses everything.',
  thresholds: 'fail: state not ok, or unassigned or failed slots; warn: slots of nodes that may be failing',
  expected: 'cluster_state ok, 16384 slots assigned',
  remedy: { text: 'Bring the missing masters back, or assign their slots.', command: 'redis-cli CLUSTER INFO' },
  judge({ node, deployment }) {
    if (deployment.topology !== 'cluster') return skip('not-applicable', 'not a Cluster')
    const { clusterInfo } = node
    if (!clusterInfo.known) return unknown(clusterInfo)
    const field = (name: string): string => clusterInfo.value.get(name) ?? ''
    const number = (name: string): number => Number(field(name) || '0')
    const data = {
      assigned: number('cluster_slots_assigned'),
      failed: number('cluster_slots_fail'),
      mayFail: number('cluster_slots_pfail'),
    }
    if (field('cluster_state') !== 'ok')
      return fail(
        clusterInfo,
        `cluster_state ${field('cluster_state') || 'unknown'}`,
        'The Cluster refuses commands.',
        { data },
      )
    if (data.assigned !== 16_384)
      return fail(clusterInfo, `${data.assigned} of 16384 slots assigned`, 'Keys of the other slots cannot be used.', {
        data,
      })
    if (data.failed > 0)
      return fail(clusterInfo, `${data.failed} slots failed`, 'Keys of these slots cannot be used.', { data })
    if (data.mayFail > 0)
      return warn(clusterInfo, `${data.mayFail} slots may be failing`, 'A master does not answer its neighbours.', {
        data,
      })
    return pass(clusterInfo, 'ok, all slots assigned', { data })
  },
}
