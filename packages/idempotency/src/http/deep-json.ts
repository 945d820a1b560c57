import { isPlainObject } from '../json.ts'

/** A container on the way down: what is left of it, and what closes it. */
interface Level {
  readonly value: object
  readonly entries: Iterator<readonly [name: string | undefined, member: unknown]>
  readonly close: string
  first: boolean
}

/**
 * One text for what `JSON.parse` may give, at any depth and with numbers beyond its range, in the order of the members.
 * Different values have different texts.
 *
 * @returns undefined for what no JSON text gives: functions, class instances, NaN, cycles
 */
export function deepJsonText(root: unknown): string | undefined {
  const parts: string[] = []
  const levels: Level[] = []
  const above = new Set<object>()
  /** @returns false for what JSON does not have */
  function open(value: unknown): boolean {
    if (typeof value !== 'object' || value === null) {
      const text = scalarText(value)
      if (text !== undefined) parts.push(text)
      return text !== undefined
    }
    const isArray = Array.isArray(value)
    if (above.has(value) || !(isArray || isPlainObject(value))) return false
    above.add(value)
    parts.push(isArray ? '[' : '{')
    levels.push({ value, entries: isArray ? items(value) : members(value), close: isArray ? ']' : '}', first: true })
    return true
  }
  if (!open(root)) return undefined
  for (let level = levels.at(-1); level; level = levels.at(-1)) {
    const next = level.entries.next()
    if (next.done === true) {
      parts.push(level.close)
      above.delete(level.value)
      levels.pop()
      continue
    }
    const [name, member] = next.value
    parts.push(level.first ? '' : ',', name === undefined ? '' : `${JSON.stringify(name)}:`)
    level.first = false
    if (!open(member)) return undefined
  }
  return parts.join('')
}

function* items(array: readonly unknown[]): Generator<readonly [undefined, unknown], undefined> {
  for (const item of array) yield [undefined, item]
}

function* members(object: object): Generator<readonly [string, unknown], undefined> {
  for (const entry of Object.entries(object)) if (entry[1] !== undefined) yield entry
}

function scalarText(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return JSON.stringify(value)
    case 'number':
      // Beyond the range of a number, as 1e999 is; no JSON text reads like this.
      if (!Number.isFinite(value)) return Number.isNaN(value) ? undefined : String(value)
      return JSON.stringify(value)
    case 'object':
      return 'null'
    case 'undefined':
    case 'bigint':
    case 'function':
    case 'symbol':
      break
  }
  return undefined
}
