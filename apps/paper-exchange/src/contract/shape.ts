/** What an answer must look like: a type's name, a fixed value, a list of equal rows, or fields. */
export type Shape =
  | 'string'
  | 'number'
  | 'boolean'
  /** A decimal as the exchange prints it. */
  | 'decimal'
  | 'anything'
  | { readonly equals: unknown }
  | { readonly matches: string }
  | { readonly rows: Shape; readonly atLeast?: number }
  /** Exactly these fields; with `open` others may stand beside them. */
  | { readonly fields: Readonly<Record<string, Shape>>; readonly open?: true }

/** One place where an answer is not what it must be. */
export interface Mismatch {
  /** Where, like `fills.0.price`; empty for the whole. */
  path: string
  expected: string
  actual: string
}

/** Compares a value with a shape; lists every mismatch. */
export function compareShape(shape: Shape, value: unknown, path = ''): Mismatch[] {
  if (shape === 'anything') return []
  if (typeof shape === 'string') return isOf(shape, value) ? [] : [mismatch(path, shape, value)]
  if ('equals' in shape) {
    return JSON.stringify(value) === JSON.stringify(shape.equals)
      ? []
      : [mismatch(path, JSON.stringify(shape.equals), value)]
  }
  if ('matches' in shape) {
    const fits = typeof value === 'string' && new RegExp(shape.matches).test(value)
    return fits ? [] : [mismatch(path, `text like ${shape.matches}`, value)]
  }
  if ('rows' in shape) {
    if (!Array.isArray(value)) return [mismatch(path, 'a list', value)]
    if (value.length < (shape.atLeast ?? 0)) return [mismatch(path, `at least ${shape.atLeast} rows`, value)]
    return value.flatMap((row, index) => compareShape(shape.rows, row, join(path, String(index))))
  }
  return compareFields(shape, value, path)
}

function compareFields(shape: Extract<Shape, { fields: unknown }>, value: unknown, path: string): Mismatch[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [mismatch(path, 'an object', value)]
  const fields = value as Record<string, unknown>
  const found = Object.entries(shape.fields).flatMap(([name, inner]) =>
    name in fields
      ? compareShape(inner, fields[name], join(path, name))
      : [{ path: join(path, name), expected: 'present', actual: 'missing' }],
  )
  if (shape.open === true) return found
  const extra = Object.keys(fields).filter(name => !(name in shape.fields))
  return [...found, ...extra.map(name => ({ path: join(path, name), expected: 'absent', actual: 'present' }))]
}

function isOf(type: 'string' | 'number' | 'boolean' | 'decimal', value: unknown): boolean {
  if (type === 'decimal') return typeof value === 'string' && /^-?\d+\.\d+$/.test(value)
  return typeof value === type
}

function mismatch(path: string, expected: string, value: unknown): Mismatch {
  const text = JSON.stringify(value) ?? 'nothing'
  return { path, expected, actual: text.length > 200 ? `${text.slice(0, 200)}…` : text }
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}
