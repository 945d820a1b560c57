import type { ClientCheck } from '../../check.ts'
import { pass, fail, skip, byOption } from '../../finding.ts'

export const failoverDetector: ClientCheck = {
  id: 'failover-detector',
  group: 'client',
  on: ['effect'],
  caps: 'FWWI',
  guarantees: ['survives-crash', 'single-owner'],
  title: 'Sentinel failovers are noticed',
  why: 'Without failoverDetector a client stays on an old master that paused and came back: until the sentinels demote it, everything it acknowledges is thrown away.',
  thresholds: 'fail: a Sentinel client without failoverDetector',
  expected: 'failoverDetector: true',
  remedy: { text: 'Set failoverDetector: true on the Sentinel client.' },
  judge({ kind, node }) {
    if (kind !== 'sentinel') return skip('not-applicable', 'not a Sentinel client')
    const from = byOption('failoverDetector')
    if (node.failoverDetector === true) return pass(from, 'true')
    return fail(
      from,
      String(node.failoverDetector ?? 'false (default)'),
      'Writes to a paused old master are acknowledged and lost.',
    )
  },
}
