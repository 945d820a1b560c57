import type { NodeCheck } from '../../check.ts'
import { pass, warn, skip, unknown } from '../../finding.ts'
import { aofOf } from '../../persistence-facts.ts'
import { savePoints } from '../../persistence-facts.ts'

export const stopWrites: NodeCheck = {
  id: 'stop-writes',
  group: 'persistence',
  on: 'data',
  caps: 'WWI.',
  guarantees: ['survives-crash'],
  title: 'A failing snapshot stops writes',
  why: 'With snapshots as the only persistence and stop-writes-on-bgsave-error no, Redis goes on acknowledging writes that no snapshot will ever hold.',
  thresholds: 'warn: snapshots only, and stop-writes-on-bgsave-error no',
  expected: 'stop-writes-on-bgsave-error yes',
  remedy: {
    text: 'Turn it on, or turn the append-only file on.',
    command: 'redis-cli CONFIG SET stop-writes-on-bgsave-error yes',
  },
  judge(subject) {
    const aof = aofOf(subject)
    const save = savePoints(subject)
    if (aof.known && aof.value) return skip('not-applicable', 'the append-only file is on')
    if (save.known && !save.value) return skip('not-applicable', 'there are no save points')
    const stop = subject.setting('stop-writes-on-bgsave-error')
    if (!aof.known) return unknown(aof)
    if (!save.known) return unknown(save)
    if (!stop.known) return unknown(stop)
    if (stop.value === 'no') return warn(stop, 'no', 'A full disk goes unnoticed until the restart.')
    return pass(stop, stop.value)
  },
}
