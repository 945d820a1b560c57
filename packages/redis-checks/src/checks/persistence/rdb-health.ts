import type { NodeCheck } from '../../check.ts'
import { pass, fail, unknown } from '../../finding.ts'

export const rdbHealth: NodeCheck = {
  id: 'rdb-health',
  group: 'persistence',
  on: 'data',
  caps: 'FFWI',
  fast: true,
  guarantees: ['survives-crash', 'answers-in-time'],
  title: 'Snapshots succeed',
  why: 'After a failed snapshot Redis refuses every write with MISCONF, as long as stop-writes-on-bgsave-error is yes.',
  thresholds: 'fail: the last BGSAVE failed',
  expected: 'rdb_last_bgsave_status ok',
  remedy: {
    text: 'Free disk space or memory for the fork, look at the log of the server, then save.',
    command: 'redis-cli BGSAVE',
  },
  judge({ node, info: field }) {
    const write = node.probe?.write
    if (write?.ok === false && write.code === 'MISCONF')
      return fail({ evidence: 'probe', source: 'SET' }, 'MISCONF', 'Redis refuses every write.')
    const status = field('rdb_last_bgsave_status')
    if (!status.known) return unknown(status)
    if (status.value !== 'ok')
      return fail(status, `last snapshot ${status.value}`, 'Redis may refuse every write with MISCONF.')
    return pass(status, 'last snapshot ok')
  },
}
