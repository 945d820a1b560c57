import type { ClientCheck } from '../../check.ts'
import { pass, warn, skip, byOption } from '../../finding.ts'

export const misplacedOption: ClientCheck = {
  id: 'misplaced-option',
  group: 'client',
  on: ['effect', 'worker'],
  caps: 'WWWW',
  guarantees: ['honest-report'],
  title: 'Cluster options where they count',
  why: 'A Cluster client ignores enableOfflineQueue inside redisOptions: while the Cluster is away its commands stay pending (redis/ioredis#1604).',
  thresholds: 'warn: Cluster with redisOptions.enableOfflineQueue',
  expected: 'enableOfflineQueue beside redisOptions',
  remedy: { text: 'Move enableOfflineQueue from redisOptions to the top level of the Cluster options.' },
  judge({ kind, node }) {
    if (kind !== 'cluster') return skip('not-applicable', 'not a Cluster client')
    const from = byOption('redisOptions.enableOfflineQueue')
    if (node.enableOfflineQueue === undefined) return pass(from, 'not set')
    return warn(from, `${node.enableOfflineQueue} (ignored there)`, 'The option has no effect inside redisOptions.')
  },
}
