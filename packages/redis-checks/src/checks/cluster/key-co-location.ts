import type { DeploymentCheck } from '../../check.ts'
import { pass, fail, skip } from '../../finding.ts'
import { slotOf } from '../../slot.ts'

export const keyCoLocation: DeploymentCheck = {
  id: 'key-co-location',
  group: 'cluster',
  on: 'deployment',
  caps: 'FFF.',
  guarantees: ['shared-state'],
  title: 'Keys that belong together share a slot',
  why: 'A script or transaction over keys of several slots is refused with CROSSSLOT.',
  thresholds: 'fail: an entry of keyGroups lies in several slots',
  expected: 'one slot for each group',
  remedy: { text: 'Give the keys of a group one hash tag: orders:{42}:lock and orders:{42}:record.' },
  judge({ deployment, context }) {
    const { keyGroups, topology } = context.expect
    if (keyGroups === undefined) return skip('not-declared', 'needs keyGroups')
    if (deployment.topology !== 'cluster' && topology !== 'cluster') return skip('not-applicable', 'not a Cluster')
    const from = { evidence: 'options' as const, source: 'expect.keyGroups' }
    // The keys themselves are never shown.
    const split = keyGroups.flatMap((keys, index) => (new Set(keys.map(key => slotOf(key))).size > 1 ? [index] : []))
    if (split.length > 0)
      return fail(from, `keyGroups ${split.join(', ')} lie in several slots`, 'Scripts over these keys are refused.')
    return pass(from, `${keyGroups.length} groups, one slot each`)
  },
}
