import type { Redis } from 'ioredis'

import type { AccessNeed } from '../expectations.ts'
import type { AccessFacts, Permission } from '../node-facts.ts'
import { dryArgs, tryArgs } from './commands.ts'
import { isLost, settle, textOf } from './reply.ts'
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
  /** Whether the probe key is there, so that commands can be tried on it. */
  readonly mayTry: Promise<boolean>
  /** ACL was not refused on an earlier run. */
  readonly mayAskAcl: boolean
  /** ACL DRYRUN exists (7.0). */
  readonly mayDryRun: boolean
}

/** One connection, and whether something got lost on it. */
interface Asker {
  ask(command: string, ...args: readonly string[]): Promise<Reply>
  readonly lost: 'timeout' | 'unreachable' | undefined
}

function createAsker(redis: Redis): Asker {
  let lost: Asker['lost']
  return {
    async ask(command, ...args) {
      const reply = await settle(redis.call(command, ...args))
      if (isLost(reply)) lost ??= reply.how
      return reply
    },
    get lost() {
      return lost
    },
  }
}

/** What this user may do: asked by ACL DRYRUN, else tried on the probe key; inside scripts always tried. */
export async function readAccess(redis: Redis, ask: Ask): Promise<AccessFacts> {
  const asker = createAsker(redis)
  const [user, mayTry] = await Promise.all([
    ask.mayAskAcl ? asker.ask('ACL', 'WHOAMI') : ACL_REFUSED_BEFORE,
    ask.mayTry,
  ])
  const name = user.ok ? textOf(user.value) : ask.user
  const commands = [...new Set([...ask.need.commands, ...SCRIPT_CALLS])]
  const asked = ask.mayDryRun && user.ok ? await askAcl(asker, name, commands, ask.key) : undefined
  const direct = asked?.direct ?? (mayTry ? await tryDirectly(asker, commands, ask.key) : unreadable(commands))
  const evalAllowed = direct.get('EVAL') ?? 'unreadable'
  const [inside, key] = await Promise.all([
    insideScript(asker, ask, { evalAllowed, mayTry }),
    asked === undefined ? asker.ask('GET', ask.key) : asked.key,
  ])
  return {
    user: name,
    commands: direct,
    scripts: new Map([
      ...SCRIPT_CALLS.map(call => [call, direct.get(call) ?? 'unreadable'] as const),
      ...[...inside].map(([command, permission]) => [`script:${command}`, permission] as const),
    ]),
    key: keyPermission(key),
    privileged: asked?.privileged ?? unreadable(PRIVILEGED),
    evidence: asked === undefined && mayTry ? 'probe' : 'info',
    aclRefused: asked === undefined && ask.mayDryRun && asker.lost === undefined,
    because: asker.lost ?? 'refused',
    source: asked === undefined ? 'commands tried on the probe key' : 'ACL DRYRUN',
    detail: detailOf(user, asker),
  }
}

function detailOf(user: Reply, { lost }: Asker): string {
  if (!user.ok) return `ACL WHOAMI: ${user.text}`
  if (lost !== undefined) return lost === 'timeout' ? 'no answer in time' : 'the connection was lost'
  return 'ACL DRYRUN refused, and the command is not tried'
}

interface Asked {
  /** What it says of a write to the probe key. */
  readonly key: Reply
  readonly direct: Map<string, Permission>
  readonly privileged: Map<string, Permission>
}

/** By ACL DRYRUN, which runs nothing; `undefined` where it is refused. */
async function askAcl(
  asker: Asker,
  user: string,
  commands: readonly string[],
  key: string,
): Promise<Asked | undefined> {
  const ask = async (command: string): Promise<readonly [string, Reply]> => {
    const reply = await asker.ask('ACL', 'DRYRUN', user, ...dryCommand(command), ...dryArgs(command, key))
    return [command, reply]
  }
  const isRefused = ([, reply]: readonly [string, Reply]): boolean =>
    !reply.ok && reply.how !== 'server' && reply.how !== 'unsupported'
  // One alone first: where DRYRUN is refused, each try leaves a line in the ACL log.
  const opening = await asker.ask('ACL', 'DRYRUN', user, 'SET', key, 'probe')
  if (isRefused(['SET', opening])) return undefined
  const replies = await Promise.all([...commands, ...PRIVILEGED].map(ask))
  if (replies.some(isRefused)) return undefined
  const read = (names: readonly string[]): Map<string, Permission> =>
    new Map(
      replies.flatMap(([command, reply]) =>
        names.includes(command) ? [[command, permissionOfDryRun(reply, key)]] : [],
      ),
    )
  return { key: opening, direct: read(commands), privileged: read(PRIVILEGED) }
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

async function tryDirectly(asker: Asker, commands: readonly string[], key: string): Promise<Map<string, Permission>> {
  const permissions = new Map<string, Permission>()
  // In order, and with what ends the key last.
  for (const command of endingLast(commands)) permissions.set(command, await tryOne(asker, command, key))
  return permissions
}

async function tryOne(asker: Asker, command: string, key: string): Promise<Permission> {
  const args = ENDING.has(command) ? [`${key}:none`] : tryArgs(command, key)
  if (command === 'EVAL') return permissionOf(await asker.ask('EVAL', 'return 1', '0'))
  if (command === 'EVALSHA') return permissionOf(await asker.ask('EVALSHA', '0'.repeat(40), '0'))
  if (command === 'SCRIPT LOAD') return permissionOf(await asker.ask('SCRIPT', 'LOAD', 'return 1'))
  if (args === undefined) return 'unreadable'
  return permissionOf(await asker.ask(command, ...args))
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
async function insideScript(
  asker: Asker,
  ask: Ask,
  { evalAllowed, mayTry }: { readonly evalAllowed: Permission; readonly mayTry: boolean },
): Promise<Map<string, Permission>> {
  const commands = ask.need.scriptCommands
  if (evalAllowed === 'refused') return new Map()
  if (!mayTry) return unreadable(commands)
  const plan = endingLast(commands).flatMap(command => {
    const args = ENDING.has(command) ? [`${ask.key}:none`] : tryArgs(command, 'K')
    return args === undefined ? [] : [command, String(args.length), ...args]
  })
  const tried = new Set(plan)
  const reply = await asker.ask('EVAL', TRY_INSIDE, '1', ask.key, ...plan)
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

/** Reads a try on the probe key, or what ACL DRYRUN says of one. */
function keyPermission(reply: Reply): Permission {
  if (isLost(reply)) return 'unreadable'
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
