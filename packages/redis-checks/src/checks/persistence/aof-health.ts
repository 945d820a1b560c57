import type { NodeCheck } from '../../check.ts'
import { pass, warn, fail, skip, unknown } from '../../finding.ts'

export const aofHealth: NodeCheck = {
  id: 'aof-health',
  group: 'persistence',
  on: 'data',
  caps: 'FFII',
  fast: true,
  guarantees: ['survives-crash'],
  title: 'The append-only file is written',
  why: 'A failing write to the append-only file stops Redis from taking writes; rewrites that fail again and again fill the disk.',
  thresholds: 'fail: last write err, or 3 failed rewrites in a row; warn: last rewrite err',
  expected: 'last write and rewrite ok',
  remedy: {
    text: 'Free disk space and look at the log of the server, then rewrite.',
    command: 'redis-cli BGREWRITEAOF',
  },
  judge({ infoNumber, info: field }) {
    const enabled = field('aof_enabled')
    if (!enabled.known) return unknown(enabled)
    if (enabled.value !== '1') return skip('not-applicable', 'the append-only file is off')
    const write = field('aof_last_write_status')
    const rewrite = field('aof_last_bgrewrite_status')
    const failures = infoNumber('aof_rewrites_consecutive_failures')
    if (!write.known) return unknown(write)
    if (write.value !== 'ok')
      return fail(write, `last write ${write.value}`, 'Redis cannot write its append-only file.')
    if (failures.known && failures.value >= 3)
      return fail(failures, `${failures.value} failed rewrites in a row`, 'The file grows until the disk is full.')
    if (rewrite.known && rewrite.value !== 'ok')
      return warn(rewrite, `last rewrite ${rewrite.value}`, 'The file could not be rewritten.')
    return pass(write, 'last write ok')
  },
}
