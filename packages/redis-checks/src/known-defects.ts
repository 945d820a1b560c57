import type { ClientSubject } from './client-subject.ts'
import { lastVersionWith } from './evidence.ts'
import { compareVersions } from './subject.ts'

interface Defect {
  readonly issue: string
  /** The pitfall that shows it; it counts for every version up to the last one on which it was measured. */
  readonly row: string
  readonly averted: (client: ClientSubject) => boolean
}

export const DEFECTS: readonly Defect[] = [
  {
    issue: 'redis/ioredis#2193',
    row: 'resend-off-hang',
    averted: ({ kind, node }) =>
      kind === 'cluster' || node.autoResendUnfulfilledCommands !== false || node.commandTimeout !== undefined,
  },
  { issue: 'redis/ioredis#2197', row: 'accept-then-close', averted: ({ node }) => node.commandTimeout !== undefined },
  {
    issue: 'redis/ioredis#2130',
    row: 'timed-out-command',
    averted: ({ kind, node, top }) => {
      if (node.commandTimeout === undefined) return true
      if (kind === 'cluster') return top.enableOfflineQueue === false
      return node.enableOfflineQueue === false && node.autoResendUnfulfilledCommands === false
    },
  },
  {
    issue: 'redis/ioredis#1604',
    row: 'cluster-away',
    averted: ({ kind, top }) => kind !== 'cluster' || top.enableOfflineQueue === false,
  },
]

/** The known defects of this version that these options do not avert, as issues. */
export function knownDefects(client: ClientSubject): string[] {
  return DEFECTS.filter(({ row, averted }) => {
    const last = lastVersionWith(row)
    return last !== undefined && compareVersions(client.ioredisVersion, last) <= 0 && !averted(client)
  }).map(({ issue }) => issue)
}
