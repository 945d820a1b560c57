import type { NodeCheck } from '../../check.ts'
import { pass, warn, fail, unknown } from '../../finding.ts'

export const evictions: NodeCheck = {
  id: 'evictions',
  group: 'memory',
  on: 'data',
  caps: 'FFWI',
  fast: true,
  guarantees: ['record-stays', 'single-owner'],
  title: 'Nothing was evicted',
  why: 'evicted_keys above 0 means that this server has already removed keys to make room. Which ones, nobody knows.',
  thresholds: 'warn: evicted_keys above 0; fail: it grew since the earlier report',
  expected: 'evicted_keys 0',
  remedy: {
    text: 'Set noeviction, add memory, and reconcile the effects of the time concerned. The count stays until a restart.',
    command: 'redis-cli CONFIG SET maxmemory-policy noeviction',
  },
  judge({ infoNumber, grew }) {
    const evicted = infoNumber('evicted_keys')
    if (!evicted.known) return unknown(evicted)
    const since = grew('evicted_keys')
    const extra = { data: { evictedKeys: evicted.value } }
    if (since !== null && since > 0)
      return fail(evicted, `${since} keys evicted since the last report`, 'Redis is removing keys now.', extra)
    if (evicted.value > 0)
      return warn(
        evicted,
        `${evicted.value} keys evicted since its start`,
        'Redis has removed keys; records may be among them.',
        extra,
      )
    return pass(evicted, '0 keys evicted', extra)
  },
}
