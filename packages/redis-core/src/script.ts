import { createHash } from 'node:crypto'

import { RedisCoreError } from './errors.ts'
import { createReplyDecoder } from './reply.ts'
import type { ReplyReader } from './reply.ts'

export type ScriptKeys = readonly string[]
export type ScriptArgs = Readonly<Record<string, 'text' | 'integer'>>

/** What follows the text or the hash on the wire: number of keys, keys, arguments, all as text. */
export type Argv = readonly [numKeys: string, ...rest: string[]]

/** What one call passes: every declared key and argument by its name. */
export interface ScriptInput<K extends ScriptKeys, A extends ScriptArgs> {
  keys: Record<K[number], string>
  args: { [N in keyof A]: A[N] extends 'integer' ? number : string }
}

/** One Lua script with typed keys, arguments and reply. Made by `defineScript`, run by `runScript`. */
export interface Script<K extends ScriptKeys, A extends ScriptArgs, R> {
  readonly name: string
  readonly keys: K
  readonly args: A
  /** The text the server gets: a comment with the name, one `local` per key and argument, then the given Lua. */
  readonly text: string
  readonly sha1: string
  encode(input: ScriptInput<K, A>): Argv
  decode(reply: unknown): R
}

const NAME = /^[A-Za-z][A-Za-z0-9]*(?:[._:-][A-Za-z0-9]+)*$/
const MAX_NAME_LENGTH = 64
const LOCAL = /^[A-Za-z_][A-Za-z0-9_]*$/
const LUA_WORDS: ReadonlySet<string> = new Set(
  `and break do else elseif end false for function goto if in local nil not or repeat return then true until while
   redis KEYS ARGV tonumber`.split(/\s+/),
)

const catalog = new Map<string, string>()

/**
 * Declares a script. The server gets `-- <name>`, `local record = KEYS[1]`, `local leaseMs = tonumber(ARGV[2])`, … in
 * declared order, then `lua`. It returns one flat array of strings and integers, which `reply` reads up to `end()`.
 *
 * The Lua has to keep four laws: server `TIME` is its only clock; reads and type checks come before its first write; it
 * is safe to run twice with the same arguments; numbers become text by `string.format('%.0f', x)`.
 *
 * @throws `ERR_REDIS_SCRIPT` (not retryable) for a name, key or argument that is a Lua word, repeated or malformed.
 * @example
 * const take = defineScript({ name: 'stock.take', keys: ['stock'], args: { count: 'integer' },
 *   reply: r => ({ left: r.integer() }), lua: `return { redis.call('DECRBY', stock, count) }` })
 */
export function defineScript<const K extends ScriptKeys, const A extends ScriptArgs, R>(definition: {
  name: string
  keys: K
  args: A
  reply: (reply: ReplyReader) => R
  lua: string
}): Script<K, A, R> {
  const { name, keys, args, reply, lua } = definition
  checkName(name)
  const argNames = Object.keys(args)
  checkLocals(name, [...keys, ...argNames])
  for (const arg of argNames) {
    if (args[arg] !== 'text' && args[arg] !== 'integer')
      throw invalid(name, `argument "${arg}" is neither 'text' nor 'integer'`)
  }
  const numKeys = String(keys.length)
  const decode = createReplyDecoder(name, reply)
  const integer = argNames.map(arg => args[arg] === 'integer')
  const text = [
    `-- ${name}`,
    ...keys.map((key, index) => `local ${key} = KEYS[${index + 1}]`),
    ...argNames.map(
      (arg, index) => `local ${arg} = ${integer[index] ? `tonumber(ARGV[${index + 1}])` : `ARGV[${index + 1}]`}`,
    ),
    lua,
  ].join('\n')
  const sha1 = createHash('sha1').update(text).digest('hex')
  catalog.set(sha1, name)
  return {
    name,
    keys,
    args,
    text,
    sha1,
    encode: input => encode(name, numKeys, keys, argNames, integer, input),
    decode,
  }
}

/** SHA-1 to name of every script defined in this process, so that a proxy or a log can name commands. */
export function scriptCatalog(): ReadonlyMap<string, string> {
  return catalog
}

function encode(
  name: string,
  numKeys: string,
  keys: readonly string[],
  argNames: readonly string[],
  integer: readonly boolean[],
  input: { keys: Readonly<Record<string, unknown>>; args: Readonly<Record<string, unknown>> },
): Argv {
  const argv: [string, ...string[]] = [numKeys]
  for (const key of keys) {
    const value = input.keys[key]
    if (typeof value !== 'string' || value === '' || !value.isWellFormed()) {
      throw invalid(name, `key "${key}" is missing, empty or not well-formed text`)
    }
    argv.push(value)
  }
  for (let index = 0; index < argNames.length; index++) {
    const arg = argNames[index] as string
    const value = input.args[arg]
    if (integer[index] ? !Number.isSafeInteger(value) : typeof value !== 'string' || !value.isWellFormed()) {
      throw invalid(name, `argument "${arg}" is not ${integer[index] ? 'an integer below 2^53' : 'well-formed text'}`)
    }
    argv.push(integer[index] ? String(value) : (value as string))
  }
  return argv
}

function checkName(name: string): void {
  if (typeof name !== 'string' || name.length > MAX_NAME_LENGTH || !NAME.test(name)) {
    throw new RedisCoreError(
      'ERR_REDIS_SCRIPT',
      'script name must be letters and digits joined by . _ : or -, at most 64 characters',
    )
  }
}

function checkLocals(script: string, names: readonly string[]): void {
  const seen = new Set<string>()
  for (const name of names) {
    if (!LOCAL.test(name)) throw invalid(script, `"${name}" is not a Lua name`)
    if (LUA_WORDS.has(name)) throw invalid(script, `"${name}" is a word of Lua or Redis; choose another name`)
    if (seen.has(name)) throw invalid(script, `"${name}" is declared twice`)
    seen.add(name)
  }
}

function invalid(script: string, what: string): RedisCoreError {
  return new RedisCoreError('ERR_REDIS_SCRIPT', `redis script "${script}": ${what}`, { script })
}
