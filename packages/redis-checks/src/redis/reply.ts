import type { Refusal } from '../node-facts.ts'
import { missing } from '../fact.ts'
import type { Fact, MissingFact } from '../fact.ts'
import type { Evidence } from '../report.ts'
import { known } from '../fact.ts'

/** How one command ended. `server`: another error reply. */
export type Reply =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false
      readonly how: 'NOPERM' | 'unknown-command' | 'unsupported' | 'auth' | 'unreachable' | 'timeout' | 'server'
      readonly code: string
      readonly text: string
    }

/** Waits for a command; its error becomes an answer. */
export async function settle(sent: Promise<unknown>): Promise<Reply> {
  try {
    return { ok: true, value: await sent }
  } catch (error) {
    return readError(error)
  }
}

/** Whether a command got no answer, which says nothing of what was asked. */
export function isLost(reply: Reply): reply is Reply & { readonly ok: false; readonly how: 'timeout' | 'unreachable' } {
  return !reply.ok && (reply.how === 'timeout' || reply.how === 'unreachable')
}

export function readError(error: unknown): Reply & { readonly ok: false } {
  const text = plain(error instanceof Error ? error.message : String(error))
  const code = /^([A-Z][A-Z0-9_]*)\b/.exec(text)?.[1] ?? 'ERR'
  return { ok: false, how: howOf(error, text, code), code, text }
}

/** What ioredis says of a connection that ended tells of its own insides. */
function plain(text: string): string {
  return /^Stream isn't writeable|^Connection is closed/.test(text) ? 'the connection was lost' : text
}

function howOf(error: unknown, text: string, code: string): (Reply & { ok: false })['how'] {
  if ((error as { name?: string } | null)?.name !== 'ReplyError') {
    return /timed out/i.test(text) ? 'timeout' : 'unreachable'
  }
  if (code === 'NOAUTH' || code === 'WRONGPASS' || /invalid password|without any password|AUTH failed/i.test(text))
    return 'auth'
  if (code === 'NOPERM' || /no permissions/i.test(text)) return 'NOPERM'
  if (
    /unknown (?:sub)?command|is not (?:allowed|available)|command is disabled|not supported|disabled command/i.test(
      text,
    )
  ) {
    return 'unknown-command'
  }
  return /unsupported|unknown (?:option|parameter|config)|wrong number of arguments/i.test(text)
    ? 'unsupported'
    : 'server'
}

const BECAUSE = {
  timeout: 'timeout',
  unreachable: 'unreachable',
  auth: 'unreachable',
  NOPERM: 'refused',
  'unknown-command': 'refused',
  unsupported: 'refused',
  server: 'not-shown',
} as const

/** Why a fact is missing because its command failed. */
export function missingBy(command: string, reply: Reply & { readonly ok: false }): MissingFact {
  const detail = `${command}: ${reply.text}`
  return missing(BECAUSE[reply.how], command, detail)
}

/** A reply as a fact; `read` gives `undefined` for one that shows nothing. */
export function toFact<T>(
  command: string,
  reply: Reply,
  evidence: Evidence,
  read: (value: unknown) => T | undefined,
): Fact<T> {
  if (!reply.ok) return missingBy(command, reply)
  const value = read(reply.value)
  return value === undefined
    ? missing('not-shown', command, `${command} shows nothing readable`)
    : known(value, evidence, command)
}

export function refusalOf(command: string, reply: Reply): Refusal[] {
  if (reply.ok || (reply.how !== 'NOPERM' && reply.how !== 'unknown-command' && reply.how !== 'unsupported')) return []
  return [{ command, how: reply.how }]
}

/** `[a, 1, b, 2]`, or a map of RESP3, by name. */
export function pairsOf(value: unknown): Map<string, string> | undefined {
  if (value instanceof Map) return new Map([...value].map(([name, field]) => [String(name), textOf(field)]))
  if (!Array.isArray(value)) {
    if (typeof value !== 'object' || value === null) return undefined
    return new Map(Object.entries(value).map(([name, field]) => [name, textOf(field)]))
  }
  const pairs = new Map<string, string>()
  for (let index = 0; index + 1 < value.length; index += 2) pairs.set(textOf(value[index]), textOf(value[index + 1]))
  return pairs
}

export function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (Buffer.isBuffer(value)) return value.toString()
  return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean' ? String(value) : ''
}

/** `name:value` lines of INFO and CLUSTER INFO. */
export function linesOf(value: unknown): Map<string, string> | undefined {
  const text = textOf(value)
  if (text === '') return undefined
  const fields = new Map<string, string>()
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':')
    if (colon > 0 && !line.startsWith('#')) fields.set(line.slice(0, colon), line.slice(colon + 1))
  }
  return fields
}
