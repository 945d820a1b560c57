import type { DeploymentCheck } from '../../check.ts'
import { pass, unknown } from '../../finding.ts'
import { missing } from '../../fact.ts'

export const nodeCoverage: DeploymentCheck = {
  id: 'node-coverage',
  group: 'cluster',
  on: 'deployment',
  caps: 'WWWI',
  guarantees: ['honest-report'],
  title: 'Every listed node was examined',
  why: 'What was not looked at is not known: the node that was left out may be the next master.',
  thresholds: 'unknown: a listed node was not examined',
  expected: 'every listed node answers',
  remedy: { text: 'Make every node reachable from here; use natMap where addresses differ.' },
  judge({ deployment }) {
    const { nodes, notExamined } = deployment
    if (notExamined.length === 0)
      return pass({ evidence: 'info', source: 'topology' }, `${nodes.length} of ${nodes.length} examined`)
    return unknown(missing('unreachable', 'topology', `not examined: ${notExamined.join(', ')}`), nodeCoverage.remedy)
  },
}
