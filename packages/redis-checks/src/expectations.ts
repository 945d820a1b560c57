import type { Topology } from './report.ts'

/** What the application counts on; checks that need an expectation that is not given are skipped as `not-declared`. */
export interface Expectations {
  topology?: Topology
  /** Replicas per master, 0..100. */
  replicas?: number
  /** Oldest acceptable server, for example `7.2`. */
  minVersion?: string
  /** Prefix of the application's keys, after the client's own keyPrefix. @default 'safety:' */
  keyPrefix?: string
  /** Longest lease, milliseconds. */
  leaseMs?: number
  /** How long records stay, milliseconds. */
  recordTtlMs?: number
  recordsPerSecond?: number
  bytesPerRecord?: number
  minFreeBytes?: number
  /** The commands each user of this connection needs. @default the list of the profile's packages */
  access?: { commands: string[]; scriptCommands?: string[] }[]
  /** Keys that must share one Cluster slot. They never appear in a report. */
  keyGroups?: string[][]
  /** What the operator vouches for where Redis does not show it; `fact` is a CONFIG parameter name. */
  attest?: { fact: string; value: string; reason: string; until: string }[]
}

/** Commands and commands inside scripts. */
export interface AccessNeed {
  readonly commands: readonly string[]
  readonly scriptCommands: readonly string[]
}

const IDEMPOTENCY: AccessNeed = {
  commands: ['EVAL', 'EVALSHA'],
  scriptCommands: ['GET', 'SET', 'TIME', 'ZADD', 'ZINCRBY', 'ZMSCORE', 'ZRANGE', 'ZRANGEBYSCORE', 'ZREM', 'ZSCORE'],
}
const GENERAL: readonly string[] = ['GET', 'SET', 'DEL', 'PEXPIRE', 'PTTL', 'HSET', 'HGETALL', 'TIME']

/** The commands that must be allowed: the given ones, else those of the packages of the profile. */
export function accessNeed(profile: string, { access }: Expectations): AccessNeed {
  if (access === undefined) {
    if (profile.startsWith('idempotency')) return IDEMPOTENCY
    return { commands: GENERAL, scriptCommands: GENERAL }
  }
  const names = (lists: (readonly string[] | undefined)[]): string[] => [
    ...new Set(lists.flatMap(list => list ?? []).map(name => name.trim().toUpperCase())),
  ]
  return {
    commands: names(access.map(need => need.commands)),
    scriptCommands: names(access.map(need => need.scriptCommands)),
  }
}
