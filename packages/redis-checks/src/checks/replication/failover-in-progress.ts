import type { NodeCheck } from '../../check.ts'
import { pass, warn, unknown } from '../../finding.ts'

export const failoverInProgress: NodeCheck = {
  id: 'failover-in-progress',
  group: 'replication',
  on: 'data',
  caps: 'WWWI',
  fast: true,
  guarantees: ['answers-in-time'],
  title: 'No failover is under way',
  why: 'During a failover writes are refused or thrown away.',
  thresholds: 'warn: master_failover_state is busy, or a replica has lost its master',
  expected: 'no failover, link up',
  remedy: { text: 'Wait for it to end.', command: 'redis-cli INFO replication' },
  judge({ node, info: field }) {
    if (!node.info.known) return unknown(node.info)
    const state = field('master_failover_state')
    if (state.known && state.value !== 'no-failover') return warn(state, state.value, 'A failover is under way.')
    const link = field('master_link_status')
    if (link.known && link.value !== 'up')
      return warn(link, `link to the master ${link.value}`, 'This replica does not follow its master.')
    return pass(node.info, 'no failover')
  },
}
