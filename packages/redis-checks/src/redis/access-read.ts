import type { Redis } from 'ioredis'

import type { AccessNeed } from '../expectations.ts'
import type { AccessFacts, Permission } from '../node-facts.ts'
import { dryArgs, tryArgs } from './commands.ts'
import { settle, textOf } from './reply.ts'
import type { Reply } from './reply.ts'

export const PRIVILEGED: readonly string[] = ['FLUSHALL', 'FLUSHDB', 'CONFIG SET', 'DEBUG', 'SHUTDOWN']
const SCRIPT_CALLS: readonly string[] = ['EVAL', 'EVALSHA', 'SCRIPT LOAD']
const NO_PERMISSION = /NOPERM|no permissions|ACL failure/i
/** These end the probe key, on which the others are tried. */
const ENDING: ReadonlySet<string> = new Set(['DEL', 'UNLINK'])

const ACL_REFUSED_BEFORE: Reply = { ok: false, how: 'NOPERM', code: 'NOPERM', text: 'refused before, not asked again' }

interface Ask {
  /** The name the client gives; ACL WHOAMI wins. */
  readonly user: string
  readonly key: string
  readonly need: AccessNeed
  /** The probe key is there, so that commands can be tried on it. */
  readonly mayTry: boolean
  /** ACL was not refused on an earlier run. */
  readonly mayAskAcl: boolean
  /** ACL DRYRUN exists (7.0). */
  readonly mayDryRun: boolean
}

/** What this user may do: asked by ACL DRYRUN, else tried on the probe key; inside scripts always tried. */
export async function readAccess(redis: Redis, ask: Ask): Promise<AccessFacts> {
  const user = ask.mayAskAcl ? await settle(redis.call('ACL', 'WHOAMI')) : ACL_REFUSED_BEFORE
  const name = user.ok ? textOf(user.value) : ask.user
  const commands = [...new Set([...ask.need.commands, ...SCRIPT_CALLS])]
  const asked = ask.mayDryRun && user.ok ? await askAcl(redis, name, commands, ask.key) : undefined
  const direct = asked?.direct ?? (ask.mayTry ? await tryDirectly(redis, commands, ask.key) : unreadable(commands))
  const evalAllowed = direct.get('EVAL') ?? 'unreadable'
  const [inside, key] = await Promise.all([
    insideScript(redis, ask, evalAllowed),
    keyPermission(redis, ask, name, asked !== undefined),
  ])
  return {
    user: name,
    commands: direct,
    scripts: new Map([
      ...SCRIPT_CALLS.map(call => [call, direct.get(call) ?? 'unreadable'] as const),
      ...[...inside].map(([command, permission]) => [`script:${command}`, permission] as const),
    ]),
    key,
    privileged: asked?.privileged ?? unreadable(PRIVILEGED),
    evidence: asked === undefined && ask.mayTry ? 'probe' : 'info',
    aclRefused: asked === undefined && ask.mayDryRun,
    source: asked === undefined ? 'commands tried on the probe key' : 'ACL DRYRUN',
    detail: user.ok ? 'ACL DRYRUN refused, and the command is not tried' : `ACL WHOAMI: ${user.text}`,
  }
}

interface Asked {
  readonly direct: Map<string, Permission>
  readonly privileged: Map<string, Permission>
}

/** By ACL DRYRUN, which runs nothing; `undefined` where it is refused. */
async function askAcl(
  redis: Redis,
  user: string,
  commands: readonly string[],
  key: string,
): Promise<Asked | undefined> {
  const ask = async (command: string): Promise<readonly [string, Reply]> => {
    const reply = await settle(redis.call('ACL', 'DRYRUN', user, ...dryCommand(command), ...dryArgs(command, key)))
    return [command, reply]
  }
  const isRefused = ([, reply]: readonly [string, Reply]): boolean =>
    !reply.ok && reply.how !== 'server' && reply.how !== 'unsupported'
  // One alone first: where DRYRUN is refused, each try leaves a line in the ACL log.
  const opening = await ask('GET')
  if (isRefused(opening)) return undefined
  const replies = await Promise.all([...commands, ...PRIVILEGED].map(ask))
  if (replies.some(isRefused)) return undefined
  const read = (names: readonly string[]): Map<string, Permission> =>
    new Map(
      replies.flatMap(([command, reply]) =>
        names.includes(command) ? [[command, permissionOfDryRun(reply, key)]] : [],
      ),
    )
  return { direct: read(commands), privileged: read(PRIVILEGED) }
}

/** DRYRUN takes a container and its subcommand as two words. */
function dryCommand(command: string): string[] {
  return command.split(' ')
}

function permissionOfDryRun(reply: Reply, key: string): Permission {
  if (!reply.ok) return /not found|unknown command/i.test(reply.text) ? 'refused' : 'unreadable'
  const text = textOf(reply.value)
  if (text === 'OK') return 'allowed'
  // A refused key says nothing about the command; the key has its own check.
  return text.includes(key) || /access (?:the|one of the|any)/i.test(text) ? 'allowed' : 'refused'
}

async function tryDirectly(redis: Redis, commands: readonly string[], key: string): Promise<Map<string, Permission>> {
  const permissions = new Map<string, Permission>()
  // In order, and with what ends the key last.
  for (const command of endingLast(commands)) permissions.set(command, await tryOne(redis, command, key))
  return permissions
}

async function tryOne(redis: Redis, command: string, key: string): Promise<Permission> {
  const args = ENDING.has(command) ? [`${key}:none`] : tryArgs(command, key)
  if (command === 'EVAL') return permissionOf(await settle(redis.call('EVAL', 'return 1', '0')))
  if (command === 'EVALSHA') return permissionOf(await settle(redis.call('EVALSHA', '0'.repeat(40), '0')))
  if (command === 'SCRIPT LOAD') return permissionOf(await settle(redis.call('SCRIPT', 'LOAD', 'return 1')))
  if (args === undefined) return 'unreadable'
  return permissionOf(await settle(redis.call(command, ...args)))
}

function permissionOf(reply: Reply): Permission {
  if (reply.ok) return 'allowed'
  if (NO_PERMISSION.test(reply.text)) return /access (?:a|one of the|the) key/i.test(reply.text) ? 'allowed' : 'refused'
  if (reply.how === 'unknown-command') return 'refused'
  return reply.how === 'timeout' || reply.how === 'unreachable' ? 'unreadable' : 'allowed'
}

const TRY_INSIDE = `
local refused = {}
local index = 1
while index <= #ARGV do
  local count = tonumber(ARGV[index + 1])
  local call = { ARGV[index] }
  for i = 1, count do call[i + 1] = ARGV[index + 1 + i] == 'K' and KEYS[1] or ARGV[index + 1 + i] end
  local reply = redis.pcall(unpack(call))
  if type(reply) == 'table' and reply.err then refused[#refused + 1] = ARGV[index] .. ' ' .. reply.err end
  index = index + 2 + count
end
return refused`

/** Runs each command on the probe key inside one script, where a service may allow other commands than outside. */
async function insideScript(redis: Redis, ask: Ask, evalAllowed: Permission): Promise<Map<string, Permission>> {
  const commands = ask.need.scriptCommands
  if (evalAllowed === 'refused') return new Map()
  if (!ask.mayTry) return unreadable(commands)
  const plan = endingLast(commands).flatMap(command => {
    const args = ENDING.has(command) ? [`${ask.key}:none`] : tryArgs(command, 'K')
    return args === undefined ? [] : [command, String(args.length), ...args]
  })
  const tried = new Set(plan)
  const reply = await settle(redis.call('EVAL', TRY_INSIDE, '1', ask.key, ...plan))
  if (!reply.ok) return unreadable(commands)
  const refused = new Map((reply.value as unknown[]).map(line => splitFirst(textOf(line))))
  return new Map(
    commands.map(command => {
      const error = refused.get(command)
      const permission: Permission = !tried.has(command)
        ? 'unreadable'
        : error !== undefined && /NOPERM|no permissions|ACL|unknown.*command|not allowed|can't run/i.test(error)
          ? 'refused'
          : 'allowed'
      return [command, permission]
    }),
  )
}

async function keyPermission(redis: Redis, ask: Ask, user: string, dry: boolean): Promise<Permission> {
  const reply = dry
    ? await settle(redis.call('ACL', 'DRYRUN', user, 'SET', ask.key, 'probe'))
    : await settle(redis.call('GET', ask.key))
  const text = reply.ok ? textOf(reply.value) : reply.text
  if (/access (?:the|a|one of the|any).*key|'.*' key/i.test(text) && !text.includes('run the')) return 'refused'
  return reply.ok || !NO_PERMISSION.test(text) ? 'allowed' : 'unreadable'
}

function splitFirst(line: string): [string, string] {
  const space = line.indexOf(' ')
  return [line.slice(0, space), line.slice(space + 1)]
}

function endingLast(commands: readonly string[]): string[] {
  return [...commands].sort((a, b) => Number(ENDING.has(a)) - Number(ENDING.has(b)))
}

function unreadable(commands: readonly string[]): Map<string, Permission> {
  return new Map(commands.map(command => [command, 'unreadable']))
}
