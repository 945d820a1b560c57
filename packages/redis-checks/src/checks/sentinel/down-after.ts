import type { NodeCheck } from '../../check.ts'
import { pass, warn, skip, unknown } from '../../finding.ts'
import type { Remedy } from '../../finding.ts'
import { mapFact, numberOf } from '../../fact.ts'
import type { Fact } from '../../fact.ts'
import { shellWord } from '../../shell.ts'

/** Below that a busy master is taken for a dead one. */
const LEAST_MS = 1000

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
  remedy: { text: 'Shorten it, or use longer leases.' },
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
        remedy: shorten(fields, Math.floor(leaseMs / 2)),
      })
    return pass(downAfter, observed, { data: { downAfterMs: downAfter.value } })
  },
}

function shorten(fields: Fact<ReadonlyMap<string, string>>, limitMs: number): Remedy {
  const name = fields.known ? fields.value.get('name') : undefined
  if (name === undefined || limitMs < LEAST_MS) return { text: 'Use longer leases.' }
  return {
    text: 'Shorten it on every sentinel, or use longer leases.',
    command: `redis-cli SENTINEL SET ${shellWord(name)} down-after-milliseconds ${limitMs}`,
  }
}
