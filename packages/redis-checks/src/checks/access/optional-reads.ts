import type { NodeCheck } from '../../check.ts'
import { pass, info } from '../../finding.ts'

export const optionalReads: NodeCheck = {
  id: 'optional-reads',
  group: 'access',
  on: 'data',
  caps: 'IIII',
  guarantees: ['honest-report'],
  title: 'Redis shows what it is',
  why: 'Where INFO, CONFIG, ROLE or CLUSTER are refused, some verdicts have weaker evidence or none.',
  thresholds: 'info: INFO, CONFIG, ROLE or CLUSTER is refused; lists what lost evidence',
  expected: 'INFO, CONFIG GET, ROLE and CLUSTER are readable',
  remedy: { text: 'Allow reading them, or attest the facts in expect.attest.' },
  judge({ node }) {
    const from = { evidence: 'probe' as const, source: 'replies' }
    const refused = [
      ...new Set(
        node.refused.map(({ command }) =>
          command
            .split(' ')
            .slice(0, command.startsWith('CONFIG') ? 2 : 1)
            .join(' '),
        ),
      ),
    ]
    if (refused.length === 0) return pass(from, 'all readable')
    const lost = refused.flatMap(command => LOST[command] ?? [])
    return info(from, `refused: ${refused.join(', ')}`, `Lost evidence: ${[...new Set(lost)].join(', ') || 'none'}.`, {
      data: { refused: refused.join(' ') },
    })
  },
}

const LOST: Readonly<Record<string, readonly string[]>> = {
  INFO: [
    'evictions',
    'memory-headroom',
    'aof-health',
    'rdb-health',
    'replica-count',
    'replication-lag',
    'data-loss',
    'connections',
  ],
  'CONFIG GET': ['eviction-policy', 'persistence', 'fsync-policy', 'min-replicas', 'node-parity'],
  ROLE: ['role'],
  CLUSTER: ['cluster-state', 'node-coverage'],
  TIME: ['clock-skew'],
  HELLO: ['role', 'server-version'],
}
