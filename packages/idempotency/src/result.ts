import type { StandardSchemaV1 } from '@standard-schema/spec'

import { toJsonText } from './json.ts'
import type { Body, StoredBody } from './payload.ts'

export interface Issue {
  readonly message: string
  readonly path?: readonly PropertyKey[]
}

type Checked =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly issues: readonly Issue[] }

/** A value on its way into the store: what is kept of it, and what its callers get. */
export type Encoded =
  /** `read` makes the value its caller gets; the body does not wait for it. */
  | { readonly ok: true; readonly body: Body; readonly read: () => unknown }
  | { readonly ok: false; readonly body: Body; readonly issues: readonly Issue[] }

/** A value on its way out. */
export type Decoded =
  | Checked
  | { readonly ok: false; readonly notKept: true }
  | { readonly ok: false; readonly notEncodable: true }

interface ResultRules {
  readonly result: StandardSchemaV1 | undefined
  readonly maxResultBytes: number
}

/** Takes the way every replay will take: to JSON, back, through the schema. So executed and replayed values are equal. */
export function encodeResult(rules: ResultRules, value: unknown): Encoded | Promise<Encoded> {
  if (value === undefined) return encoded(rules.result, () => undefined, { kind: 'undefined' })
  const json = toJsonText(value)
  if ('notPlain' in json) {
    const { path, what } = json.notPlain
    return {
      ok: false,
      body: { kind: 'not-encodable' },
      issues: [{ message: `${path} is ${what}, which JSON cannot carry` }],
    }
  }
  const { text } = json
  // A UTF-16 unit takes three bytes at most, so that short texts need not be measured.
  const fits = text.length * 3 <= rules.maxResultBytes || Buffer.byteLength(text, 'utf8') <= rules.maxResultBytes
  return encoded(rules.result, () => JSON.parse(text), fits ? { kind: 'value', text } : { kind: 'too-large', text })
}

function encoded(schema: StandardSchemaV1 | undefined, read: () => unknown, body: Body): Encoded | Promise<Encoded> {
  if (schema === undefined) return { ok: true, body, read }
  return validate(schema, read()).then(checked =>
    checked.ok
      ? { ok: true, body, read: () => checked.value }
      : { ok: false, body: { kind: 'not-encodable' }, issues: checked.issues },
  )
}

/** Reads a kept value. */
export function decodeBody(rules: ResultRules, body: StoredBody): Decoded | Promise<Decoded> {
  switch (body.kind) {
    case 'value':
      return decoded(rules.result, body.value)
    case 'undefined':
      return decoded(rules.result, undefined)
    case 'too-large':
      return { ok: false, notKept: true }
    case 'not-encodable':
      break
  }
  return { ok: false, notEncodable: true }
}

function decoded(schema: StandardSchemaV1 | undefined, value: unknown): Decoded | Promise<Decoded> {
  return schema === undefined ? { ok: true, value } : validate(schema, value)
}

async function validate(schema: StandardSchemaV1, value: unknown): Promise<Checked> {
  try {
    const result = await schema['~standard'].validate(value)
    return result.issues ? { ok: false, issues: result.issues.map(toIssue) } : { ok: true, value: result.value }
  } catch {
    // The schema's own text may quote the value.
    return { ok: false, issues: [{ message: 'the schema threw' }] }
  }
}

function toIssue({ message, path }: StandardSchemaV1.Issue): Issue {
  if (path === undefined) return { message }
  return { message, path: path.map(segment => (typeof segment === 'object' ? segment.key : segment)) }
}
