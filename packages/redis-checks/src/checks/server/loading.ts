import type { NodeCheck } from '../../check.ts'
import { pass, warn, fail, unknown } from '../../finding.ts'

export const loading: NodeCheck = {
  id: 'loading',
  group: 'server',
  on: 'data',
  caps: 'FFFW',
  fast: true,
  blocking: true,
  guarantees: ['answers-in-time'],
  title: 'The data is loaded',
  why: 'While Redis loads its data from disk it refuses every command that touches a key.',
  thresholds: 'fail: a master is loading; warn: a replica is',
  expected: 'not loading',
  remedy: { text: 'Wait for the load to end.', command: 'redis-cli INFO persistence' },
  judge({ node, isMaster, info: field }) {
    if (!node.loading.known) return unknown(node.loading)
    if (!node.loading.value) return pass(node.loading, 'not loading')
    const eta = field('loading_eta_seconds')
    const observed = eta.known ? `loading, about ${eta.value} s left` : 'loading'
    return isMaster
      ? fail(node.loading, observed, 'Every call is refused until the data is loaded.')
      : warn(node.loading, observed, 'This replica cannot take over yet.')
  },
}
