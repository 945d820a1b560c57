import type { NodeCheck } from '../../check.ts'
import { pass, fail, unknown } from '../../finding.ts'
import { missing } from '../../fact.ts'

export const evictionPolicy: NodeCheck = {
  id: 'eviction-policy',
  group: 'memory',
  on: 'data',
  caps: 'FFWI',
  guarantees: ['record-stays', 'single-owner'],
  title: 'Nothing is evicted',
  why: 'Under any policy but noeviction Redis removes keys when memory is full, without an error. The records and leases of this family are exactly the keys with a TTL, which volatile-* removes first: of 1000 records and 200 leases none survived. An effect whose record is gone runs again.',
  thresholds: 'fail: any policy but noeviction, also one nobody has heard of; an empty answer is unknown',
  expected: 'maxmemory-policy noeviction',
  remedy: {
    text: 'Set noeviction, then CONFIG REWRITE, or the next restart forgets it. Give caches a Redis of their own.',
    command: 'redis-cli CONFIG SET maxmemory-policy noeviction',
  },
  judge({ setting, infoNumber, grew }) {
    const policy = setting('maxmemory-policy', 'maxmemory_policy')
    const evicted = infoNumber('evicted_keys')
    // What was observed beats what was promised.
    if (
      policy.known &&
      policy.evidence === 'attested' &&
      policy.value === 'noeviction' &&
      evicted.known &&
      (grew('evicted_keys') ?? 0) > 0
    ) {
      return fail(
        { evidence: 'trace', source: 'INFO evicted_keys' },
        'attested noeviction, but keys were evicted',
        'Records and leases disappear without an error.',
      )
    }
    if (!policy.known) return unknown(policy)
    if (policy.value === '')
      return unknown(missing('not-shown', policy.source, `${policy.source} shows an empty policy`))
    if (policy.value !== 'noeviction')
      return fail(policy, policy.value, 'When memory is full, records and leases disappear without an error.')
    return pass(policy, policy.value)
  },
}
