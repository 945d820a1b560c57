import type { NodeCheck } from '../../check.ts'
import { pass, warn, skip, unknown } from '../../finding.ts'
import { mapFact, numberOf } from '../../fact.ts'

export const downAfter: NodeCheck = {
  id: 'down-after',
  group: 'sentinel',
  on: 'sentinels',
  caps: 'WWI.',
  guarantees: ['single-owner'],
  title: 'Failovers begin before leases end',
  why: 'Until down-after-milliseconds have passed nobody even starts a failover; holders cannot renew meanwhile.',
  thresholds: 'warn: down-after-milliseconds above leaseMs / 2',
  expected: 'down-after-milliseconds of at most leaseMs / 2',
  remedy: {
    text: 'Shorten it, or use longer leases.',
    command: 'redis-cli SENTINEL SET <name> down-after-milliseconds 5000',
  },
  judge({ node, context }) {
    const { leaseMs } = context.expect
    if (leaseMs === undefined) return skip('not-declared', 'needs leaseMs')
    const fields = node.sentinel?.masterFields
    if (fields === undefined) return skip('not-applicable', 'no master name')
    const downAfter = numberOf(mapFact(fields, pairs => pairs.get('down-after-milliseconds')))
    if (!downAfter.known) return unknown(downAfter)
    const observed = `${downAfter.value} ms with a lease of ${leaseMs} ms`
    if (downAfter.value > leaseMs / 2)
      return warn(downAfter, observed, 'Leases may end before a failover begins.', {
        data: { downAfterMs: downAfter.value },
      })
    return pass(downAfter, observed, { data: { downAfterMs: downAfter.value } })
  },
}
