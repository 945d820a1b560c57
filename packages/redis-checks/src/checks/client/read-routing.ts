import type { ClientCheck } from '../../check.ts'
import { pass, fail, byOption } from '../../finding.ts'

export const readRouting: ClientCheck = {
  id: 'read-routing',
  group: 'client',
  on: ['effect'],
  caps: 'FFWI',
  guarantees: ['single-owner', 'shared-state'],
  title: 'Reads from the master',
  why: 'A read from a replica can be older than the write before it: a record that was written a moment ago is not there yet, and the effect runs again.',
  thresholds: "fail: scaleReads is not 'master', role is 'slave', or readOnly is set",
  expected: "scaleReads 'master', no readOnly, role 'master'",
  remedy: { text: "Set scaleReads: 'master' and leave role and readOnly alone." },
  judge({ kind, node, top }) {
    const from = byOption(kind === 'cluster' ? 'scaleReads' : 'role')
    if (kind === 'cluster' && top.scaleReads !== undefined && top.scaleReads !== 'master') {
      return fail(
        from,
        typeof top.scaleReads === 'string' ? `scaleReads ${top.scaleReads}` : 'scaleReads is a function',
        'Reads may be older than writes.',
      )
    }
    if (node.role === 'slave') return fail(from, "role 'slave'", 'The client reads from a replica.')
    if (node.readOnly === true) return fail(from, 'readOnly', 'The client reads from replicas.')
    return pass(from, 'master')
  },
}
