import type { DeploymentCheck } from '../../check.ts'
import { pass, info, warn, skip } from '../../finding.ts'

export const sentinelCount: DeploymentCheck = {
  id: 'sentinel-count',
  group: 'sentinel',
  on: 'deployment',
  caps: 'WWWI',
  guarantees: ['answers-in-time'],
  title: 'Enough sentinels',
  why: 'Two sentinels cannot outvote each other: when one is lost with the master, nobody fails over.',
  thresholds: 'warn: under 3; info: an even number',
  expected: '3 or another odd number above',
  remedy: { text: 'Run three sentinels on three hosts.' },
  judge({ deployment, sentinels }) {
    if (deployment.clientKind !== 'sentinel') return skip('not-applicable', 'no Sentinel')
    const [first] = sentinels
    if (first === undefined) return skip('unreachable', 'no sentinel answered')
    const count = deployment.nodes.filter(node => node.kind === 'sentinel').length
    const from = { evidence: 'info' as const, source: 'SENTINEL SENTINELS' }
    const extra = { data: { sentinels: count } }
    if (count < 3) return warn(from, `${count}`, 'The loss of one leaves no majority.', extra)
    if (count % 2 === 0) return info(from, `${count}`, 'One more does not make it safer than one less.', extra)
    return pass(from, `${count}`, extra)
  },
}
