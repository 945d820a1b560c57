import { types } from 'node:util'

import { arrayFault, isPlainObject } from './json.ts'
import { shortDigest } from './sha256.ts'

const MAX_DEPTH = 64
/** Its own normal form, and the same in JSON. */
const PLAIN = /^[ !#-[\]-~]*$/

/** Why a payload has no canonical form. `path` names members and positions, never values. */
export class NotCanonicalError extends Error {
  readonly path: string

  constructor(path: string, what: string) {
    super(`${path} is ${what}`)
    this.path = path
  }
}

/** The fingerprint of a payload: the first 128 bits of sha256 over its canonical form, 22 base64url characters. */
export function fingerprintOf(payload: unknown): string {
  return shortDigest(canonicalForm(payload))
}

/**
 * One text for equal payloads, different texts for different ones: members sorted by UTF-16 units, `undefined` members
 * left out, strings in NFC, `-0` as `0`; bigint, Date and Uint8Array tagged by a letter that JSON cannot start with.
 *
 * @throws NotCanonicalError for NaN, Infinity, functions, symbols, Map, Set, class instances, arrays with members beside their items, cycles, a nesting above 64 and lone surrogates.
 */
export function canonicalForm(payload: unknown): string {
  return write(payload, 'payload', [])
}

function write(value: unknown, path: string, above: readonly object[]): string {
  switch (typeof value) {
    case 'undefined':
      return 'u'
    case 'boolean':
      return value ? 'true' : 'false'
    case 'string':
      return writeText(value, path)
    case 'number':
      if (!Number.isFinite(value)) throw new NotCanonicalError(path, 'NaN or infinite')
      return value === 0 ? '0' : String(value)
    case 'bigint':
      return `i"${value}"`
    case 'function':
    case 'symbol':
      throw new NotCanonicalError(path, `a ${typeof value}`)
    case 'object':
      break
  }
  return value === null ? 'null' : writeObject(value, path, above)
}

function writeText(value: string, path: string): string {
  if (PLAIN.test(value)) return `"${value}"`
  if (!value.isWellFormed()) throw new NotCanonicalError(path, 'a text with a lone surrogate')
  return JSON.stringify(value.normalize('NFC'))
}

function writeObject(value: object, path: string, above: readonly object[]): string {
  if (types.isDate(value)) {
    const epochMs = value.getTime()
    if (Number.isNaN(epochMs)) throw new NotCanonicalError(path, 'an invalid Date')
    return `d"${epochMs}"`
  }
  if (types.isUint8Array(value)) return `b"${Buffer.from(value).toString('base64url')}"`
  if (above.includes(value)) throw new NotCanonicalError(path, 'a cycle')
  if (above.length >= MAX_DEPTH) throw new NotCanonicalError(path, `nested deeper than ${MAX_DEPTH}`)
  const inside = [...above, value]
  if (Array.isArray(value)) {
    const fault = arrayFault(value)
    if (fault !== undefined) throw new NotCanonicalError(path, fault)
    return `[${Array.from(value, (item: unknown, index) => write(item, `${path}[${index}]`, inside)).join(',')}]`
  }
  if (!isPlainObject(value)) throw new NotCanonicalError(path, 'an instance of a class')
  if (Object.getOwnPropertySymbols(value).length > 0)
    throw new NotCanonicalError(path, 'an object with a symbol member')
  return writeMembers(value, path, inside)
}

function writeMembers(value: object, path: string, inside: readonly object[]): string {
  const members = new Map<string, string>()
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue
    const shown = `${path}.${name.slice(0, 64)}`
    if (!name.isWellFormed()) throw new NotCanonicalError(shown, 'a name with a lone surrogate')
    const normal = name.normalize('NFC')
    if (members.has(normal)) throw new NotCanonicalError(shown, 'a second member of the same name after NFC')
    members.set(normal, `${JSON.stringify(normal)}:${write(member, shown, inside)}`)
  }
  const sorted = [...members].sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${sorted.map(([, text]) => text).join(',')}}`
}
