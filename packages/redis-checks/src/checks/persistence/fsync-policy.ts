import type { NodeCheck } from '../../check.ts'
import { pass, info, fail, skip, unknown } from '../../finding.ts'
import { aofOf } from '../../persistence-facts.ts'

export const fsyncPolicy: NodeCheck = {
  id: 'fsync-policy',
  group: 'persistence',
  on: 'data',
  caps: 'FFII',
  guarantees: ['survives-crash'],
  title: 'Writes reach the disk',
  why: 'With appendfsync no the operating system decides when a write reaches the disk, often after 30 s; with everysec a crash of the host loses about 2 s of acknowledged writes.',
  thresholds: 'fail: no; info (strict: fail): everysec',
  expected: 'appendfsync always, or everysec outside strict',
  remedy: {
    text: 'Set appendfsync, then CONFIG REWRITE, or the next restart forgets it.',
    command: 'redis-cli CONFIG SET appendfsync always',
  },
  judge(subject) {
    const aof = aofOf(subject)
    if (!aof.known) return unknown(aof)
    if (!aof.value) return skip('not-applicable', 'the append-only file is off')
    const fsync = subject.setting('appendfsync')
    if (!fsync.known) return unknown(fsync)
    if (fsync.value === 'always') return pass(fsync, 'always')
    if (fsync.value === 'everysec') {
      const message = 'A crash of the host loses about 2 s of acknowledged writes.'
      return subject.strict ? fail(fsync, 'everysec', message) : info(fsync, 'everysec', message)
    }
    const least = subject.strict ? 'always' : 'everysec'
    return fail(fsync, fsync.value, 'A crash of the host loses acknowledged writes of half a minute.', {
      remedy: { ...fsyncPolicy.remedy, command: `redis-cli CONFIG SET appendfsync ${least}` },
    })
  },
}
