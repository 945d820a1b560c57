/** A value that JSON carries without loss. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [name: string]: JsonValue }

const MAX_DEPTH = 512

/** Why a value is not JSON-plain; `path` names members, never values. */
export interface NotPlain {
  readonly path: string
  readonly what: string
}

/**
 * Finds what JSON would change or lose: dates, class instances, bigint, NaN, functions, holes, members of arrays, cycles.
 * Members that are `undefined` are left out by JSON and by every reader alike, so they pass.
 */
export function findNotPlain(value: unknown): NotPlain | undefined {
  const found = find(value, 0)
  return found && { path: `value${found.path}`, what: found.what }
}

/** The path is put together on the way back, as nearly always there is nothing to name. */
function find(value: unknown, depth: number): NotPlain | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return undefined
    case 'number':
      return Number.isFinite(value) ? undefined : { path: '', what: 'a number JSON has no text for' }
    case 'object':
      if (value === null) return undefined
      if (depth >= MAX_DEPTH) return { path: '', what: 'a cycle or a nesting above 512' }
      return Array.isArray(value) ? findInArray(value, depth) : findInObject(value, depth)
    case 'bigint':
    case 'function':
    case 'symbol':
    case 'undefined':
      break
  }
  return { path: '', what: value === undefined ? 'undefined' : `a ${typeof value}` }
}

function findInArray(value: readonly unknown[], depth: number): NotPlain | undefined {
  const what = arrayFault(value)
  if (what !== undefined) return { path: '', what }
  for (let index = 0; index < value.length; index += 1) {
    const found = find(value[index], depth + 1)
    if (found) return { path: `[${index}]${found.path}`, what: found.what }
  }
  return undefined
}

function findInObject(value: object, depth: number): NotPlain | undefined {
  if (!isPlainObject(value)) return { path: '', what: 'an instance of a class' }
  if (Object.getOwnPropertySymbols(value).length > 0)
    return { path: '', what: 'an object with a symbol as a member name' }
  for (const name of Object.keys(value)) {
    const member = (value as Readonly<Record<string, unknown>>)[name]
    if (member === undefined) continue
    if (name === 'toJSON' && typeof member === 'function') return { path: '', what: 'an object with its own toJSON' }
    const found = find(member, depth + 1)
    if (found) return { path: `.${name.slice(0, 64)}${found.path}`, what: found.what }
  }
  return undefined
}

/** An object literal, also one of another realm: its prototype is null or a root prototype. */
export function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

const POSITION = /^(?:0|[1-9]\d*)$/

/** Why an array is more than the list of its items, which is all that JSON and a fingerprint see of it. */
export function arrayFault(value: readonly unknown[]): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Array.prototype && !isForeignArrayPrototype(prototype)) return 'an instance of a class'
  // Positions come before all other names, so that the last name gives away whether there are others.
  const last = Object.keys(value).at(-1)
  const listed = last === undefined || (POSITION.test(last) && Number(last) < value.length)
  return listed && Object.getOwnPropertySymbols(value).length === 0
    ? undefined
    : 'an array with members beside its items'
}

/** Array.prototype of another realm: itself an array, right above a root prototype. */
function isForeignArrayPrototype(prototype: unknown): boolean {
  if (!Array.isArray(prototype)) return false
  const above: unknown = Object.getPrototypeOf(prototype)
  return above !== null && Object.getPrototypeOf(above) === null
}

/** The JSON text of a plain value, or why it has none. A getter that throws counts as not plain. */
export function toJsonText(value: unknown): { readonly text: string } | { readonly notPlain: NotPlain } {
  try {
    const notPlain = findNotPlain(value)
    return notPlain ? { notPlain } : { text: JSON.stringify(value) }
  } catch {
    return { notPlain: { path: 'value', what: 'a value that cannot be read' } }
  }
}
