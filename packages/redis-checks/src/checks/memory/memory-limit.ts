import type { NodeCheck } from '../../check.ts'
import { pass, warn, unknown } from '../../finding.ts'
import { memoryRemedy } from '../../memory-remedy.ts'
import { megabytes } from '../../quantity.ts'

export const memoryLimit: NodeCheck = {
  id: 'memory-limit',
  group: 'memory',
  on: 'data',
  caps: 'WWWI',
  guarantees: ['answers-in-time', 'survives-crash'],
  title: 'A memory limit',
  why: 'Without maxmemory Redis grows until the kernel kills it; with noeviction and a limit it refuses writes with a clear error instead.',
  thresholds: 'warn: maxmemory 0',
  expected: 'maxmemory above 0',
  remedy: { text: 'Set maxmemory to about 75 % of the memory this Redis may use, above what is used now.' },
  judge(subject) {
    const limit = subject.settingNumber('maxmemory', 'maxmemory')
    if (!limit.known) return unknown(limit)
    if (limit.value === 0)
      return warn(limit, 'no limit', 'Redis grows until the kernel kills it.', { remedy: memoryRemedy(subject) })
    return pass(limit, megabytes(limit.value), { data: { maxMemoryBytes: limit.value } })
  },
}
