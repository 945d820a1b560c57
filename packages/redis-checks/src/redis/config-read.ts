import type { Redis } from 'ioredis'

import { known, missing } from '../fact.ts'
import type { Fact } from '../fact.ts'
import type { Refusal } from '../node-facts.ts'
import { missingBy, pairsOf, refusalOf, settle } from './reply.ts'
import type { Reply } from './reply.ts'

/** Every setting a check reads, by name; never `*`, never a secret. */
export const SETTINGS: readonly string[] = [
  'appendonly',
  'appendfsync',
  'no-appendfsync-on-rewrite',
  'save',
  'stop-writes-on-bgsave-error',
  'maxmemory',
  'maxmemory-policy',
  'maxclients',
  'min-replicas-to-write',
  'min-replicas-max-lag',
  'replica-read-only',
  'replica-priority',
  'cluster-node-timeout',
  'timeout',
]

/** Settings for which an empty value means that the service hides them. */
const NEVER_EMPTY: ReadonlySet<string> = new Set(SETTINGS.filter(name => name !== 'save'))

export interface ConfigRead {
  readonly config: ReadonlyMap<string, Fact<string>>
  readonly refused: readonly Refusal[]
}

export function askConfig(redis: Redis): Promise<Reply> {
  return settle(redis.call('CONFIG', 'GET', ...SETTINGS))
}

/** Reads the reply; a server that takes one name at a time (before 7.0, some services) is asked again, one by one. */
export async function readConfig(redis: Redis, reply: Reply): Promise<ConfigRead> {
  if (reply.ok) return fromPairs(pairsOf(reply.value) ?? new Map<string, string>())
  if (reply.how === 'NOPERM' || reply.how === 'unreachable' || reply.how === 'timeout' || isUnknownCommand(reply)) {
    return { config: allMissing(reply), refused: refusalOf('CONFIG GET', reply) }
  }
  const replies = await Promise.all(
    SETTINGS.map(async name => ({ name, reply: await settle(redis.call('CONFIG', 'GET', name)) })),
  )
  const pairs = new Map<string, string>()
  const config = new Map<string, Fact<string>>()
  const refused: Refusal[] = []
  for (const { name, reply: one } of replies) {
    if (!one.ok) {
      config.set(name, missingBy(`CONFIG GET ${name}`, one))
      refused.push({ command: `CONFIG GET ${name}`, how: one.how === 'NOPERM' ? 'NOPERM' : 'unsupported' })
    } else {
      for (const [field, value] of pairsOf(one.value) ?? []) pairs.set(field, value)
    }
  }
  const shown = fromPairs(pairs)
  return { config: new Map([...shown.config, ...config]), refused: [...shown.refused, ...refused] }
}

function isUnknownCommand(reply: Reply & { readonly ok: false }): boolean {
  return reply.how === 'unknown-command' && !/subcommand/i.test(reply.text)
}

function allMissing(reply: Reply & { readonly ok: false }): ReadonlyMap<string, Fact<string>> {
  return new Map(SETTINGS.map(name => [name, missingBy(`CONFIG GET ${name}`, reply)]))
}

function fromPairs(pairs: ReadonlyMap<string, string>): ConfigRead {
  const config = new Map<string, Fact<string>>()
  const refused: Refusal[] = []
  const hidden = pairs.size > 0 && [...pairs.values()].every(value => value === '')
  for (const name of SETTINGS) {
    const source = `CONFIG GET ${name}`
    const value = pairs.get(name)
    if (value === undefined) config.set(name, missing('not-shown', source, `CONFIG does not show ${name}`))
    else if (value === '' && (NEVER_EMPTY.has(name) || hidden)) {
      config.set(name, missing('not-shown', source, `CONFIG shows an empty ${name}`))
      refused.push({ command: source, how: 'empty' })
    } else config.set(name, known(value, 'config', source))
  }
  return { config, refused }
}
