import type { NodeCheck } from '../../check.ts'
import { pass, fail, skip, unknown } from '../../finding.ts'

export const replicaWritable: NodeCheck = {
  id: 'replica-writable',
  group: 'replication',
  on: 'data',
  caps: 'FFFW',
  guarantees: ['single-owner', 'shared-state'],
  title: 'Replicas refuse writes',
  why: 'A writable replica takes a claim that no other process sees and that the next copy from the master removes.',
  thresholds: 'fail: a replica with replica-read-only no',
  expected: 'replica-read-only yes',
  remedy: { text: 'Make the replica read-only.', command: 'redis-cli CONFIG SET replica-read-only yes' },
  judge({ node, setting }) {
    if (!node.role.known) return unknown(node.role)
    if (node.role.value !== 'replica') return skip('not-applicable', 'not a replica')
    const readOnly = setting('replica-read-only', 'slave_read_only', 'replica_read_only')
    if (!readOnly.known) return unknown(readOnly)
    if (readOnly.value === 'no' || readOnly.value === '0')
      return fail(readOnly, 'writable', 'Two processes can own the same key.')
    return pass(readOnly, 'read-only')
  },
}
