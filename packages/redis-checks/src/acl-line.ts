import { accessNeed } from './expectations.ts'
import { shellLine } from './shell.ts'
import type { NodeSubject } from './subject.ts'

/** What the checks themselves need beside the application's commands: the probe, the marker, and reading. */
const OWN: readonly string[] = [
  'PING',
  'GET',
  'SET',
  'DEL',
  'HGETALL',
  'HSET',
  'PEXPIRE',
  'TIME',
  'WAIT',
  'EVAL',
  'EVALSHA',
]
/** These need a channel beside the keys. */
const ON_CHANNELS: readonly string[] = ['PUBLISH', 'SPUBLISH', 'SUBSCRIBE', 'SSUBSCRIBE', 'PSUBSCRIBE']
const READING: readonly string[] = [
  '+script|load',
  '+info',
  '+role',
  '+config|get',
  '+acl|whoami',
  '+acl|dryrun',
  '+cluster|info',
  '+cluster|nodes',
]

/**
 * One complete line that gives `user` what the application and the checks need, and nothing else. Keys that are allowed
 * already are left alone: Redis refuses a pattern beside `~*`.
 */
export function aclLine({ node, context, deployment, atLeast }: NodeSubject, user: string): string {
  const { commands, scriptCommands } = accessNeed(context.profile, context.expect)
  // A server that does not know a command refuses the whole line.
  const proof = atLeast('7.2') ? ['WAITAOF'] : []
  const names = new Set([...OWN, ...proof, ...commands, ...scriptCommands].map(name => name.toUpperCase()))
  const rules = [...names].sort().map(name => `+${name.toLowerCase().replace(' ', '|')}`)
  const mayUseKeys = user === node.access?.user && node.access.key === 'allowed'
  const keys = mayUseKeys ? [] : [`~${deployment.keyPrefix}*`]
  const channels = ON_CHANNELS.some(name => names.has(name)) ? [`&${deployment.keyPrefix}*`] : []
  return shellLine('redis-cli', 'ACL', 'SETUSER', user, ...keys, ...channels, ...rules, ...READING)
}
