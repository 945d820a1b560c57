import type { NodeCheck } from '../../check.ts'
import { pass, warn, fail, skip, unknown } from '../../finding.ts'
import { megabytes } from '../../quantity.ts'

export const capacityFit: NodeCheck = {
  id: 'capacity-fit',
  group: 'memory',
  on: 'masters',
  caps: 'FWI.',
  guarantees: ['answers-in-time', 'record-stays'],
  title: 'The records fit',
  why: 'Records per second times how long they stay times their size is what Redis must hold. If that is more than is free, writes are refused in the middle of a day.',
  thresholds: 'records/s x TTL x bytes over what is free: warn above 80 %, fail above 100 %',
  expected: 'at most 80 % of the free memory',
  remedy: { text: 'Add memory, or shorten the retention of records.' },
  judge({ context, infoNumber, settingNumber }) {
    const { recordsPerSecond, recordTtlMs, bytesPerRecord } = context.expect
    if (recordsPerSecond === undefined || recordTtlMs === undefined || bytesPerRecord === undefined) {
      return skip('not-declared', 'needs recordsPerSecond, recordTtlMs and bytesPerRecord')
    }
    const limit = settingNumber('maxmemory', 'maxmemory')
    const limited = limit.known && limit.value > 0
    const total = limited ? limit : infoNumber('total_system_memory')
    const used = limited ? infoNumber('used_memory') : infoNumber('used_memory_rss')
    if (!total.known) return unknown(total)
    if (!used.known) return unknown(used)
    const neededBytes = recordsPerSecond * (recordTtlMs / 1000) * bytesPerRecord
    const freeBytes = Math.max(1, total.value - used.value)
    const ratio = neededBytes / freeBytes
    const observed = `${megabytes(neededBytes)} needed, ${megabytes(freeBytes)} free`
    const extra = { data: { neededBytes, freeBytes, ratio } }
    if (ratio > 1) return fail(used, observed, 'The records of one retention do not fit.', extra)
    if (ratio > 0.8) return warn(used, observed, 'The records of one retention barely fit.', extra)
    return pass(used, observed, extra)
  },
}
