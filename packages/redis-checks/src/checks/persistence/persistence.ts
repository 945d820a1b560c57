import type { NodeCheck } from '../../check.ts'
import { pass, warn, fail, unknown } from '../../finding.ts'
import { aofOf } from '../../persistence-facts.ts'
import { savePoints } from '../../persistence-facts.ts'

export const persistence: NodeCheck = {
  id: 'persistence',
  group: 'persistence',
  on: 'data',
  caps: 'FFII',
  guarantees: ['survives-crash', 'record-stays'],
  title: 'Data survives a restart',
  why: 'Without AOF and snapshots a restart comes back empty: every record and lease is gone, and every effect may run again. With snapshots alone everything since the last one is gone. rdb_last_save_time proves nothing: Redis sets it at each start.',
  thresholds: 'fail: neither AOF nor save points; warn (strict: fail): snapshots only',
  expected: 'appendonly yes',
  remedy: {
    text: 'Turn the append-only file on, then CONFIG REWRITE, or the next restart forgets it.',
    command: 'redis-cli CONFIG SET appendonly yes',
  },
  judge(subject) {
    const aof = aofOf(subject)
    if (aof.known && aof.value) return pass(aof, 'append-only file')
    if (!aof.known) return unknown(aof)
    const save = savePoints(subject)
    if (!save.known) return unknown(save)
    if (!save.value)
      return fail(
        aof,
        'neither append-only file nor snapshots',
        'A restart comes back empty: every effect may run again.',
      )
    const message = 'A crash loses everything since the last snapshot.'
    return subject.strict ? fail(save, 'snapshots only', message) : warn(save, 'snapshots only', message)
  },
}
