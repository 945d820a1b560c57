import type { NodeCheck } from '../../check.ts'
import { pass, warn, fail, unknown } from '../../finding.ts'
import { memoryRemedy } from '../../memory-remedy.ts'

export const outOfMemory: NodeCheck = {
  id: 'out-of-memory',
  group: 'memory',
  on: 'masters',
  caps: 'FFFW',
  fast: true,
  blocking: true,
  guarantees: ['answers-in-time'],
  title: 'Writes are not refused for memory',
  why: 'With OOM Redis refuses every write: nothing can be claimed and no outcome can be recorded.',
  thresholds:
    'fail: the probe got OOM, OOM errors grew, or current_eviction_exceeded_time is above 0; warn: older OOM errors',
  expected: 'no OOM error',
  remedy: { text: 'Raise maxmemory or remove data.' },
  judge(subject) {
    const { node, grew, info: field } = subject
    const extra = { remedy: memoryRemedy(subject) }
    const write = node.probe?.write
    if (write?.ok === false && write.code === 'OOM')
      return fail({ evidence: 'probe', source: 'SET' }, 'OOM', 'Redis refuses every write.', extra)
    if (!node.info.known) {
      return write?.ok === true
        ? pass({ evidence: 'probe', source: 'SET' }, 'the probe was written')
        : unknown(node.info)
    }
    const since = grew('oom_errors')
    const trace = { evidence: 'trace' as const, source: 'INFO errorstat_OOM' }
    if (since !== null && since > 0)
      return fail(trace, `${since} OOM errors since the last report`, 'Redis refuses writes.', extra)
    const over = field('current_eviction_exceeded_time')
    if (over.known && Number(over.value) > 0)
      return fail(over, `over the limit for ${over.value} ms`, 'Redis cannot free enough memory.', extra)
    const old = Number(/count=(\d+)/.exec(node.info.value.get('errorstat_OOM') ?? '')?.[1] ?? 0)
    if (old > 0)
      return warn(trace, `${old} OOM errors since its start`, 'Redis has refused writes before.', {
        ...extra,
        data: { oomErrors: old },
      })
    return pass(node.info, 'no OOM error')
  },
}
