import { accessNeed } from './expectations.ts'
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
const READING: readonly string[] = [
  '+script|load',
  '+info',
  '+role',
  '+config|get',
  '+acl|whoami',
  '+cluster|info',
  '+cluster|nodes',
]

/** One complete line that gives `user` what the application and the checks need, and nothing else. */
export function aclLine({ context, deployment }: NodeSubject, user: string): string {
  const { commands, scriptCommands } = accessNeed(context.profile, context.expect)
  const names = new Set([...OWN, ...commands, ...scriptCommands].map(name => name.toUpperCase()))
  const rules = [...names].sort().map(name => `+${name.toLowerCase().replace(' ', '|')}`)
  return `redis-cli ACL SETUSER ${user} '~${deployment.keyPrefix}*' ${rules.join(' ')} ${READING.join(' ')}`
}
