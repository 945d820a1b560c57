import type { NodeCheck } from '../../check.ts'
import { pass, warn, fail, unknown } from '../../finding.ts'
import { known, missing } from '../../fact.ts'
import type { Fact } from '../../fact.ts'
import type { NodeSubject } from '../../subject.ts'
import { memoryRemedy } from '../../memory-remedy.ts'
import { megabytes } from '../../quantity.ts'
import { percent } from '../../quantity.ts'

export const memoryHeadroom: NodeCheck = {
  id: 'memory-headroom',
  group: 'memory',
  on: 'data',
  caps: 'FFWI',
  fast: true,
  guarantees: ['answers-in-time', 'record-stays'],
  title: 'Free memory',
  why: 'At the limit a Redis with noeviction refuses every write: no claim, no record, no lease.',
  thresholds:
    '(used - not counted) / maxmemory, without a limit RSS / system memory: warn from 75 %, fail from 90 %; fail: free below minFreeBytes',
  expected: 'below 75 % used',
  remedy: { text: 'Add memory, shorten retention, or move other data away.', command: 'redis-cli INFO memory' },
  judge(subject) {
    const room = roomOf(subject)
    if (!room.known) return unknown(room)
    const { usedBytes, totalBytes } = room.value
    const ratio = usedBytes / totalBytes
    const freeBytes = totalBytes - usedBytes
    const observed = `${percent(ratio)} of ${megabytes(totalBytes)} used`
    const extra = {
      data: { usedBytes, totalBytes, freeBytes, usedRatio: ratio },
      ...(ratio < 0.75 ? {} : { remedy: memoryRemedy(subject) }),
    }
    const least = subject.context.expect.minFreeBytes
    if (least !== undefined && freeBytes < least) {
      return fail(room, `${megabytes(freeBytes)} free`, 'Less is free than the application needs.', {
        ...extra,
        expected: `${megabytes(least)} free`,
      })
    }
    if (ratio >= 0.9) return fail(room, observed, 'Soon every write is refused.', extra)
    if (ratio >= 0.75) return warn(room, observed, 'Writes will be refused at the limit.', extra)
    return pass(room, observed, extra)
  },
}

function roomOf(subject: NodeSubject): Fact<{ usedBytes: number; totalBytes: number }> {
  const limit = subject.settingNumber('maxmemory', 'maxmemory')
  if (limit.known && limit.value > 0) {
    const used = subject.infoNumber('used_memory')
    if (!used.known) return used
    const aside = subject.infoNumber('mem_not_counted_for_evict')
    return known(
      { usedBytes: used.value - (aside.known ? aside.value : 0), totalBytes: limit.value },
      'info',
      'INFO used_memory',
    )
  }
  const rss = subject.infoNumber('used_memory_rss', 'used_memory')
  const system = subject.infoNumber('total_system_memory')
  if (!rss.known) return rss
  if (!system.known) return limit.known ? system : limit
  if (system.value <= 0) return missing('not-shown', system.source, 'INFO shows no total_system_memory')
  return known({ usedBytes: rss.value, totalBytes: system.value }, 'info', 'INFO used_memory_rss')
}
