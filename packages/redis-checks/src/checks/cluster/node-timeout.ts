import type { NodeCheck } from '../../check.ts'
import { pass, warn, skip, unknown } from '../../finding.ts'
import type { Remedy } from '../../finding.ts'

/** Below that a busy node is taken for a dead one. */
const LEAST_MS = 1000

export const nodeTimeout: NodeCheck = {
  id: 'node-timeout',
  group: 'cluster',
  on: 'data',
  caps: 'WWI.',
  guarantees: ['single-owner'],
  title: 'Failovers are faster than leases',
  why: 'A failover that takes longer than half a lease leaves holders without a way to renew.',
  thresholds: 'warn: cluster-node-timeout above leaseMs / 2',
  expected: 'cluster-node-timeout of at most leaseMs / 2',
  remedy: { text: 'Shorten cluster-node-timeout or use longer leases.' },
  judge({ deployment, context, settingNumber }) {
    if (deployment.topology !== 'cluster') return skip('not-applicable', 'not a Cluster')
    const { leaseMs } = context.expect
    if (leaseMs === undefined) return skip('not-declared', 'needs leaseMs')
    const timeout = settingNumber('cluster-node-timeout')
    if (!timeout.known) return unknown(timeout)
    const observed = `${timeout.value} ms with a lease of ${leaseMs} ms`
    if (timeout.value > leaseMs / 2)
      return warn(timeout, observed, 'Leases may end during a failover.', {
        data: { nodeTimeoutMs: timeout.value },
        remedy: shorten(Math.floor(leaseMs / 2)),
      })
    return pass(timeout, observed, { data: { nodeTimeoutMs: timeout.value } })
  },
}

function shorten(limitMs: number): Remedy {
  if (limitMs < LEAST_MS) return { text: 'Use longer leases.' }
  return {
    text: 'Shorten cluster-node-timeout on every node, or use longer leases.',
    command: `redis-cli CONFIG SET cluster-node-timeout ${limitMs}`,
  }
}
