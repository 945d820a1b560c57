import type { Remedy } from './finding.ts'
import { megabytes } from './quantity.ts'
import type { NodeSubject } from './subject.ts'

const MIB = 1024 ** 2
/** What may be used of the host; the rest is for the fork of a snapshot and for everything else. */
const SHARE = 0.75
/** Less than that is no help. */
const LEAST_GAIN = 1.1

/**
 * The limit that fits this host: three quarters of what it has, at most twice the limit there is. Without a command where
 * the host shows no memory, or has no room: a limit below what is used would refuse every write.
 */
export function memoryRemedy({ infoNumber, settingNumber }: NodeSubject): Remedy {
  const system = infoNumber('total_system_memory')
  const used = infoNumber('used_memory')
  const limit = settingNumber('maxmemory', 'maxmemory')
  if (!system.known || system.value <= 0 || !used.known || !limit.known) {
    return { text: 'Set maxmemory to about 75 % of the memory this Redis may use, above what is used now.' }
  }
  const most = system.value * SHARE
  const proposed = Math.floor((limit.value > 0 ? Math.min(limit.value * 2, most) : most) / MIB)
  if (proposed * MIB < Math.max(used.value, limit.value) * LEAST_GAIN) {
    return { text: `This host has ${megabytes(system.value)} and no room for more: add memory, or move data away.` }
  }
  return {
    text: `At most 75 % of the memory it may use: Redis sees ${megabytes(system.value)}; in a container take its limit instead. Then CONFIG REWRITE.`,
    command: `redis-cli CONFIG SET maxmemory ${proposed}mb`,
  }
}
