/** The `Idempotency-Key` of one request. */
export type KeyHeader =
  | { readonly kind: 'missing' }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'key'; readonly key: string }

const BARE = /^[A-Za-z0-9_.:/+=-]{1,255}$/
/** A String of RFC 9651 with its parameters, which mean nothing here. */
const QUOTED =
  /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,510})"(?:; *[a-z*][a-z0-9_.*-]*(?:=(?:"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"|[A-Za-z0-9!#$%&'*+.^_`|~:/?@-]+))?)*$/
const MAX_LENGTH = 255

/**
 * Reads the header as draft-ietf-httpapi-idempotency-key-header-07 has it, a structured string, or as most clients send
 * it, bare; both name the same key. Node and `Headers` join two headers by a comma, which neither form allows.
 */
export function parseKeyHeader(header: string | undefined): KeyHeader {
  if (header === undefined) return { kind: 'missing' }
  const text = header.replace(/^ +| +$/g, '')
  if (BARE.test(text)) return { kind: 'key', key: text }
  const key = QUOTED.exec(text)?.[1]?.replaceAll(/\\(["\\])/g, '$1')
  if (key === undefined || key.trim() === '' || key.length > MAX_LENGTH) return { kind: 'malformed' }
  return { kind: 'key', key }
}
