import type { NodeCheck } from '../../check.ts'
import { pass, fail, skip, unknown } from '../../finding.ts'

export const sentinelQuorum: NodeCheck = {
  id: 'sentinel-quorum',
  group: 'sentinel',
  on: 'sentinels',
  caps: 'FFFW',
  fast: true,
  guarantees: ['answers-in-time'],
  title: 'Sentinels can fail over',
  why: 'Without a quorum and a majority of sentinels a dead master stays dead.',
  thresholds: 'fail: SENTINEL CKQUORUM errs',
  expected: 'OK by CKQUORUM',
  remedy: { text: 'Bring the missing sentinels back.', command: 'redis-cli SENTINEL MASTERS' },
  judge({ node }) {
    const quorum = node.sentinel?.quorum
    if (quorum === undefined) return skip('not-applicable', 'no master name')
    if (!quorum.known) return unknown(quorum)
    if (!quorum.value.usable) return fail(quorum, quorum.value.text, 'A dead master stays dead.')
    return pass(quorum, 'quorum and majority')
  },
}
