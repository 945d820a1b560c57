import type { ClientSubject } from './client-subject.ts'
import { compareVersions } from './subject.ts'

interface Defect {
  readonly issue: string
  /** Last version known to have it. */
  readonly upTo: string
  readonly averted: (client: ClientSubject) => boolean
}

const DEFECTS: readonly Defect[] = [
  {
    issue: 'redis/ioredis#2193',
    upTo: '6.0.0',
    averted: ({ kind, node }) =>
      kind === 'cluster' || node.autoResendUnfulfilledCommands !== false || node.commandTimeout !== undefined,
  },
  { issue: 'redis/ioredis#2197', upTo: '6.0.0', averted: ({ node }) => node.commandTimeout !== undefined },
  {
    issue: 'redis/ioredis#1604',
    upTo: '6.0.0',
    averted: ({ kind, top }) => kind !== 'cluster' || top.enableOfflineQueue === false,
  },
]

/** The known defects of this version that these options do not avert, as issues. */
export function knownDefects(client: ClientSubject): string[] {
  return DEFECTS.filter(
    ({ upTo, averted }) => compareVersions(client.ioredisVersion, upTo) <= 0 && !averted(client),
  ).map(({ issue }) => issue)
}
