import type { NodeCheck } from '../../check.ts'
import { pass, warn, skip, unknown } from '../../finding.ts'
import { aofOf } from '../../persistence-facts.ts'

export const rewriteFsync: NodeCheck = {
  id: 'rewrite-fsync',
  group: 'persistence',
  on: 'data',
  caps: 'WWI.',
  guarantees: ['survives-crash'],
  title: 'Rewrites do not suspend the disk',
  why: 'With no-appendfsync-on-rewrite yes nothing is synced to the disk while the append-only file is rewritten.',
  thresholds: 'warn: no-appendfsync-on-rewrite yes',
  expected: 'no-appendfsync-on-rewrite no',
  remedy: { text: 'Turn it off.', command: 'redis-cli CONFIG SET no-appendfsync-on-rewrite no' },
  judge(subject) {
    const aof = aofOf(subject)
    if (aof.known && !aof.value) return skip('not-applicable', 'the append-only file is off')
    const value = subject.setting('no-appendfsync-on-rewrite')
    if (!value.known) return unknown(value)
    if (value.value === 'yes')
      return warn(value, 'yes', 'During a rewrite a crash loses more than the fsync policy promises.')
    return pass(value, value.value)
  },
}
